"""dancepipe animate."""

from pathlib import Path

from dancepipe.address import public_address
from dancepipe.cli.arguments import Once
from dancepipe.cli.options import add_json, add_options, data_place, parsed_options
from dancepipe.cli.screen import show
from dancepipe.errors import ConfigError
from dancepipe.rendering.share_options import ShareOptions

NAME = "animate"
HELP = "reference photo + driver video -> video"


def add_flags(parser) -> None:
    parser.add_argument(
        "files",
        nargs="*",
        type=data_place,
        metavar="REF DRIVER",
        help="photo and video, in this order, in place of --ref and --driver",
    )
    parser.add_argument(
        "--ref",
        type=data_place,
        nargs="+",
        action="extend",
        help="photo of the person that shall dance; several, a folder, or a short video or GIF, of "
        "one person: each part takes its colour from the photo that shows it best, the first "
        "counts most",
    )
    parser.add_argument(
        "--driver", type=data_place, action=Once, help="video of the dance, or its http(s) address"
    )
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        action=Once,
        help="result: .mp4, .m4v, .mov, .mkv, .webm, .gif, or, without a suffix, a folder of PNGs",
    )
    parser.add_argument(
        "--preview",
        type=Path,
        metavar="PICTURE",
        help="write one picture (.png, .jpg) instead: the driver's people with their numbers, who "
        "is followed, and what part of the frame will be drawn",
    )
    parser.add_argument(
        "-w",
        "--weights",
        type=Path,
        help="body, limb_warp, weights.safetensors of a training run, or a name that `dancepipe "
        "weights` lists (default: body; with a pose backend without depth the first of those)",
    )
    add_json(parser)
    add_options(parser, ShareOptions)


def run(parsed) -> None:
    ref, driver = _named_once(parsed)
    options = parsed_options(parsed)
    if parsed.preview:
        if parsed.out:
            raise ConfigError("--preview makes no video; leave out -o, or --preview")
        from dancepipe.rendering.preview import preview

        shown = preview(ref, driver, parsed.preview, options)
        show(shown.text(), shown, as_json=parsed.json)
        return
    if parsed.out is None:
        raise ConfigError(
            "animate lacks -o, the video to write; for example: "
            "dancepipe animate me.jpg dance.mp4 -o out.mp4"
        )
    from dancepipe.rendering.animate import animate

    summary = animate(ref, driver, parsed.out, parsed.weights, options)
    show(summary.text(), summary, as_json=parsed.json)


def _named_once(parsed) -> tuple[list[Path], Path | str]:
    """The photos and the video, each given by its flag or by its place."""
    by_place = list(parsed.files)
    ref = parsed.ref or ([by_place.pop(0)] if by_place else None)
    driver = parsed.driver or (by_place.pop(0) if by_place else None)
    if driver is None and ref and len(ref) > 1:  # --ref me.jpg dance.mp4: a video is needed anyway
        driver = ref.pop()
    if by_place:
        raise ConfigError(
            "animate takes one video, and photos of one person by --ref; "
            f"{public_address(str(by_place[0]))} is one more; name each once"
        )
    if ref is None or driver is None:
        lacks = "--ref, a photo" if ref is None else "--driver, a video"
        raise ConfigError(
            f"animate lacks {lacks}; for example: dancepipe animate me.jpg dance.mp4 -o out.mp4"
        )
    if address := next((one for one in ref if isinstance(one, str)), None):
        raise ConfigError(
            f"the photo {public_address(address)} is not fetched; download it and name the file"
        )
    return ref, driver
