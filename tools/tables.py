"""The paper's Tables 1 and 2 in its layout, its figures beside those of any scores.json, and what
makes the two differ.

    python tools/tables.py --youtube ours=runs/a/scores.json --market ours=runs/m/scores.json --jnd youtube:ours=12.4
    python tools/tables.py --ablation "w/o Face Loss"=runs/noface/scores.json --ablation Full=runs/a/scores.json

NAME=FILE takes the first method of the file; NAME:METHOD=FILE another one (limb-warp, copy).
"""  # noqa: E501

import argparse
import sys
from pathlib import Path

from dancepipe.errors import ConfigError, DancepipeError
from dancepipe.evaluation.scores import aligned, read_scores

DATASETS = {
    "deepfashion": ("fid", "lpips", "pre", "jnd"),
    "market": ("fid", "lpips", "mask_lpips", "jnd"),
    "youtube": ("fid", "lpips", "pre", "jnd"),
}
TITLES = {"deepfashion": "DeepFashion", "market": "Market-1501", "youtube": "YouTube-Dance"}
COLUMN = {"fid": "FID", "lpips": "LPIPS", "pre": "PRE", "mask_lpips": "MLPIPS", "jnd": "JND"}
FORMAT = {
    "fid": "{:.3f}",
    "lpips": "{:.3f}",
    "pre": "{:.4g}",
    "mask_lpips": "{:.3f}",
    "jnd": "{:.2f}%",
}

PAPER_TABLE_1 = {
    "Vid2Vid": {
        "deepfashion": (16.692, 0.256, 12.97, 4.96),
        "market": (56.635, 0.348, 0.187, 2.50),
        "youtube": (44.803, 0.278, 5.274, 1.22),
    },
    "GuideP2P": {
        "deepfashion": (15.658, 0.245, 12.06, 8.04),
        "market": (50.848, 0.433, 0.202, 2.19),
        "youtube": (18.176, 0.159, 4.745, 4.96),
    },
    "CocosNet": {
        "deepfashion": (16.493, 0.238, 11.23, 9.48),
        "market": (36.804, 0.304, 0.164, 10.03),
        "youtube": (17.517, 0.155, 4.562, 2.43),
    },
    "GFLA": {
        "deepfashion": (13.234, 0.224, 12.97, 23.92),
        "market": (47.425, 0.338, 0.202, 19.61),
        "youtube": (15.898, 0.165, 4.707, 8.10),
    },
    "Focus and Retain": {
        "deepfashion": (12.995, 0.220, 10.38, 26.88),
        "market": (25.459, 0.292, 0.151, 24.67),
        "youtube": (14.516, 0.148, 4.228, 12.91),
    },
}
PAPER_TABLE_2 = {
    "w/o Flow Attn Module": (16.014, 0.166, 4.826),
    "w/o Face Loss": (15.451, 0.151, 4.386),
    "w/o Enhancement Network": (14.831, 0.149, 4.302),
    "Full": (14.516, 0.148, 4.228),
}
ALWAYS_DIFFERENT = (
    "FID: the paper names neither resizer nor reference set; ours is clean-fid's bicubic, "
    "against the targets of the same pairs. "
    "The same GFLA weights have been published as 10.57, 9.87, 11.87 and 13.23 on DeepFashion: "
    "training or test pictures as reference, "
    "256 x 256 padded or 256 x 176, white padding (which alone lifts SSIM from .65 to .77), JPEG "
    "or PNG, resizer.",
    "LPIPS: the paper names neither network nor version; ours is v0.1, network as below.",
    "PRE: the paper reads poses with AlphaPose, which calls no joint missing; in ours a missing "
    "joint counts as far off as the picture "
    "allows (pre_found leaves it out).",
    "YouTube-Dance was never released: those columns are of other people.",
)


def main(arguments: list[str] | None = None) -> int:
    """Print what the arguments ask for; without any, the paper's own tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for dataset in DATASETS:
        parser.add_argument(
            f"--{dataset}", action="append", default=[], metavar="NAME[:METHOD]=FILE"
        )
    parser.add_argument("--ablation", action="append", default=[], metavar="NAME[:METHOD]=FILE")
    parser.add_argument(
        "--jnd",
        action="append",
        default=[],
        metavar="DATASET:NAME=PERCENT",
        help="from dancepipe study --report",
    )
    parsed = parser.parse_args(arguments)
    try:
        print(
            tables(
                {dataset: getattr(parsed, dataset) for dataset in DATASETS},
                parsed.ablation,
                parsed.jnd,
            )
        )
    except DancepipeError as error:
        print(f"tables: {error}", file=sys.stderr)
        return 2
    return 0


def tables(files: dict[str, list[str]], ablation: list[str], jnd: list[str]) -> str:
    """The text. files: data set -> NAME[:METHOD]=FILE. ConfigError for what cannot be read."""
    found = {
        dataset: dict(_scores(given) for given in files.get(dataset, [])) for dataset in DATASETS
    }
    votes = dict(_vote(given) for given in jnd)
    own = list(dict.fromkeys(name for rows in found.values() for name in rows))
    titles = [
        TITLES[dataset] if position == 0 else ""
        for dataset, names in DATASETS.items()
        for position in range(len(names))
    ]
    rows = [["", *titles], ["", *(COLUMN[name] for names in DATASETS.values() for name in names)]]
    for method, values in PAPER_TABLE_1.items():
        cells = [
            FORMAT[name].format(value)
            for dataset, names in DATASETS.items()
            for name, value in zip(names, values[dataset], strict=True)
        ]
        rows.append([f"{method} (paper)", *cells])
    for method in own:
        cells = []
        for dataset, names in DATASETS.items():
            record = found[dataset].get(method)
            for name in names:
                cells.append(
                    _jnd(votes.get((dataset, method))) if name == "jnd" else _cell(record, name)
                )
        rows.append([method, *cells])
    parts = ["Table 1", *aligned(rows)]
    ablated = dict(_scores(given) for given in ablation)
    rows = [["", "FID", "LPIPS", "PRE"]]
    rows += [
        [
            f"{name} (paper)",
            *(FORMAT[key].format(value) for key, value in zip(("fid", "lpips", "pre"), values)),
        ]
        for name, values in PAPER_TABLE_2.items()
    ]
    rows += [
        [name, *(_cell(record, key) for key in ("fid", "lpips", "pre"))]
        for name, record in ablated.items()
    ]
    parts += ["", "Table 2", *aligned(rows), "", "What differs from the paper"]
    parts += [f"- {line}" for line in ALWAYS_DIFFERENT]
    for title, record in [
        *(
            (f"{name} on {TITLES[dataset]}", record)
            for dataset, rows in found.items()
            for name, record in rows.items()
        ),
        *ablated.items(),
    ]:
        parts.append(f"- {title}: {_protocol(record)}")
    return "\n".join(parts)


def _scores(given: str) -> tuple[str, dict]:
    """ "NAME[:METHOD]=FILE" -> name, {"values", "not_available", "protocol", "method"}."""
    name, separator, path = given.partition("=")
    if not separator or not name or not path:
        raise ConfigError(f"'{given}' is not NAME=FILE")
    name, _, method = name.partition(":")
    record = read_scores(Path(path))
    if record["form"] == "video":
        raise ConfigError(f"{path} scores a finished video; the paper's tables are of pictures")
    methods = record["methods"]
    method = method or next(iter(methods))
    if method not in methods:
        raise ConfigError(f"{path} has no method '{method}'; it has {', '.join(methods)}")
    return name, {
        "values": methods[method],
        "not_available": record["not_available"],
        "protocol": record["protocol"],
        "method": method,
    }


def _vote(given: str) -> tuple[tuple[str, str], float]:
    key, _, percent = given.partition("=")
    dataset, _, name = key.partition(":")
    try:
        value = float(percent.rstrip("%"))
    except ValueError:
        raise ConfigError(f"'{given}' is not DATASET:NAME=PERCENT") from None
    if dataset not in DATASETS or not name:
        raise ConfigError(
            f"'{given}' is not DATASET:NAME=PERCENT; data sets are {', '.join(DATASETS)}"
        )
    return (dataset, name), value


def _jnd(percent: float | None) -> str:
    return "-" if percent is None else FORMAT["jnd"].format(percent)


def _cell(record: dict | None, name: str) -> str:
    if record is None:
        return "-"
    if name in record["not_available"]:
        return "n/a"
    entry = record["values"].get(name)
    if entry is None or entry["value"] is None:
        return "-"
    return FORMAT[name].format(entry["value"]) + ("*" if entry.get("mark") else "")


def _protocol(record: dict) -> str:
    protocol = record["protocol"]
    parts = [
        f"method '{record['method']}', {protocol['pictures']} pictures of {protocol['people']} "
        "people"
    ]
    if "size_hw" in protocol:
        parts.append(f"{protocol['size_hw'][1]} x {protocol['size_hw'][0]}")
    parts += [f"{name}: {identity}" for name, identity in protocol["networks"].items()]
    parts += [
        f"* {name}: {entry['mark']}"
        for name, entry in record["values"].items()
        if entry.get("mark")
    ]
    parts += [
        f"{name} n/a: {reason}"
        for name, reason in record["not_available"].items()
        if name in FORMAT
    ]
    return "; ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
