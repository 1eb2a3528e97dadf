"""Everything that a command reads and somebody else may have written: how it looks, who reads it.

A kind makes sound files on the spot; a case is one of them with one file spoiled, the same one for
the same (kind, seed, number). Its door must answer with a result or a DancepipeError.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from random import Random

import fuzz_mutators as spoil
import numpy as np
from fuzz_mutators import Mutator


@dataclass(frozen=True)
class Kind:
    """One kind of input.

    make: writes sound inputs into the folder, each a file or a folder, and gives their names.
    spoiled: what is spoiled, a file name pattern -> mutators; the pattern "" is the input itself.
    door: reads the input at the path.
    """

    name: str
    make: Callable[[Path], list[str]]
    spoiled: dict[str, tuple[Mutator, ...]]
    door: Callable[[Path], None]


def write_case(kind: Kind, sound: Path, seed: int, number: int, into: Path) -> Path:
    """Puts the case into the empty folder `into`; gives the path for the door.

    sound: the folder that kind.make has filled.
    """
    random = Random(f"{kind.name}:{seed}:{number}")
    name = random.choice(sorted(entry.name for entry in sound.iterdir()))
    place = copied(sound / name, into)
    pattern = random.choice(sorted(kind.spoiled))
    files = sorted(place.rglob(pattern)) if pattern else [place]
    file, mutator = random.choice(files), random.choice(kind.spoiled[pattern])
    file.write_bytes(mutator(random, file.read_bytes()))
    return place


def copied(entry: Path, into: Path) -> Path:
    """A file or a folder, under its name in the folder `into`."""
    place = into / entry.name
    shutil.copytree(entry, place) if entry.is_dir() else shutil.copy(entry, place)
    return place


def quiet(_: str) -> None:
    """What is said is of no interest here."""


# Pictures


def _small_picture(mode: str = "RGB"):
    from PIL import Image

    rows = np.add.outer(np.arange(30) * 7, np.arange(40) * 5) % 256
    picture = np.stack([rows, 255 - rows, rows // 2], -1)
    return Image.fromarray(picture.astype(np.uint8)).convert(mode)


def _write_photos(folder: Path) -> list[str]:
    from PIL import Image, ImageCms, features

    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "a maker"
    exif.get_ifd(0x8769)[0x9003] = "2020:01:01 00:00:00"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    told = {"exif": exif, "icc_profile": profile}
    rgb = _small_picture()
    written: dict[str, tuple] = {
        "plain.jpg": (rgb, {"quality": 80}),
        "told.jpg": (rgb, told),
        "progressive.jpg": (rgb, {"progressive": True}),
        "ink.jpg": (_small_picture("CMYK"), {}),
        "told.png": (rgb, told),
        "clear.png": (_small_picture("RGBA"), {}),
        "palette.png": (rgb.quantize(16), {"transparency": 3}),
        "moving.png": (rgb, {"save_all": True, "append_images": [rgb.rotate(90)]}),
        "lossy.webp": (rgb, told),
        "moving.webp": (rgb, {"save_all": True, "append_images": [rgb.rotate(90)]}),
        "moving.gif": (rgb.quantize(16), {"save_all": True, "append_images": [rgb.rotate(90)]}),
        "plain.tiff": (rgb, {"exif": exif}),
        "packed.tiff": (rgb, {"compression": "tiff_lzw", **told}),
        "bits.tiff": (_small_picture("1"), {"compression": "group4"}),
        "plain.bmp": (rgb, {}),
        "palette.bmp": (rgb.quantize(16), {}),
        "plain.tga": (rgb, {"compression": "tga_rle"}),
        "plain.ppm": (rgb, {}),
    }
    if features.check("avif"):
        written["told.avif"] = (rgb, told)
    if features.check("jpg_2000"):
        written["plain.jp2"] = (rgb, {})
    for name, (picture, options) in written.items():
        picture.save(folder / name, **options)
    return list(written)


def _read_photo(path: Path) -> None:
    from dancepipe.media.image import load_photo

    photo = load_photo(path, quiet)
    assert photo.dtype == np.uint8 and photo.ndim == 3 and photo.shape[2] == 3


def _write_row_pictures(folder: Path) -> list[str]:
    from dancepipe.media.image import encode_jpeg, encode_png

    rgb = np.asarray(_small_picture())
    (folder / "image.jpg").write_bytes(encode_jpeg(rgb))
    (folder / "image.png").write_bytes(encode_png(rgb))
    (folder / "mask.png").write_bytes(encode_png(rgb[..., 0]))
    return ["image.jpg", "image.png", "mask.png"]


def _read_row_picture(path: Path) -> None:
    from dancepipe.media.image import decode_picture

    assert decode_picture(path.read_bytes()).dtype == np.uint8


# Videos and sound


def _write_videos(folder: Path) -> list[str]:
    from drawn import write_test_video

    small = {"frames": 6, "rate": 12, "size_wh": (64, 48)}
    write_test_video(folder / "plain.mp4", audio=True, **small)
    write_test_video(folder / "turned.mov", rotation=90, **small)
    write_test_video(folder / "plain.webm", codec="libvpx", **small)
    write_test_video(folder / "plain.mkv", codec="mpeg4", **small)
    write_test_video(folder / "plain.avi", codec="mpeg4", **small)
    write_test_video(folder / "plain.ts", **small)
    write_test_video(folder / "plain.gif", codec="gif", pixel_format="rgb8", **small)
    return [
        "plain.mp4",
        "turned.mov",
        "plain.webm",
        "plain.mkv",
        "plain.avi",
        "plain.ts",
        "plain.gif",
    ]


def _read_video(path: Path) -> None:
    from dancepipe.media.probe import probe_video
    from dancepipe.media.read import VideoReader, read_spread_frames

    probe_video(path)
    with VideoReader(path, max_side_px=512) as video:
        for frame in video:
            assert frame.image.dtype == np.uint8
    read_spread_frames(path, 3, max_side_px=64)


def _write_sounds(folder: Path) -> list[str]:
    from drawn import write_test_sound

    names = {
        "a.m4a": "aac",
        "a.mp3": "libmp3lame",
        "a.ogg": "libopus",
        "a.wav": "pcm_s16le",
        "a.flac": "flac",
    }
    for name, codec in names.items():
        write_test_sound(folder / name, codec, 0.3)
    return list(names)


def _copy_sound(path: Path) -> None:
    from dancepipe.media.write import VideoWriter

    for suffix in (".mp4", ".webm"):
        codec = {"codec": "libvpx-vp9"} if suffix == ".webm" else {}
        result = path.with_name(f"result{suffix}")
        picture = np.zeros((32, 32, 3), np.uint8)
        base = Fraction(1, 10)
        with VideoWriter(result, (32, 32), base, audio_from=path, **codec) as out:
            for index in range(3):
                out.write(picture, index * base)


# Options, lists, scores


def _write_configs(folder: Path) -> list[str]:
    shipped = Path(__file__).resolve().parents[1] / "configs"
    names = []
    for path in sorted(shipped.rglob("*.yaml"))[:3]:
        shutil.copy(path, folder / path.name)
        names.append(path.name)
    (folder / "full.yaml").write_text(
        "batch: 4\nseed: 7\nlearning_rate: 1e-4\nmirror: no\ninit: 'a b.safetensors'\n"
        "weights: {flow_image: 1.0, matte: 0.5}\nprecision: |-\n  fp32\n"
    )
    return [*names, "full.yaml"]


def _read_config(path: Path) -> None:
    from dancepipe.config import merged, options_from, read_yaml
    from dancepipe.training.options import TrainOptions

    options_from(TrainOptions, merged(read_yaml(path), {"seed": 1}), str(path))


def _write_lists(folder: Path) -> list[str]:
    for name in ("a.mp4", "b c.mp4"):
        (folder / "urls").mkdir(exist_ok=True)
        (folder / "urls" / name).write_bytes(b"video")
    (folder / "urls" / "list.txt").write_text(
        "# people\nhttps://127.0.0.1/a?b=c\tann\na.mp4\tbob\nb c.mp4 # a comment\n",
        encoding="utf-8-sig",
    )
    return ["urls"]


def _read_list(path: Path) -> None:
    from dancepipe.building.build import clip_path
    from dancepipe.building.sources import read_sources, split_of

    found, _ = read_sources([str(path / "list.txt")])
    for source in found:
        split_of(source.identity, 0.5)
        clip_path(path, source, 0.5)


def _write_scores(folder: Path) -> list[str]:
    from dancepipe.evaluation.scores import Scores, scores_text
    from dancepipe.evaluation.statistics import Estimate

    methods = {
        "network": {
            "pre": Estimate(7.25, 7.0, 7.5, 90),
            "lpips": Estimate(0.2, None, None, 90, "few"),
        },
        "copy": {"pre": Estimate(17.25, 16.0, 18.0, 90)},
    }
    items = [{"identity": "ann", "methods": {"network": {"pre": 7.0}, "copy": {"pre": None}}}] * 3
    protocol = {"pictures": 90, "people": 12, "size_hw": [64, 64], "networks": {"pose": "a"}}
    scores = Scores(
        "pairs", protocol, methods, {"fid": "few"}, {"copy": {}}, items, notes=["a note"]
    )
    (folder / "scores.json").write_text(scores_text(scores))
    return ["scores.json"]


def _read_scores(path: Path) -> None:
    from dancepipe.evaluation.measures import MEASURES
    from dancepipe.evaluation.scores import read_scores, shown
    from dancepipe.evaluation.statistics import Estimate

    record = read_scores(path)
    for values in record["methods"].values():
        for name, one in values.items():
            if name in MEASURES and one["value"] is not None:
                numbers = (one[part] for part in ("value", "low", "high", "count"))
                shown(Estimate(*numbers, one.get("mark")), MEASURES[name].digits)


# Weights and runs


@cache
def _dims():
    from dancepipe.systems.focus_retain.dims import EnhancerDims, FlowAttentionDims, ModelDims

    return ModelDims("tiny", (32, 32), FlowAttentionDims(2, prior="limbs"), EnhancerDims(1, 2))


@cache
def _networks() -> dict:
    import torch

    from dancepipe.systems.focus_retain.enhancer import Enhancer
    from dancepipe.systems.focus_retain.flow_attention import FlowAttentionNetwork

    torch.manual_seed(0)
    torch.set_num_threads(1)
    dims = _dims()
    return {
        "flow_attention": FlowAttentionNetwork(dims.flow_attention),
        "enhancer": Enhancer(dims.enhancer),
    }


def _write_weights(folder: Path) -> list[str]:
    from dancepipe.systems.weights import WeightsInfo, save_weights

    networks = _networks()
    save_weights(folder / "both.safetensors", WeightsInfo(_dims(), 2, 10), networks)
    first = {"flow_attention": networks["flow_attention"]}
    save_weights(folder / "first.safetensors", WeightsInfo(_dims(), 1, 10), first)
    return ["both.safetensors", "first.safetensors"]


def _read_weights(path: Path) -> None:
    from dancepipe.systems.focus_retain.networks import load_networks

    load_networks(path)


def _run_options():
    from dancepipe.training.options import TrainOptions

    return TrainOptions(preset="tiny", height_px=32, width_px=32, stage1_steps=4, perceptual="none")


def _write_run(folder: Path) -> list[str]:
    from dancepipe.training.checkpoint import Position, save_checkpoint
    from dancepipe.training.run_folder import RunLog, open_run_folder

    run = folder / "run"
    description = {"data": "data", "facts": {"fingerprint": "a"}, "options": {"batch": 2}}
    open_run_folder(run, _run_options(), description, resume=False)
    log = RunLog(run, None)
    with log:
        for step in range(3):
            log.write(1, step, {"l1": 0.5, "total": 1.0, "fixed_pairs_pre": 3.0})
    modules, optimisers = _trained()
    save_checkpoint(run, Position(1, 2), modules, optimisers, keep=2)
    for events in run.glob("events.*"):
        events.unlink()
    return ["run"]


@cache
def _trained():
    import torch

    modules = {"flow_attention": torch.nn.Linear(3, 2)}
    optimisers = {"flow_attention": torch.optim.Adam(modules["flow_attention"].parameters())}
    modules["flow_attention"](torch.ones(1, 3)).sum().backward()
    optimisers["flow_attention"].step()
    return modules, optimisers


def _read_run(path: Path) -> None:
    from dancepipe.training.checkpoint import checkpoints, load_checkpoint, read_position
    from dancepipe.training.run_folder import RunLog, open_run_folder

    description = {"data": "data", "facts": {"fingerprint": "a"}}
    open_run_folder(path, _run_options(), description, resume=True)
    last = checkpoints(path)[-1]
    position = read_position(last)
    load_checkpoint(last, *_trained())
    with RunLog(path, position) as log:
        log.lowest_before(1, "fixed_pairs_pre")
        log.write(1, 3, {"l1": 0.5})


# Data sets


def _write_data(folder: Path) -> list[str]:
    """Two people of six pictures a split, with the exact flow of the first."""
    from figure import draw_figure, standing_pose

    from dancepipe.data.store import ClipWriter, DatasetRow
    from dancepipe.records import BodyPose, Pose
    from dancepipe.skeletons import BLAZEPOSE_33, HAND_21

    def drawn(skeleton):
        count = len(skeleton)
        return Pose(np.full((count, 2), 9.0), np.ones(count), skeleton, np.arange(count))

    points = drawn(BLAZEPOSE_33), (drawn(HAND_21), None)
    data = folder / "data"
    for split in ("train", "test"):
        for person in range(2):
            path = data / split / f"clip{person}.parquet"
            with ClipWriter(path, lossless=True, built_from='[["a", 1, 2, 3, "4"]]') as out:
                for frame in range(6):
                    pose = standing_pose((16 + frame % 3, 3), 27)
                    pose.points_px[4] += (-2 * frame, -3 * frame)
                    image = draw_figure(pose, (32, 32), background=(128, 128, 128))
                    mask = (np.abs(image.astype(int) - 128).sum(2) > 12).astype(np.uint8) * 255
                    who = f"person{person}{split}"
                    box = (0.0, 0.0, 32.0, 32.0)
                    row = (
                        who,
                        path.stem,
                        5 * frame,
                        frame / 6,
                        split,
                        image,
                        mask,
                        BodyPose(pose, *points),
                        box,
                        "a.mp4",
                    )
                    out.add(DatasetRow(*row))
    flow = np.arange(6, dtype=np.float16)[:, None, None, None] * np.ones((1, 32, 32, 2), np.float16)
    (data / "truth").mkdir()
    np.savez_compressed(
        data / "truth" / "clip0.npz", flow=flow, flow_visible=np.ones((6, 32, 32), bool)
    )
    return ["data"]


def _read_data(path: Path) -> None:
    from dancepipe.data.pairs import PairSource, collate
    from dancepipe.data.store import built_from, clip_files, read_clip
    from dancepipe.evaluation.pair_list import HeldOut, drawn_pairs

    source = PairSource(path, "train", (32, 32), seed=0)
    collate([source[number] for number in range(6)])
    split = HeldOut(path)
    split.stored_size_hw()
    for pair in drawn_pairs(split, 2, 0.1, 0)[0]:
        split.picture(pair.target, (32, 32))
    for clip in clip_files(path):
        built_from(clip)
        list(read_clip(clip))


def _read_flow_of_data(path: Path) -> None:
    from dancepipe.data.pairs import PairSource, collate

    source = PairSource(path, "train", (16, 16), seed=0, with_flow=True)
    collate([source[number] for number in range(12)])


def _write_notes(folder: Path) -> list[str]:
    from dancepipe.building.ledger import Ledger
    from dancepipe.building.options import BuildDatasetOptions
    from dancepipe.data.recipe import hold_to_recipe

    notes = folder / "notes"
    hold_to_recipe(notes, BuildDatasetOptions(), apart_from=("device",))
    with Ledger(notes / "failures.jsonl", set()) as ledger:
        ledger.add("a.mp4", "fetch", "no such file")
        ledger.add("https://127.0.0.1/b", "label", "nobody seen")
    return ["notes"]


def _read_notes(path: Path) -> None:
    from dancepipe.building.ledger import Ledger
    from dancepipe.building.options import BuildDatasetOptions
    from dancepipe.data.recipe import hold_to_recipe

    with Ledger(path / "failures.jsonl", {"a.mp4"}) as ledger:
        ledger.add("a.mp4", "fetch", "still not")
    hold_to_recipe(path, BuildDatasetOptions(), apart_from=("device",))


def _write_features(folder: Path) -> list[str]:
    from dancepipe.evaluation.cache import FeatureCache, picture_digests

    cache = FeatureCache(folder / "features", "a network")
    pictures = np.arange(4 * 12, dtype=np.uint8).reshape(4, 2, 2, 3)
    cache.rows(picture_digests(pictures), lambda absent: np.zeros((len(absent), 8), np.float32))
    cache.save()
    return ["features"]


def _read_features(path: Path) -> None:
    from dancepipe.evaluation.cache import FeatureCache, picture_digests

    cache = FeatureCache(path, "a network")
    pictures = np.arange(5 * 12, dtype=np.uint8).reshape(5, 2, 2, 3)
    rows = cache.rows(
        picture_digests(pictures), lambda absent: np.ones((len(absent), 8), np.float32)
    )
    assert rows.shape == (5, 8) and rows.dtype == np.float32
    cache.save()


def _write_pairs(folder: Path) -> list[str]:
    _write_data(folder)
    (folder / "data" / "pairs.csv").write_text(
        "reference_clip,reference_frame,target_clip,target_frame\n"
        "clip0,0,clip0,5\nclip1,10,clip1,25\n",
        encoding="utf-8-sig",
    )
    return ["data"]


@cache
def _held_out():
    import tempfile

    from dancepipe.evaluation.pair_list import HeldOut

    folder = Path(tempfile.mkdtemp())
    try:
        _write_data(folder)
        return HeldOut(folder / "data")
    finally:
        shutil.rmtree(folder)


def _read_pairs(path: Path) -> None:
    from dancepipe.evaluation.pair_list import read_pairs

    read_pairs(path / "pairs.csv", _held_out())


def _write_published(folder: Path) -> list[str]:
    names = {
        "market": [
            f"{person:04}_c1s1_{frame:06}_01.jpg" for person in (2, 7) for frame in range(3)
        ],
        "fashion": [f"fashionMENid0000000{k}01_{k}front.jpg" for k in range(3)],
    }
    for prefix, pictures in names.items():
        published = folder / prefix
        for split in ("train", "test"):
            (published / split).mkdir(parents=True)
            for name in pictures:
                (published / split / name).write_bytes(b"")
            lines = [f"{name}: {[3] * 17 + [-1]}: {list(range(18))}" for name in pictures]
            (published / f"{prefix}-annotation-{split}.csv").write_text(
                "name:keypoints_y:keypoints_x\n" + "\n".join(lines) + "\n"
            )
            (published / f"{prefix}-pairs-{split}.csv").write_text(
                "from,to\n" + "".join(f"{one},{pictures[0]}\n" for one in pictures[1:])
            )
    return list(names)


def _read_published(path: Path) -> None:
    from dancepipe.building.public import LAYOUTS, read_public
    from dancepipe.data.pose_transfer import annotated_width, read_name_pairs

    layout = {"market": "market1501", "fashion": "deepfashion"}[path.name]
    for pictures in read_public(path, layout).values():
        annotated_width(pictures)
    read_name_pairs(LAYOUTS[layout], path, "test")


# Assets


def _write_pack(folder: Path) -> list[str]:
    """A pack of a body of four points: all arrays that are loaded, and a manifest."""
    pack = folder / "pack"
    (pack / "motion").mkdir(parents=True)
    (pack / "tex").mkdir()
    names = np.array(["a", "b"])
    np.savez(
        pack / "body.npz",
        v=np.zeros((4, 3), np.float32), f=np.array([[0, 1, 2], [1, 2, 3]]), fg=np.array([0, 1]),
        groups=names, bones=names, parent=np.array([-1, 0]), joff=np.array([0, 2, 4]),
        jidx=np.arange(4), bi=np.zeros((4, 2), np.int16), bw=np.ones((4, 2), np.float32),
        eyeL=np.array([0]), eyeR=np.array([1]),
    )  # fmt: skip
    np.savez(
        pack / "targets.npz",
        names=names, off=np.array([0, 2, 4]), idx=np.arange(4), delta=np.zeros((4, 3), np.int16),
    )  # fmt: skip
    np.savez(
        pack / "motion" / "motion_cmu.npz",
        names=names, off=np.array([0, 3, 6]), quat=np.zeros((6, 2, 4), np.int16),
        root=np.zeros((6, 3), np.float32), dirk=names, dirv=np.ones((2, 3)), joints=names, leg=8.5,
    )  # fmt: skip
    np.savez(
        pack / "proxy_eyes_low-poly.npz",
        ref=np.zeros((2, 3), np.int64), w=np.ones((2, 3), np.float32),
        off=np.zeros((2, 3), np.float32), sc=np.ones((3, 3), np.float32), dele=np.array([0]),
        f=np.array([[0, 1, 0]]), vt=np.zeros((3, 2), np.float32), ft=np.array([[0, 1, 2]]),
    )  # fmt: skip
    _small_picture().save(pack / "tex" / "low-poly.webp")
    _sign(pack)
    return ["pack"]


def _sign(pack: Path) -> None:
    """Let the manifest describe what is there: the check sums shall not be all that refuses."""
    import hashlib

    entries = [
        {
            "path": path.relative_to(pack).as_posix(),
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(pack.rglob("*"))
        if path.is_file() and path.name != "MANIFEST.json"
    ]
    (pack / "MANIFEST.json").write_text(json.dumps(entries))


def _read_pack(path: Path) -> None:
    from dancepipe.synthetic.assets import _load_checked, load_assets

    _load_checked.cache_clear()
    _sign(path)
    load_assets(path)


def _read_manifest(path: Path) -> None:
    from dancepipe.synthetic.assets import _load_checked, load_assets

    _load_checked.cache_clear()
    load_assets(path)


# Votes


def _write_votes(folder: Path) -> list[str]:
    from dancepipe.study.plan import Trial
    from dancepipe.study.votes import VoteStore

    store = VoteStore(folder / "votes.sqlite")
    try:
        protocol = {"methods": ["ours"], "seed": 0, "show_seconds": 1.0, "check_share": 0.5}
        digest = "0123456789abcdef" * 4
        pictures = {
            ("", "a"): digest,
            ("ours", "a"): digest,
            ("", "b"): digest,
            ("ours", "b"): digest,
        }
        store.begin(protocol, pictures)
        plan = [Trial("ours", "a", "left"), Trial(None, "b", "right"), Trial("ours", "b", "right")]
        for name in ("Ann", "Bob"):
            token = store.enter(name, lambda key: plan).token
            for number in range(3):
                store.count_showing(token)
                store.add_vote(token, number, "left", 0.75, 0.7, 300.0)
    finally:
        store.close()
    return ["votes.sqlite"]


def _read_votes(path: Path) -> None:
    from dancepipe.study.report import study_report

    study_report(path, resamples=20).text()


_ALL = (
    Kind("photo", _write_photos, {"": spoil.PICTURES}, _read_photo),
    Kind("row-picture", _write_row_pictures, {"": spoil.PICTURES}, _read_row_picture),
    Kind("video", _write_videos, {"": spoil.VIDEO}, _read_video),
    Kind("sound", _write_sounds, {"": spoil.VIDEO}, _copy_sound),
    Kind("config", _write_configs, {"": spoil.TEXT}, _read_config),
    Kind("list", _write_lists, {"list.txt": spoil.TEXT}, _read_list),
    Kind("scores", _write_scores, {"": spoil.JSON}, _read_scores),
    Kind("weights", _write_weights, {"": spoil.SAFETENSORS}, _read_weights),
    Kind(
        "run",
        _write_run,
        {
            "config.yaml": spoil.TEXT,
            "run.json": spoil.JSON,
            "log.jsonl": spoil.JSON_LINES,
            "state.json": spoil.JSON,
            "*.safetensors": spoil.SAFETENSORS,
        },
        _read_run,
    ),
    Kind("clip", _write_data, {"*.parquet": spoil.PARQUET}, _read_data),
    Kind("flow", _write_data, {"*.npz": spoil.NPZ}, _read_flow_of_data),
    Kind(
        "notes",
        _write_notes,
        {"dataset.json": spoil.JSON, "failures.jsonl": spoil.JSON_LINES},
        _read_notes,
    ),
    Kind("features", _write_features, {"*.npz": spoil.NPZ}, _read_features),
    Kind("pairs", _write_pairs, {"pairs.csv": spoil.TEXT}, _read_pairs),
    Kind(
        "published",
        _write_published,
        {"*-annotation-*.csv": spoil.TEXT, "*-pairs-*.csv": spoil.TEXT},
        _read_published,
    ),
    Kind("pack", _write_pack, {"*.npz": spoil.NPZ, "*.webp": spoil.PICTURES}, _read_pack),
    Kind("manifest", _write_pack, {"MANIFEST.json": spoil.JSON}, _read_manifest),
    Kind("votes", _write_votes, {"": spoil.SQLITE}, _read_votes),
)
KINDS = {kind.name: kind for kind in _ALL}
