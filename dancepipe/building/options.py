"""The options of build-dataset."""

from dataclasses import dataclass

from dancepipe.config import option


@dataclass(frozen=True)
class BuildDatasetOptions:
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
    min_joints: int = option(10, "frames with fewer found joints are dropped", minimum=1)
    min_frames: int = option(8, "clips with fewer usable frames are failures", minimum=2)
    test_share: float = option(
        0.1, "share of the identities that goes to the test split", minimum=0, maximum=1
    )
    lossless: bool = option(False, "PNG pictures instead of JPEG (five times larger)")
    max_height_px: int = option(720, "largest picture height that is downloaded", minimum=64)
    own_network: bool = option(
        False, "let addresses lead on into your own network (redirects, media addresses of pages)"
    )
    num_shards: int = option(1, "split the sources over this many independent runs", minimum=1)
    shard_index: int = option(0, "which of them this run is, from 0", minimum=0)
