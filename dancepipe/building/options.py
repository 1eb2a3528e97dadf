"""The options of build-dataset."""

from dataclasses import dataclass

from dancepipe.cluster.options import RayOptions
from dancepipe.config import option


@dataclass(frozen=True)
class CleaningOptions:
    """What is left out of videos; 0, or --no-..., turns a step off."""

    crossing: bool = option(True, "leave out frames in which another person stands in the way")
    min_likeness: float = option(
        0.7, "frames in which somebody's clothes are less like in the others are left out "
        "(somebody else, another light)", minimum=0, maximum=1,
    )  # fmt: skip
    drawn: bool = option(
        True, "leave out bodies that are painted in many flat colours (maps of body parts)"
    )
    whole_body: bool = option(True, "leave out people who are partly outside of the picture")
    min_scale: float = option(
        0.4, "smallest people: pixels of the video for one of the picture that is kept", minimum=0
    )
    min_sharpness: float = option(
        0.12, "least sharp pictures: contrast of neighbouring pixels over that of all", minimum=0
    )
    min_mask: float = option(
        0.75, "worst masks: share of the joints that lie in it, times that of its largest piece, "
        "times how near its size is to that before and after",
        minimum=0, maximum=1,
    )  # fmt: skip
    steady: bool = option(True, "leave out poses that jump away for one frame")
    max_caption: float = option(
        0.015, "most of a body that a caption or logo may cover, as edges that stay where they are",
        minimum=0, maximum=1,
    )  # fmt: skip
    max_camera: float = option(
        0.0, "fastest camera of a shot, in picture widths a second (0: any)", minimum=0
    )
    min_motion: float = option(
        0.04, "people who move less, in lengths of their torso, are left out", minimum=0
    )
    min_pose: float = option(
        0.03, "poses nearer to a kept one than this, in torso lengths a joint, are left out",
        minimum=0,
    )  # fmt: skip
    most_poses: int = option(
        50, "pictures kept of each person in a video, the most different poses (0: all)", minimum=0
    )
    duplicates: bool = option(
        True, "leave out videos whose pictures another one has already, and join people who look "
        "the same",
    )  # fmt: skip


@dataclass(frozen=True)
class BuildDatasetOptions(RayOptions):
    layout: str = option(
        "videos",
        "or the folder of a published data set with its joints and pairs, in the layout of GFLA "
        "and PATN",
        choices=("videos", "deepfashion", "market1501"),
    )
    size_px: int = option(
        256,
        "side of the square pictures (published data sets have sizes of their own)",
        minimum=32,
        maximum=4096,
    )
    fps: float = option(
        10.0, "pictures kept per second of video (0: every frame)", minimum=0, maximum=1000
    )
    pose: str = option("mediapipe", "pose backend", choices=("mediapipe", "yolo"))
    hands: bool = option(
        False,
        "store the 21 points of each hand too, which mediapipe alone reads (twice the CPU time a "
        "frame)",
    )
    mask: str = option(
        "mediapipe",
        "mask backend; full: pictures of a published data set with their background",
        choices=("mediapipe", "rembg", "full"),
    )
    yolo_weights: str | None = option(
        None, "weights of the yolo backend: a file, or a known name that ultralytics may download"
    )
    rembg_model: str = option("u2net_human_seg", "model of the rembg backend")
    device: str = option("cpu", "device of the yolo and rembg backends: cpu, cuda, cuda:1 ...")
    clean: CleaningOptions = option(CleaningOptions(), "what is left out of videos")
    everyone: bool = option(
        True, "every person of a video, each apart (off: the largest and most central one alone)"
    )
    min_joints: int = option(10, "frames with fewer found joints are dropped", minimum=1)
    min_frames: int = option(8, "people with fewer usable frames are left out", minimum=2)
    test_share: float = option(
        0.1, "share of the identities that goes to the test split", minimum=0, maximum=1
    )
    test_pairs: int = option(
        20, "pairs of each person of the test split in pairs-test.csv (0: no file)", minimum=0
    )
    lossless: bool = option(False, "PNG pictures instead of JPEG (five times larger)")
    max_height_px: int = option(720, "largest picture height that is downloaded", minimum=64)
    own_network: bool = option(
        False, "let addresses lead on into your own network (redirects, media addresses of pages)"
    )
    retry_failed: bool = option(
        False, "try all sources again that failed in an earlier run (those whose server was busy, "
        "or not reached, are tried again without this)",
    )  # fmt: skip
    cookies: str | None = option(
        None, "cookies file of a browser, for sites that want to know who downloads"
    )
    rate_limit: int = option(0, "fastest download, in 1,000 bytes a second (0: any)", minimum=0)
    pause_seconds: float = option(
        1.0, "least time between two downloads from one host", minimum=0, maximum=3600
    )
    per_host: int = option(
        2, "downloads from one host at a time, of all workers (0: any)", minimum=0, maximum=100
    )
    retries: int = option(3, "how often a download is tried again", minimum=0, maximum=100)
    workers: int = option(1, "processes that work on sources at the same time", minimum=1)
    num_shards: int = option(1, "split the sources over this many independent runs", minimum=1)
    shard_index: int = option(0, "which of them this run is, from 0", minimum=0)
