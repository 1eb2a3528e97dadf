"""dancepipe export."""

from pathlib import Path

from dancepipe.cli.arguments import Once
from dancepipe.errors import ConfigError

NAME = "export"
HELP = "weights -> ONNX files, the reference encoded apart"


def add_flags(parser) -> None:
    parser.add_argument(
        "weights",
        type=Path,
        help="weights.safetensors of a training run, or a name that `dancepipe weights` lists",
    )
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        action=Once,
        help="folder for encode.onnx, draw.onnx, with an enhancer refine.onnx, and graphs.json",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there")


def run(parsed) -> None:
    if parsed.out is None:
        raise ConfigError(
            "export lacks -o, the folder to write; for example: "
            f"dancepipe export {parsed.weights} -o onnx"
        )
    from dancepipe.systems.open import export_named

    for name, path in export_named(parsed.weights, parsed.out, overwrite=parsed.overwrite).items():
        print(f"{name:12} {path} ({path.stat().st_size / 1e6:.1f} MB)")
