"""The options of animate."""

from dataclasses import dataclass

from dancepipe.config import option
from dancepipe.media.stretch import Stretch, seconds_of


@dataclass(frozen=True)
class AnimateOptions:
    background: str = option(
        "white",
        "a colour (name or #rrggbb), reference, driver, blur (the driver, blurred), transparent "
        "(.mov, .webm or a folder of PNGs), or a picture or video file",
    )
    person: str = option(
        "largest",
        "which dancer is followed: largest, left, right, a number from the left, or x,y in shares "
        "of width and height; as --preview shows them, or @seconds later: 2@3.5",
    )
    absent: str = option(
        "hold",
        "frames without the dancer: hold the last pose, blank, the background alone, or cut, left "
        "out with their sound",
        choices=("hold", "blank", "cut"),
    )
    start: float = option(
        0.0,
        "animate the video from there on: seconds, or a time as 1:30",
        minimum=0,
        parse=seconds_of,
    )
    duration: float | None = option(
        None, "for how long: seconds, or a time (default: to the video's end)", parse=seconds_of
    )
    shadow: bool = option(False, "a soft shadow under the feet")
    side_by_side: bool = option(False, "show the driver to the left of the result")
    retarget: bool = option(
        True, "give the driver's motion the proportions of the person in the photo"
    )
    smooth: bool = option(True, "calm the joints over +-0.1 s, without delay")
    pose: str = option("mediapipe", "pose backend", choices=("mediapipe", "yolo"))
    mask: str = option("mediapipe", "mask backend for the photo", choices=("mediapipe", "rembg"))
    yolo_weights: str | None = option(
        None, "weights of the yolo backend: a file, or a known name that ultralytics may download"
    )
    rembg_model: str = option("u2net_human_seg", "model of the rembg backend")
    device: str = option("auto", "auto, cpu, cuda, cuda:1 ...")
    precision: str = option("fp32", "arithmetic of the convolutions", choices=("fp32", "bf16"))
    runtime: str = option(
        "auto",
        "who runs the networks that draw: auto (the fastest that is installed), torch, onnx or "
        "openvino (extras of these names; on the CPU, in fp32)",
        choices=("auto", "torch", "onnx", "openvino"),
    )
    batch: int = option(
        0,
        "frames rendered at once (0: 8 on a GPU; on the CPU 1, or as many as the runtime draws "
        "side by side)",
        minimum=0,
    )
    max_side_px: int = option(
        0,
        "shrink the result so that its longer side is at most this (0: the driver's size)",
        minimum=0,
    )
    encoder: str = option(
        "auto",
        "video encoder: auto (by the result's suffix), libx264, libx265, libsvtav1, libvpx-vp9, "
        "h264_nvenc ...",
    )
    crf: int = option(18, "quality of the encoder: smaller is better", minimum=0, maximum=63)
    writer: str = option(
        "pyav",
        "who writes the file: pyav, or ffmpeg (the system's, extra ffmpeg)",
        choices=("pyav", "ffmpeg"),
    )
    motion: str | None = option(
        None, "the driver's motion, as `dancepipe motion` wrote it: nobody is looked for again"
    )
    part_frames: int = option(
        120,
        "frames of a part; a run that was stopped goes on from the last whole one",
        minimum=1,
    )
    own_network: bool = option(
        False, "let the video's address lead on into your own network (redirects, pages' media)"
    )
    overwrite: bool = option(False, "replace a result that is there already")
    reader: str = option(
        "pyav",
        "who reads the sparse frames of the survey: pyav or decord (extra decord)",
        choices=("pyav", "decord"),
    )

    def stretch(self) -> Stretch:
        """What of the driver is animated. ConfigError."""
        return Stretch.of(self.start, self.duration)
