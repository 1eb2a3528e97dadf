"""Make the asset pack of rendered dancers from public files that you have downloaded.

    git clone https://github.com/makehumancommunity/makehuman         (body, morphs, skeleton, eyes; CC0)
    git clone https://github.com/makehumancommunity/makehuman-assets  (clothes, shoes, hair, brows; CC0; needs git lfs)
    git clone https://github.com/papagina/Auto_Conditioned_RNN_motion    (CMU motion capture as BVH; CMU's terms)
    python tools/build_dancers_pack.py --makehuman makehuman --makehuman-assets makehuman-assets \\
        --bvh Auto_Conditioned_RNN_motion --out PACK

Then pass PACK as --assets or set DANCEPIPE_DANCERS. Read the licences of the three sources before
you pass a pack on: the motion may be used freely, also in products, but not be resold as data. They
are copied to PACK/LICENSES, and MANIFEST.json names every file's source.
"""  # noqa: E501

import argparse
import hashlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
from pack_sources import (
    MOTION_JOINTS,
    SourceError,
    collapse_weights,
    curl_fingers,
    read_bvh,
    read_obj,
    read_proxy,
    read_skeleton,
    read_target,
)

from dancepipe.files.whole_file import whole_folder

BONES = (
    "root",
    "spine05",
    "spine04",
    "spine03",
    "spine02",
    "spine01",
    "neck01",
    "head",
    "clavicle.L",
    "upperarm01.L",
    "lowerarm01.L",
    "wrist.L",
    "upperleg01.L",
    "lowerleg01.L",
    "foot.L",
    "toe1-1.L",
    "clavicle.R",
    "upperarm01.R",
    "lowerarm01.R",
    "wrist.R",
    "upperleg01.R",
    "lowerleg01.R",
    "foot.R",
    "toe1-1.R",
)
PROXIES = {
    "clothes": (
        "fedora",
        "female_casualsuit01",
        "female_casualsuit02",
        "female_elegantsuit01",
        "female_sportsuit01",
        *(f"male_casualsuit0{number}" for number in range(1, 7)),
        "male_elegantsuit01",
        "male_worksuit01",
        *(f"shoes0{number}" for number in range(1, 7)),
    ),
    "hair": (
        "afro01",
        "bob01",
        "bob02",
        "braid01",
        "long01",
        "ponytail01",
        "short01",
        "short02",
        "short03",
        "short04",
    ),
    "eyebrows": tuple(f"eyebrow{number:03d}" for number in range(1, 13)),
}
DETAIL_FOLDERS = (
    "head",
    "nose",
    "chin",
    "mouth",
    "eyes",
    "ears",
    "cheek",
    "forehead",
    "torso",
    "hip",
    "stomach",
)
# Of some folders only these shapes are used.
DETAIL_WORDS = {
    "eyes": ("eye-bag-height", "eyefold", "eye-height", "eye-scale"),
    "ears": ("ear-scale", "ear-shape"),
    "cheek": ("cheek-volume",),
    "stomach": ("navel", "pregnant", "tone"),
    "mouth": (
        "cupidsbow-width",
        "lip-height",
        "lip-volume",
        "lip-width",
        "philtrum-volume",
        "mouth-scale",
    ),
}
OPPOSITES = (
    "-decr",
    "-incr",
    "-down",
    "-up",
    "-in",
    "-out",
    "-concave",
    "-convex",
    "-backward",
    "-forward",
    "-compress",
    "-uncompress",
    "-diamond",
    "-oval",
    "-round",
    "-square",
    "-rectangular",
    "-triangular",
    "-invertedtriangular",
    "-triangle",
    "-pointed",
)
FRAMES_KEPT_PER_SECOND = 30


def body_arrays(data: Path) -> tuple[dict[str, np.ndarray], dict[str, list], dict]:
    """The arrays of body.npz; also the full skeleton and weights, from which the relaxed hand is
    made."""
    mesh = read_obj(data / "3dobjs" / "base.obj")
    skeleton, weights = read_skeleton(
        data / "rigs" / "default.mhskel", data / "rigs" / "default_weights.mhw"
    )
    shown = np.array([not name.startswith("joint") for name in mesh.groups])[mesh.triangle_group]
    heads = [np.array(skeleton.head_vertices(name)) for name in BONES]
    bones, amounts = collapse_weights(weights, skeleton, BONES, len(mesh.points))
    # Groups that have triangles come first: their numbers fit in a byte.
    order = sorted(
        range(len(mesh.groups)), key=lambda index: mesh.groups[index].startswith("joint")
    )
    renumbered = np.argsort(order)
    arrays = {
        "v": mesh.points.astype(np.float32),
        "vt": mesh.texture_points.astype(np.float32),
        "f": mesh.triangles[shown].astype(np.uint16),
        "ft": mesh.triangle_texture[shown].astype(np.uint16),
        "fg": renumbered[mesh.triangle_group[shown]].astype(np.uint8),
        "groups": np.array([mesh.groups[index] for index in order]),
        "bones": np.array(BONES),
        "parent": np.array([skeleton.ancestor_within(name, BONES) for name in BONES], np.int8),
        "jidx": np.concatenate(heads).astype(np.uint16),
        "joff": np.cumsum([0, *map(len, heads)]).astype(np.int16),
        "bi": bones.astype(np.uint8),
        "bw": np.rint(amounts * 65535).astype(np.uint16),
        "eyeL": mesh.group_vertices("joint-l-eye"),
        "eyeR": mesh.group_vertices("joint-r-eye"),
    }
    return arrays, weights, skeleton


def target_files(data: Path) -> dict[str, Path]:
    """Morph name -> file of MakeHuman's targets."""
    folder, macro = data / "targets", data / "targets" / "macrodetails"
    files: dict[str, Path] = {}
    for sex in ("female", "male"):
        for age in ("young", "old"):
            for ethnicity in ("caucasian", "asian", "african"):
                files[f"{ethnicity}-{sex}-{age}"] = macro / f"{ethnicity}-{sex}-{age}.target"
            for muscle in ("min", "average", "max"):
                for weight in ("min", "average", "max"):
                    files[f"u-{sex}-{age}-{muscle}-{weight}"] = (
                        macro / f"universal-{sex}-{age}-{muscle}muscle-{weight}weight.target"
                    )
        middle = f"{sex}-young-averagemuscle-averageweight"
        for end in ("min", "max"):
            files[f"h-{sex}-{end}"] = macro / "height" / f"{middle}-{end}height.target"
        for kind in ("ideal", "uncommon"):
            files[f"p-{sex}-{kind}"] = macro / "proportions" / f"{middle}-{kind}proportions.target"
    for name in DETAIL_FOLDERS:
        words = DETAIL_WORDS.get(name)
        for path in sorted((folder / name).glob("*.target")):
            if path.stem.endswith(OPPOSITES) and (
                words is None or any(word in path.stem for word in words)
            ):
                files[f"d-{name}-{path.stem}"] = path
    return files


def targets_arrays(
    files: dict[str, Path], curl: tuple[np.ndarray, np.ndarray]
) -> dict[str, np.ndarray]:
    """The arrays of targets.npz."""
    morphs = {name: read_target(path) for name, path in files.items()} | {"x-curl": curl}
    return {
        "names": np.array(list(morphs)),
        "off": np.cumsum([0, *(len(vertices) for vertices, _ in morphs.values())]).astype(np.int64),
        "idx": np.concatenate([vertices for vertices, _ in morphs.values()]).astype(np.uint16),
        "delta": np.rint(np.concatenate([delta for _, delta in morphs.values()]) * 1000).astype(
            np.int16
        ),
    }


def motion_arrays(folder: Path) -> dict[str, np.ndarray]:
    """The arrays of motion_cmu.npz from every take below `folder`."""
    files = sorted(path for path in folder.rglob("*.bvh") if path.stem != "standard")
    if not files:
        raise SourceError(f"no .bvh files below {folder}")
    takes = {
        f"{path.parent.name}_{path.stem}": read_bvh(path, FRAMES_KEPT_PER_SECOND) for path in files
    }
    first = next(iter(takes.values()))
    return {
        "names": np.array(list(takes)),
        "off": np.cumsum([0, *(len(take.root) for take in takes.values())]).astype(np.int64),
        "quat": np.rint(
            np.concatenate([take.quaternions for take in takes.values()]) * 32767
        ).astype(np.int16),
        "root": np.concatenate([take.root for take in takes.values()]).astype(np.float32),
        "joints": np.array(MOTION_JOINTS),
        "dirk": np.array(list(first.rest_directions)),
        "dirv": np.array(list(first.rest_directions.values()), np.float32),
        "leg": np.float32(first.leg_length),
    }


def build(makehuman: Path, assets: Path, bvh: Path, out: Path) -> None:
    """Write the whole pack into the folder `out`, which must not exist; nothing is left there
    when a source is missing."""
    if out.exists():
        raise SourceError(f"{out} exists; give a new folder")
    with whole_folder(out) as beside:
        _fill(beside, makehuman, assets, bvh)


def _fill(beside: Path, makehuman: Path, assets: Path, bvh: Path) -> None:
    for name in ("motion", "tex", "LICENSES"):
        (beside / name).mkdir(parents=True)
    sources: dict[str, tuple[str, str]] = {}

    def save(path: str, arrays: dict[str, np.ndarray], source: str, licence: str) -> None:
        np.savez_compressed(beside / path, **arrays)
        sources[path] = (source, licence)

    data = makehuman / "makehuman" / "data"
    arrays, weights, skeleton = body_arrays(data)
    save(
        "body.npz",
        arrays,
        "makehuman: 3dobjs/base.obj, rigs/default.mhskel, rigs/default_weights.mhw",
        "CC0-1.0",
    )
    curl = curl_fingers(arrays["v"].astype(np.float64), weights, skeleton)
    save(
        "targets.npz",
        targets_arrays(target_files(data), curl),
        "makehuman: data/targets",
        "CC0-1.0",
    )
    for kind, names in PROXIES.items():
        for name in names:
            found = sorted((assets / "base" / kind).glob(f"*/{name}.mhclo"))
            if not found:
                raise SourceError(f"no {name}.mhclo below {assets / 'base' / kind}")
            save(
                f"proxy_{kind}_{name}.npz",
                read_proxy(found[0]),
                f"makehuman-assets: {found[0].relative_to(assets)}",
                "CC0-1.0",
            )
    eyes = sorted((data / "eyes").rglob("low-poly.mhclo"))
    pictures = sorted((data / "eyes").rglob("brown*eye*.png")) + sorted(
        (data / "eyes").rglob("*eye*.png")
    )
    if not eyes or not pictures:
        raise SourceError(f"no low-poly.mhclo with a picture below {data / 'eyes'}")
    save("proxy_eyes_low-poly.npz", read_proxy(eyes[0]), "makehuman: data/eyes", "CC0-1.0")
    from PIL import Image

    with Image.open(pictures[0]) as picture:
        picture.convert("RGB").resize((256, 256), Image.Resampling.BOX).save(
            beside / "tex/low-poly.webp", quality=90
        )
    sources["tex/low-poly.webp"] = (f"makehuman: {pictures[0].relative_to(makehuman)}", "CC0-1.0")
    save(
        "motion/motion_cmu.npz",
        motion_arrays(bvh),
        "mocap.cs.cmu.edu, as BVH",
        "CMU: free for all uses, not to be resold as data",
    )
    for folder in (makehuman, assets, bvh):
        for path in sorted(folder.glob("*LICEN[SC]E*")) + sorted(folder.glob("README*")):
            shutil.copy(path, beside / "LICENSES" / f"{folder.resolve().name}-{path.name}")
    entries = []
    for path in sorted(path for path in beside.rglob("*") if path.is_file()):
        content, name = path.read_bytes(), path.relative_to(beside).as_posix()
        source, licence = sources.get(name, ("", ""))
        digest = hashlib.sha256(content).hexdigest()
        entries.append(
            {
                "path": name,
                "bytes": len(content),
                "sha256": digest,
                "source": source,
                "licence": licence,
            }
        )
    (beside / "MANIFEST.json").write_text(json.dumps(entries, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--makehuman", type=Path, required=True)
    parser.add_argument("--makehuman-assets", type=Path, required=True)
    parser.add_argument("--bvh", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    try:
        build(options.makehuman, options.makehuman_assets, options.bvh, options.out)
    except SourceError as error:
        print(f"build_dancers_pack: {error}", file=sys.stderr)
        sys.exit(2)
    size_bytes = sum(path.stat().st_size for path in options.out.rglob("*") if path.is_file())
    print(f"{options.out}: {size_bytes // 1024} KB")


if __name__ == "__main__":
    main()
