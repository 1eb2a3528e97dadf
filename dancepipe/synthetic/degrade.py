"""What cameras, codecs, matting and pose detectors do: noise, blur, compression, ragged masks,
joints a little off. For training data."""

import io
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dancepipe.pose import skeleton
from dancepipe.pose.retarget import JOINT_OF_LANDMARK
from dancepipe.records import BodyPose, Pose
from dancepipe.synthetic.landmarks import HAND_JOINTS, HIPS


@dataclass(frozen=True)
class Degradation:
    """How one shot is degraded; all zero leaves pictures as they are."""

    noise: float = 0.0  # deviation at middle grey, in 0..255
    blur_px: float = 0.0  # deviation of the lens blur
    jpeg_quality: int = 100  # 100: none
    video_crf: int | None = (
        None  # in place of JPEG: H.264 at this quality, each frame predicted from the one before
    )
    mask_shift_px: float = 0.0  # how far the mask's outline strays
    shutter_seconds: float = 0.0  # motion blur: how long the shutter is open


def draw_degradation(rng: np.random.Generator, size_px: int) -> Degradation:
    """Draw what a mild to poor recording shows, scaled to the picture's size."""
    scale = size_px / 256
    return Degradation(
        noise=float(rng.gamma(1.5, 2.0)),
        blur_px=float(rng.choice([0.0, rng.uniform(0.3, 1.1)]) * scale),
        **_draw_codec(rng),
        mask_shift_px=float(rng.uniform(0, 1.6) * scale),
        shutter_seconds=float(rng.choice([0.0, rng.uniform(0.008, 0.03)], p=[0.75, 0.25])),
    )


def _draw_codec(rng: np.random.Generator) -> dict[str, int]:
    """Half of the recordings are videos, half single pictures."""
    return (
        {"video_crf": int(rng.integers(20, 34))}
        if rng.random() < 0.5
        else {"jpeg_quality": int(rng.integers(45, 96))}
    )


def degrade_picture(
    rng: np.random.Generator, image: np.ndarray, degradation: Degradation
) -> np.ndarray:
    """uint8 RGB (H, W, 3) after lens, sensor and picture codec, in that order; a video codec is
    `compress_video`'s."""
    from scipy.ndimage import gaussian_filter

    signal = image.astype(np.float32)
    if degradation.blur_px > 0:
        signal = gaussian_filter(signal, (degradation.blur_px, degradation.blur_px, 0))
    if degradation.noise > 0:
        # Photon noise grows with the root of the light; chroma noise is smoother than luma noise.
        luma = rng.standard_normal(image.shape[:2], np.float32)[..., None]
        chroma = gaussian_filter(rng.standard_normal(image.shape, np.float32), (1, 1, 0)) * 1.5
        signal = signal + degradation.noise * np.sqrt((signal + 20) / 148) * (
            0.8 * luma + 0.6 * chroma
        )
    picture = (signal.clip(0, 255) + 0.5).astype(np.uint8)
    return (
        jpeg_round_trip(picture, degradation.jpeg_quality)
        if degradation.jpeg_quality < 100
        else picture
    )


def jpeg_round_trip(image: np.ndarray, quality: int) -> np.ndarray:
    """The picture after JPEG with halved chroma, as most videos and photos store it."""
    from PIL import Image

    stored = io.BytesIO()
    Image.fromarray(image).save(stored, "JPEG", quality=quality, subsampling=2)
    with Image.open(stored) as picture:
        return np.asarray(picture.convert("RGB"))


def degrade_mask(
    rng: np.random.Generator, mask: np.ndarray, degradation: Degradation
) -> np.ndarray:
    """uint8 (H, W): the mask with an outline that strays smoothly to both sides, as matting
    networks' do."""
    if degradation.mask_shift_px <= 0:
        return mask
    from scipy.ndimage import gaussian_filter

    reach = degradation.mask_shift_px
    soft = gaussian_filter(mask.astype(np.float32) / 255, reach)
    wander = gaussian_filter(rng.standard_normal(mask.shape, np.float32), 4 * reach + 2)
    wander *= 0.22 / max(float(wander.std()), 1e-6)
    edge = (soft - 0.5 + wander.clip(-0.4, 0.4) * (soft > 0.02) * (soft < 0.98)) * 3.0 + 0.5
    return (edge.clip(0, 1) * 255 + 0.5).astype(np.uint8)


# Errors of mediapipe on real dance videos, in shares of the picture's side: deviations of seen and
# of hidden joints, how often a
# hidden joint is far off, how often elbows and wrists are missed, how often left and right shoulder
# change places.
SEEN_ERROR, HIDDEN_ERROR, FAR_OFF_SHARE, FAR_OFF_FACTOR = 0.009, 0.016, 0.1, 3.0
MISSED_SEEN, MISSED_HIDDEN, SWAPPED_SHOULDERS = 0.04, 0.4, 0.015
_OFTEN_MISSED = (skeleton.R_ELBOW, skeleton.R_WRIST, skeleton.L_ELBOW, skeleton.L_WRIST)
# What mediapipe makes of the depth of rendered people (tools/check_dancers.py), mean and deviation
# over pictures: how many times the true one, and how much farther per px down the picture from the
# hips. Then the deviation of each landmark, in shares of the picture's side.
DEPTH_GAIN, DEPTH_TILT, DEPTH_ERROR = (0.86, 0.25), (0.24, 0.4), 0.1


def degrade_pose(rng: np.random.Generator, pose: Pose, size_px: int) -> Pose:
    """A pose as a detector might report it: joints with confidence 1 a little off, hidden ones
    (0.5) further, some missing."""
    hidden = pose.confidence < 1
    error = (
        rng.standard_normal((18, 2)) * size_px * np.where(hidden, HIDDEN_ERROR, SEEN_ERROR)[:, None]
    )
    error[hidden & (rng.random(18) < FAR_OFF_SHARE)] *= FAR_OFF_FACTOR
    points = pose.points_px + error.astype(np.float32)
    confidence = pose.confidence.copy()
    missed = rng.random(18) < np.where(hidden, MISSED_HIDDEN, MISSED_SEEN)
    for joint in _OFTEN_MISSED:
        if missed[joint]:
            confidence[joint] = 0
    if rng.random() < SWAPPED_SHOULDERS:
        pair = [skeleton.R_SHOULDER, skeleton.L_SHOULDER]
        points[pair] = points[pair[::-1]]
    points[skeleton.NECK] = (points[skeleton.R_SHOULDER] + points[skeleton.L_SHOULDER]) / 2
    return Pose(points, confidence)


def degrade_body(
    rng: np.random.Generator, depths: np.random.Generator, body: BodyPose, size_px: int
) -> BodyPose:
    """A body with landmarks and hands as detectors might report it: its joints by degrade_pose
    with rng, and what hangs on a joint as far off as that one, or missing with it.

    depths: draws the errors of the landmarks' depth; that of the hands stays.
    """
    joints = degrade_pose(rng, body.joints, size_px)
    off = joints.points_px - body.joints.points_px
    landmarks, hands = body.landmarks, body.hands
    assert landmarks is not None and landmarks.depth_px is not None  # rendered people have all
    assert hands is not None
    gain, tilt = depths.normal(*DEPTH_GAIN), depths.normal(*DEPTH_TILT)
    below_hips = landmarks.points_px[:, 1] - landmarks.points_px[HIPS, 1].mean()
    error = depths.standard_normal(len(landmarks.depth_px)) * DEPTH_ERROR * size_px
    there = joints.present[JOINT_OF_LANDMARK]
    moved = Pose(
        landmarks.points_px + off[JOINT_OF_LANDMARK],
        np.where(there, landmarks.confidence, 0),
        landmarks.skeleton,
        gain * landmarks.depth_px + tilt * below_hips + error,
    )
    right, left = (
        hand.scaled_and_shifted(1, off[wrist])
        if hand is not None and joints.present[wrist]
        else None
        for hand, wrist in zip(hands, HAND_JOINTS)
    )
    return BodyPose(joints, moved, (right, left))


def compress_video(frames: list[np.ndarray], crf: int) -> list[np.ndarray]:
    """The frames uint8 RGB (H, W, 3) after H.264 at this quality (0 best .. 51), with its drift
    and blocks between frames."""
    import av

    height, width = frames[0].shape[:2]
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt, codec.framerate = (
        width + width % 2,
        height + height % 2,
        "yuv420p",
        Fraction(30),
    )
    # x264's macroblock tree makes other bytes at every call unless the width is a multiple of 128.
    codec.options = {
        "crf": str(crf),
        "preset": "veryfast",
        "threads": "1",
        "x264-params": "mbtree=0",
    }
    packets = []
    for index, image in enumerate(frames):
        padded = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(padded, format="rgb24").reformat(
            format="yuv420p", dst_colorspace="ITU709"
        )
        frame.pts = index
        packets += codec.encode(frame)
    packets += codec.encode(None)
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    decoded = []
    for packet in [*packets, None]:
        decoded += decoder.decode(packet)
    decoded.sort(key=lambda frame: frame.pts)
    return [
        frame.reformat(format="rgb24", src_colorspace="ITU709").to_ndarray()[:height, :width]
        for frame in decoded
    ]
