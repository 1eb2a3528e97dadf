"""Before a video is made: one picture that says who of the driver is followed, and what is drawn of
the frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dancepipe.config import options_with
from dancepipe.device import pick_device
from dancepipe.errors import OutputError
from dancepipe.files.lock import lock_result
from dancepipe.files.whole_file import WholeFile
from dancepipe.geometry import resized_px
from dancepipe.media.fetched import local_video
from dancepipe.media.image import encode_jpeg, encode_png
from dancepipe.media.read import read_frames_at
from dancepipe.person.choice import PersonChoice, parse_choice
from dancepipe.person.crop import Box, person_box
from dancepipe.person.finder import PersonFinder, open_person_finder
from dancepipe.person.overlay import draw_overlay
from dancepipe.records import Pose
from dancepipe.rendering.dancer import Dancer, decoded_side_px, find_dancer
from dancepipe.rendering.motion import MotionPlan, survey_driver
from dancepipe.rendering.options import AnimateOptions
from dancepipe.rendering.reference import photos_of
from dancepipe.rendering.views import read_references

_SIDE_PX = 1280  # of the picture's longer side, at most
_CANVAS_PX = 256  # where a canvas lies does not depend on its own size
_FOLLOWED, _OTHERS, _INK = (255, 214, 0), (150, 150, 150), (0, 0, 0)
_ENCODERS = {".png": encode_png, ".jpg": encode_jpeg, ".jpeg": encode_jpeg}


@dataclass(frozen=True)
class PreviewSummary:
    """Who is seen, and who is followed."""

    out: Path
    seconds: float  # of the shown frame, after the driver's first one
    people: int
    followed: int  # from the left, from 1
    places: list[tuple[float, float]]  # of each from the left, as `person` takes them
    at: str  # what to put behind a choice for that frame: "@3.5", or nothing

    def text(self) -> str:
        """For the user."""
        who = "1 person" if self.people == 1 else f"{self.people} people"
        lines = [
            f"{self.out}: {who} at {self.seconds:.2f} s of the driver, "
            f"person {self.followed} from the left is followed"
        ]
        if self.people > 1:
            lines += [
                f"  --person {number}{self.at}  or  --person {x:.2f},{y:.2f}{self.at}"
                for number, (x, y) in enumerate(self.places, 1)
            ]
        return "\n".join(lines)


def preview(
    ref: Path | str | Sequence[Path | str],
    driver: Path | str,
    out: Path | str,
    options: AnimateOptions | None = None,
    **keywords,
) -> PreviewSummary:
    """Write one picture (.png, .jpg): the frame of `driver` in which the person is chosen, all
    people with poses and numbers, who is followed, and the part of the frame that animate draws.

    >>> import dancepipe
    >>> dancepipe.preview("me.jpg", "dance.mp4", "who.png").followed
    1

    keywords: the fields of AnimateOptions, laid on `options`. Raises what animate raises.
    """
    options = options_with(AnimateOptions, options, keywords, "preview")
    choice, out = parse_choice(options.person), Path(out)
    if out.suffix.lower() not in _ENCODERS:
        raise OutputError(f"cannot write a preview as {out.name!r}; name it .png or .jpg")
    photos = photos_of(ref)
    driver = local_video(driver, own_network=options.own_network)
    with lock_result(out, overwrite=options.overwrite, inputs=(*photos, driver)):
        device = pick_device(options.device)
        dancer, canvas = _looked_at(photos[0], driver, choice, device, options)
        (frame,) = read_frames_at(driver, [dancer.frame.index], _SIDE_PX, options.stretch())
        picture = _drawn(dancer, canvas, frame.image)
        with WholeFile(out, overwrite=options.overwrite) as file:
            file.fill(_ENCODERS[out.suffix.lower()](picture))
    places = []
    for one in dancer.people:
        x, y = one.sighting.center_xy_px
        places.append((round(x / one.size_wh[0], 3), round(y / one.size_wh[1], 3)))
    at = "" if choice.seconds is None else f"@{choice.seconds:g}"
    return PreviewSummary(out, dancer.seconds, len(places), dancer.index + 1, places, at)


def _looked_at(
    ref: Path, driver: Path, choice: PersonChoice, device: str, options: AnimateOptions
) -> tuple[Dancer, Box]:
    """The dancer, and where the canvas lies in that frame."""

    def finder(mask: str | None) -> PersonFinder:
        return open_person_finder(
            options.pose,
            mask,
            mode="photo",
            yolo_weights=options.yolo_weights,
            rembg_model=options.rembg_model,
            device=device,
        )

    with finder(None) as people:
        side_px = decoded_side_px(options)  # as animate does: the numbers are the same
        dancer = find_dancer(driver, choice, people, side_px, options.stretch())
    with finder(options.mask) as photo:
        (reference,) = read_references(ref, photo, _CANVAS_PX, most=1)
    survey = survey_driver([dancer.chosen.person], driver)
    plan = MotionPlan(survey, reference, _CANVAS_PX, with_retargeting=options.retarget)
    return dancer, plan.place(dancer.chosen.person.body)[1]


def _drawn(dancer: Dancer, canvas: Box, image: np.ndarray) -> np.ndarray:
    """uint8 RGB (H, W, 3) of that frame, which was looked at in another size."""
    scale = image.shape[1] / dancer.frame.image.shape[1]
    shift = resized_px(0.0, scale)
    poses = [one.person.pose.scaled_and_shifted(scale, (shift, shift)) for one in dancer.people]
    for pose in poses:
        image = draw_overlay(image, pose)
    picture = Image.fromarray(image)
    pen = ImageDraw.Draw(picture)
    unit = max(picture.size) / 100
    font = ImageFont.load_default(size=2.4 * unit)
    corners = [resized_px(edge, scale) for edge in canvas]
    pen.rectangle(corners, outline=_FOLLOWED, width=max(2, round(0.3 * unit)))
    for number, pose in enumerate(poses, 1):
        colour = _FOLLOWED if number == dancer.index + 1 else _OTHERS
        _label(pen, str(number), _above(pose, 2 * unit), 2 * unit, colour, font)
    return np.asarray(picture)


def _above(pose: Pose, room_px: float) -> tuple[float, float]:
    """The place over a head, inside of the picture's upper edge."""
    x0, y0, x1, _ = person_box(pose)
    return (x0 + x1) / 2, max(y0 - room_px / 2, room_px)


def _label(pen, text: str, middle: tuple[float, float], radius: float, colour, font) -> None:
    x, y = middle
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour, outline=_INK)
    pen.text(middle, text, fill=_INK, font=font, anchor="mm")
