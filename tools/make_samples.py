"""Make samples/reference.png and samples/driver.mp4 from the asset pack: two rendered people and a
click track.

    python tools/make_samples.py --assets DIR [--out samples] [--seconds 6]

The same pack gives the same pictures; the video's bytes also depend on the version of x264.
"""

import argparse
from fractions import Fraction
from pathlib import Path

import numpy as np

from dancepipe.files.whole_file import WholeFile
from dancepipe.media.image import save_png
from dancepipe.synthetic.assets import DancerAssets, load_assets
from dancepipe.synthetic.camera import Camera, aim_camera, make_light
from dancepipe.synthetic.motion import RATE_HZ, clip_by_name, facing_yaw, posture_at
from dancepipe.synthetic.person import draw_person
from dancepipe.synthetic.poses import arm, posture_from_angles, standing
from dancepipe.synthetic.posture import LAG_SECONDS, pose_bones
from dancepipe.synthetic.render import render_figure

REFERENCE_SEED, REFERENCE_SIZE_WH = 402, (512, 768)
DRIVER_SEED, DRIVER_SIZE_WH = 311, (448, 640)
DRIVER_CLIP, DRIVER_FIRST_FRAME, DRIVER_MIRRORED = "salsa_01", 944, False
BEATS_A_SECOND = 2


def room(
    size_wh: tuple[int, int],
    floor_y: float,
    wall: tuple[int, int, int],
    floor: tuple[int, int, int],
) -> np.ndarray:
    """float32 (H, W, 3): a plain lit wall above a floor."""
    width, height = size_wh
    rows = np.arange(height)[:, None, None]
    columns = (np.arange(width)[None, :, None] - width * 0.4) / width
    brightness = 1.02 - 0.10 * columns**2 - 0.05 * rows / height
    on_floor = np.clip((rows - floor_y) / 6, 0, 1)
    return (np.array(wall) * (1 - on_floor) + np.array(floor) * on_floor) * brightness


def cast_shadow(background: np.ndarray, feet_px: np.ndarray, radius_px: float) -> np.ndarray:
    """Darken the floor under the feet (N, 2)."""
    height, width = background.shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    shade = np.zeros((height, width))
    for foot_x, foot_y in feet_px:
        distance = ((x - foot_x) / radius_px) ** 2 + ((y - foot_y) / (0.3 * radius_px)) ** 2
        shade = np.maximum(shade, np.exp(-distance))
    return background * (1 - 0.35 * shade[..., None])


def feet_in_picture(assets: DancerAssets, camera: Camera, heads_dm: np.ndarray) -> np.ndarray:
    """Pixel places (2, 2) on the floor below the ankles."""
    feet = heads_dm[[assets.body.bone("toe1-1.L"), assets.body.bone("toe1-1.R")]].copy()
    return camera.project(feet)[:, :2]


def make_reference(assets: DancerAssets) -> np.ndarray:
    """uint8 (768, 512, 3): a person standing before a light background."""
    person = draw_person(assets, REFERENCE_SEED)
    angles = (
        standing(np.random.default_rng(3)) | arm("l", 56, 6, 14, 30) | arm("r", 58, 4, 12, 30)
    )  # hands clear of the hips
    bones = pose_bones(person.rig, posture_from_angles(assets, angles))
    middle = (bones.heads_dm.min(0) + bones.heads_dm.max(0)) / 2 + [0, 0.35, 0]
    width, height = REFERENCE_SIZE_WH
    camera = aim_camera(
        middle,
        yaw=0.06,
        pitch=0.04,
        distance_dm=38,
        focal_px=height / 20.0 * 38,
        size_wh=REFERENCE_SIZE_WH,
    )
    view = render_figure(
        person.figure,
        bones,
        camera,
        make_light(0.55, 0.75, key=0.7, around=0.68),
        samples=4,
        shadow_samples=768,
    )
    feet = feet_in_picture(assets, camera, bones.heads_dm)
    background = cast_shadow(
        room(REFERENCE_SIZE_WH, feet[:, 1].min() - 40, (226, 227, 226), (205, 202, 197)), feet, 46
    )
    return view.over(background)


def make_driver_frames(assets: DancerAssets, seconds: float) -> list[np.ndarray]:
    """uint8 (640, 360, 3) each: another person dancing before a fixed camera."""
    person = draw_person(assets, DRIVER_SEED)
    clip = clip_by_name(assets, DRIVER_CLIP)
    count = round(seconds * RATE_HZ)
    lag = round(LAG_SECONDS * RATE_HZ)
    frames = range(DRIVER_FIRST_FRAME - lag, DRIVER_FIRST_FRAME + count)
    postures = [posture_at(assets, person.rig, clip, frame, DRIVER_MIRRORED) for frame in frames]
    posed = [
        pose_bones(person.rig, posture, earlier)
        for earlier, posture in zip(postures, postures[lag:])
    ]
    reach = np.concatenate([bones.heads_dm for bones in posed])
    yaw = float(np.median(np.unwrap([facing_yaw(assets, posture) for posture in postures])))
    middle = (reach.min(0) + reach.max(0)) / 2
    width, height = DRIVER_SIZE_WH
    distance = 46
    # Everything that moves stays in the picture, hands, hair and soles included.
    seen = (
        aim_camera(middle, yaw, 0.06, distance, 1.0, DRIVER_SIZE_WH).project(reach)[:, :2]
        * distance
    )
    seen -= (seen.max(0) + seen.min(0)) / 2
    span_x, span_y = np.ptp(seen, axis=0) + [3.6, 4.4]
    focal = min(width / span_x, height / span_y) * distance
    camera = aim_camera(middle, yaw, 0.06, distance, focal, DRIVER_SIZE_WH)
    light = make_light(yaw - 0.6, 0.7, key=0.75, around=0.66, warmth=0.03)
    feet = np.concatenate([feet_in_picture(assets, camera, bones.heads_dm) for bones in posed])
    scene = room(
        DRIVER_SIZE_WH, float(np.percentile(feet[:, 1], 20)) - 60, (176, 186, 192), (150, 138, 126)
    )
    frames = []
    for bones in posed:
        view = render_figure(person.figure, bones, camera, light, samples=3, shadow_samples=512)
        frames.append(
            view.over(cast_shadow(scene, feet_in_picture(assets, camera, bones.heads_dm), 30))
        )
    return frames


def click_track(seconds: float, rate_hz: int = 44100) -> np.ndarray:
    """float32 (1, N): soft clicks, the first of every four higher."""
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    beat = np.floor(times * BEATS_A_SECOND)
    since = times - beat / BEATS_A_SECOND
    pitch = np.where(beat % 4 == 0, 1320.0, 880.0)
    return (
        0.25 * np.sin(2 * np.pi * pitch * since) * np.exp(-since * 45) * np.minimum(since * 500, 1)
    )[None].astype(np.float32)


def write_video(
    path: Path, frames: list[np.ndarray], sound: np.ndarray, rate_hz: int = 44100
) -> None:
    """H.264 and AAC in MP4."""
    import av

    with (
        WholeFile(path, overwrite=True) as whole,
        av.open(
            str(whole.part), "w", format="mp4", options={"movflags": "+faststart"}
        ) as container,
    ):
        video = container.add_stream(
            "libx264", rate=RATE_HZ, options={"crf": "19", "preset": "slow", "threads": "1"}
        )  # more give other bytes every time
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt = "yuv420p"
        video.codec_context.color_range = 1
        video.codec_context.colorspace = 1
        video.codec_context.color_primaries = 1
        video.codec_context.color_trc = 1
        audio = container.add_stream("aac", rate=rate_hz, layout="mono")
        audio.bit_rate = 64000
        for index, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(
                format="yuv420p", dst_colorspace="ITU709"
            )
            frame.pts, frame.time_base = index, Fraction(1, RATE_HZ)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        block = 1024
        for first in range(0, sound.shape[1], block):
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(sound[:, first : first + block]), format="fltp", layout="mono"
            )
            frame.sample_rate, frame.pts, frame.time_base = rate_hz, first, Fraction(1, rate_hz)
            container.mux(audio.encode(frame))
        container.mux(audio.encode())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--assets", help="the asset pack; default: environment variable DANCEPIPE_DANCERS"
    )
    parser.add_argument("--out", type=Path, default=Path("samples"))
    parser.add_argument("--seconds", type=float, default=6.0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    assets = load_assets(options.assets)
    save_png(options.out / "reference.png", make_reference(assets))
    write_video(
        options.out / "driver.mp4",
        make_driver_frames(assets, options.seconds),
        click_track(options.seconds),
    )
    for name in ("reference.png", "driver.mp4"):
        print(f"{options.out / name}: {(options.out / name).stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
