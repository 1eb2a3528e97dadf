"""Every number that evaluate gives: what it is, its unit, and which way is better. Imports no
torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """better: "lower", "higher", or "real" (as near as possible to the same number of the real
    pictures)."""

    unit: str
    better: str
    meaning: str
    digits: int = 4
    middle: str = "mean"  # what of the pictures (or frames) is given: "mean" or "median"


_REGIONS = {
    "": "the whole picture",
    "_box": "the bounding box of the person's mask",
    "_mask": "the person's mask",
}

MEASURES: dict[str, Measure] = {
    **{
        f"l1{suffix}": Measure("of 1", "lower", f"mean absolute difference over {region}")
        for suffix, region in _REGIONS.items()
    },
    **{
        f"psnr{suffix}": Measure(
            "dB", "higher", f"peak signal to noise ratio over {region}, mean over pictures", 2
        )
        for suffix, region in _REGIONS.items()
    },
    **{
        f"ssim{suffix}": Measure("of 1", "higher", f"structural similarity over {region}")
        for suffix, region in _REGIONS.items()
    },
    "lpips": Measure("", "lower", "LPIPS v0.1"),
    "mask_lpips": Measure(
        "",
        "lower",
        "LPIPS v0.1 with everything outside the target's mask mid-grey in both pictures",
    ),
    "fid": Measure(
        "", "lower", "Frechet Inception distance between all real and all made pictures", 3
    ),
    "kid": Measure("", "lower", "kernel Inception distance, unbiased, over all pictures", 5),
    "pre": Measure(
        "px",
        "lower",
        "pose reconstruction error, eq. 11; a missing joint counts as far off as the picture "
        "allows",
        2,
    ),
    "pre_found": Measure(
        "px",
        "lower",
        "the same over the joints that were found: read it beside missing_joints and found",
        2,
    ),
    "pre_arms": Measure("px", "lower", "pre of elbows and wrists", 2),
    "pre_legs": Measure("px", "lower", "pre of knees and ankles", 2),
    "pre_head": Measure("px", "lower", "pre of nose, eyes and ears", 2),
    "pck": Measure(
        "of 1",
        "higher",
        "joints within 0.2 torso lengths of their place; a missing one is wrong",
        3,
    ),
    "missing_joints": Measure(
        "of 1",
        "lower",
        "joints of the target that are not found in the result, people not found included",
        3,
    ),
    "found": Measure("of 1", "higher", "results in which a person is found", 3),
    "hf": Measure(
        "of 1",
        "real",
        "fine detail: standard deviation of the high-passed luminance inside the mask",
    ),
    "hf_ratio": Measure("", "real", "fine detail against the same picture's target", 3),
    "bone_error": Measure(
        "",
        "lower",
        "mean |log| of bone lengths against the target's, in torso lengths: .1 is 10 % off",
        3,
    ),
    "height_ratio": Measure("", "real", "height of the body against the target's", 3),
    "turn_error_degrees": Measure(
        "degrees",
        "lower",
        "angle between the torso's facing and the target's, by the depth of shoulders and hips; "
        "median",
        1,
        "median",
    ),
    "turned_away": Measure(
        "of 1",
        "lower",
        "share of turn errors above 60 degrees: fronts that should be backs",
        3,
    ),
    "pre_hands": Measure(
        "px",
        "lower",
        "pre of the points of hands that are sure in both: read it beside hands_found",
        2,
    ),
    "hands_found": Measure(
        "of 1", "higher", "hands that are sure in the target and in the result too", 3
    ),
    "identity": Measure(
        "",
        "higher",
        "likeness of the whole body to the real picture's (video: to the photo's), by "
        "re-identification features; 0 for nobody",
        3,
    ),
    "frames_missing": Measure(
        "frames", "lower", "frames of the driver without a frame of the result at their time", 0
    ),
    "frames_extra": Measure(
        "frames", "lower", "frames of the result without a frame of the driver at their time", 0
    ),
    "time_error_seconds": Measure(
        "s", "lower", "largest difference of the times of frames that belong together", 5
    ),
    "audio_identical": Measure(
        "0/1", "higher", "the sound's packets and their times are the driver's", 0
    ),
    "audio_offset_seconds": Measure(
        "s", "lower", "how much later the driver's sound is heard in the result (absolute)", 4
    ),
    "flicker": Measure(
        "of 1", "real", "second difference in time of the mean luminance inside the person", 5
    ),
    "warp_error": Measure(
        "of 1",
        "real",
        "difference to the frame before moved along the optical flow, inside the person, mean "
        "colours made equal",
        5,
    ),
    "jitter": Measure("torsos", "real", "second difference in time of the joints", 5),
    "angle_error_degrees": Measure(
        "degrees", "lower", "mean angle between the bones of result and driver", 2
    ),
    "drift_colour": Measure(
        "of 1", "real", "change of the person's mean colour from the first to the last tenth", 4
    ),
    "drift_detail": Measure(
        "", "real", "|log| of the change of fine detail from the first to the last tenth", 3
    ),
    "drift_angle_degrees": Measure(
        "degrees", "lower", "growth of angle_error_degrees from the first to the last tenth", 2
    ),
    "drift_height": Measure(
        "", "lower", "|log| of the change of height_ratio from the first to the last tenth", 3
    ),
}
