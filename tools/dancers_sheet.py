"""A contact sheet of rendered people, dancing and close up.

python tools/dancers_sheet.py --assets DIR [--out docs/dancers.jpg] [--identities 48] [--seed 5]
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from dancepipe.synthetic.assets import DancerAssets, load_assets
from dancepipe.synthetic.camera import aim_camera, draw_light
from dancepipe.synthetic.motion import facing_yaw, posture_at
from dancepipe.synthetic.person import draw_person
from dancepipe.synthetic.poses import draw_hard_posture, posture_from_angles, standing
from dancepipe.synthetic.posture import pose_bones
from dancepipe.synthetic.render import render_figure
from dancepipe.synthetic.shots import outline_points

COLUMNS, WIDTH, BODY_HEIGHT, FACE_HEIGHT = 12, 150, 216, 130


def tile(assets: DancerAssets, seed: int, number: int) -> np.ndarray:
    """uint8 (346, 150, 3): a person in motion above, the face below."""
    person = draw_person(assets, (seed, number))
    rng = np.random.default_rng((seed, number, 50))
    if rng.random() < 0.25:
        posture = draw_hard_posture(rng, assets)
    else:
        clip = assets.clips[rng.integers(len(assets.clips))]
        posture = posture_at(
            assets, person.rig, clip, rng.uniform(0, len(clip.rotations) - 1), rng.random() < 0.5
        )
    yaw = facing_yaw(assets, posture) + rng.normal(0, 0.4)
    bones = pose_bones(person.rig, posture)
    points = outline_points(assets, bones)
    middle = (points.max(0) + points.min(0)) / 2
    unit = aim_camera(middle, yaw, 0.05, 40, 1.0, (2, 2)).project(points)[:, :2]
    focal = min(
        WIDTH * 0.92 / np.ptp(unit[:, 0]),
        BODY_HEIGHT * 0.94 / np.ptp(unit[:, 1]),
        BODY_HEIGHT / 19 * 40,
    )
    camera = aim_camera(middle, yaw, 0.05, 40, focal, (WIDTH, BODY_HEIGHT))
    off = (
        (unit.max(0) + unit.min(0) - 1) / 2 * focal
    )  # perspective moves the middle of what is seen
    camera = replace(
        camera, center_px=(camera.center_px[0] - float(off[0]), camera.center_px[1] - float(off[1]))
    )
    wall = rng.uniform(170, 225) + rng.normal(0, 6, 3)
    light = draw_light(rng, yaw)
    body = render_figure(person.figure, bones, camera, light, samples=3).over(wall)

    bones = pose_bones(person.rig, posture_from_angles(assets, standing(rng)))
    head = bones.heads_dm[assets.body.bone("head")] + [0, 0.45, 0.4]
    side = rng.normal(0, 0.3)
    camera = aim_camera(head, side, 0.02, 18, WIDTH / 3.6 * 18, (WIDTH, FACE_HEIGHT))
    face = render_figure(
        person.figure, bones, camera, draw_light(rng, side), samples=3, shadow_samples=512
    ).over(wall)
    return np.concatenate([body, face])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--assets", help="the asset pack; default: environment variable DANCEPIPE_DANCERS"
    )
    parser.add_argument("--out", type=Path, default=Path("docs/dancers.jpg"))
    parser.add_argument("--identities", type=int, default=48)
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    assets = load_assets(options.assets)
    tiles = [tile(assets, options.seed, number) for number in range(options.identities)]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % COLUMNS)
    rows = [
        np.concatenate(tiles[first : first + COLUMNS], 1) for first in range(0, len(tiles), COLUMNS)
    ]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(rows)).save(options.out, quality=86)
    print(f"{options.out}: {options.identities} people, {options.out.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
