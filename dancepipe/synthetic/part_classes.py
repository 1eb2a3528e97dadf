"""What each pixel of a rendered person shows, in the classes of the part parser: exact."""

import numpy as np

from dancepipe.body.part_parser import CLASSES
from dancepipe.synthetic.figure import LABELS, Figure
from dancepipe.synthetic.flow import most_covering
from dancepipe.synthetic.render import View

# By the bone that moves a triangle most (its name before the dot), then by what it is made of.
_BY_BONE = {
    "upperarm01": "upper_arm", "lowerarm01": "forearm", "wrist": "hand", "head": "face",
    "neck01": "neck", "upperleg01": "legs", "lowerleg01": "legs", "foot": "feet", "toe1-1": "feet",
}  # fmt: skip
_BY_LABEL = {"shoes": "feet", "skirt": "skirt", "hair": "hair", "hat": "hair"}
_TRUNK_BONES = ("root", "spine05", "spine04", "spine03", "spine02", "spine01")
_SHIRT_STAYS = ("neck01", "upperleg01", "lowerleg01")  # where a collar or a hem is torso


def part_classes(figure: Figure, bones: tuple[str, ...], view: View) -> np.ndarray:
    """uint8 (H, W): index into part_parser.CLASSES of what covers most of each pixel. bones: the
    names of the figure's bones."""
    return most_covering(view, _class_of_triangle(figure, bones), len(CLASSES))


def _class_of_triangle(figure: Figure, bones: tuple[str, ...]) -> np.ndarray:
    strongest = figure.skin_bone[np.arange(len(figure.rest)), figure.skin_weight.argmax(1)]
    bone = np.array([name.split(".")[0] for name in bones])[strongest[figure.triangles[:, 0]]]
    found = np.full(len(figure.label), CLASSES.index("torso"), np.uint8)
    is_shirt = figure.label == LABELS.index("upper_clothes")
    for name, kind in _BY_BONE.items():
        moved = bone == name
        found[moved & ~is_shirt if name in _SHIRT_STAYS else moved] = CLASSES.index(kind)
    trousers = figure.label == LABELS.index("lower_clothes")
    found[trousers & np.isin(bone, _TRUNK_BONES)] = CLASSES.index("legs")
    for name, kind in _BY_LABEL.items():
        found[figure.label == LABELS.index(name)] = CLASSES.index(kind)
    return found
