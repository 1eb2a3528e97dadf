"""One rendered person, drawn whole from a seed."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dancepipe.synthetic.assets import DancerAssets
from dancepipe.synthetic.body import BodyTraits, draw_body_traits, finger_bend, shape_body
from dancepipe.synthetic.fabrics import fabric_photos
from dancepipe.synthetic.face import eyebrows_part, eyes_part
from dancepipe.synthetic.figure import Figure, Material, Part, join_parts
from dancepipe.synthetic.hair import BALD, BUZZ, HairTraits, draw_hair, hair_part
from dancepipe.synthetic.joints import JointPlaces, find_joint_places
from dancepipe.synthetic.landmarks import LandmarkPlaces, find_landmark_places
from dancepipe.synthetic.outfit import (
    draw_cut_outfit,
    draw_hat,
    draw_mesh_outfit,
    draw_shoes,
    skin_labels,
)
from dancepipe.synthetic.posture import Rig, make_rig
from dancepipe.synthetic.raster import SOLID
from dancepipe.synthetic.shell import measure_shell
from dancepipe.synthetic.skin import draw_skin, paint_skin, skin_texture


@dataclass(frozen=True)
class Person:
    """A dressed figure, its rig, and what it was drawn from."""

    seed: tuple[int, ...]
    figure: Figure
    rig: Rig
    joint_places: JointPlaces
    landmark_places: LandmarkPlaces
    body: BodyTraits
    hair: HairTraits


def draw_person(
    assets: DancerAssets, seed: int | tuple[int, ...], fabrics: Path | None = None
) -> Person:
    """The person of a seed: the same seed gives the same person, byte for byte. fabrics: a
    folder of photographs to cut cloth from."""
    entropy = tuple(int(part) for part in (seed if isinstance(seed, tuple) else (seed,)))
    # Each aspect has a stream of its own, so that a change in one does not redraw the others.
    streams = [np.random.default_rng((*entropy, number)) for number in range(8)]
    traits = draw_body_traits(streams[0], assets)
    points = shape_body(assets, traits)
    bone_heads = assets.body.bone_heads(points)
    african = traits.ethnicity[2]
    hair = draw_hair(streams[1], traits.is_female, traits.age, african)
    bald = 1.0 if hair.style == BALD else 0.25 if hair.style == BUZZ else 0.0
    skin = draw_skin(streams[2], traits, hair.color, bald)
    joint_places = find_joint_places(assets, points)
    landmark_places = find_landmark_places(assets, points)

    shell = measure_shell(assets, points, bone_heads)
    sew = draw_mesh_outfit if streams[3].random() < 0.25 else draw_cut_outfit
    clothes = sew(streams[3], assets, shell, points, traits.is_female, fabric_photos(fabrics))
    shoes = draw_shoes(streams[4], assets, points)
    if shoes is not None:
        clothes.append(shoes)
    hidden = np.zeros(len(points), bool)
    for cloth in clothes:
        hidden[cloth.hidden_body_vertices] = True

    skin_triangles = assets.body.group_triangles("body")
    skin_triangles = skin_triangles[~hidden[skin_triangles].all(1)]
    uv = _skin_uv(assets.body.points_dm[skin_triangles])
    body_part = Part(
        points_dm=points,
        skin_bone=assets.body.skin_bone,
        skin_weight=assets.body.skin_weight,
        triangles=skin_triangles,
        uv=uv,
        material=Material(
            skin_texture(streams[2], skin),
            SOLID,
            bump=0.5,
            specular=0.07,
            shininess=14.0,
            scatter=1.0,
        ),
        label=skin_labels(assets, skin_triangles),
        tint=paint_skin(assets, skin) / 0.7,
        crease=0.0,
    )
    parts = [
        eyes_part(assets, streams[5], points, african),
        eyebrows_part(assets, streams[5], points, hair.color),
    ]
    wears_hat = bool(streams[7].random() < 0.05) and hair.style in (
        "short02",
        "short03",
        "short04",
        BUZZ,
        BALD,
    )
    head_of_hair = hair_part(assets, streams[6], hair, points, under_hat=wears_hat)
    if head_of_hair is not None:
        parts.append(head_of_hair)
    if wears_hat:
        parts.append(draw_hat(streams[7], assets, points))
    parts += [cloth.part for cloth in clothes]
    figure = join_parts(body_part, parts, bone_heads, joint_places.vertices, finger_bend(assets))
    return Person(
        entropy,
        figure,
        make_rig(assets, bone_heads),
        joint_places,
        landmark_places,
        traits,
        hair,
    )


def _skin_uv(corners: np.ndarray) -> np.ndarray:
    """float32 (T, 3, 2): each triangle seen along its dominant axis, 4 dm a tile; seams do not
    show in mottling."""
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    axis = np.argmax(np.abs(across) * np.array([1.0, 0.8, 1.1]), axis=1)
    planes = np.array([[2, 1], [0, 2], [0, 1]])[axis]
    return (np.take_along_axis(corners, np.repeat(planes[:, None, :], 3, 1), 2) * 0.25).astype(
        np.float32
    )
