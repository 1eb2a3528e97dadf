"""Does a detector trained on photographs see rendered dancers as people, with joints and masks
where the truth has them?

    python tools/check_dancers.py --assets DIR [--frames 500] [--size 256] [--seed 9] [--hard]

Prints the share of renders in which mediapipe finds a person, the joint error in pixels (joints
that are seen in the render and found by the detector), and the overlap of the detector's mask with
the exact one. The same for the landmarks and the points of the hands, with what the networks make
of the true depth in space. Then how well one picture of a shot, warped by the exact flow,
reproduces another where its surface is visible: in flat light, which leaves the flow alone to
blame, and in the shot's own light, where shading and shadows change with the pose. Exit code 1 when
a figure misses its bar.
"""

import argparse
import sys

import numpy as np
from scipy.ndimage import map_coordinates

from dancepipe.body.posing import DEPTH_SCALE, HAND_DEPTH_SCALE
from dancepipe.person.finder import open_person_finder
from dancepipe.pose.skeleton import JOINTS
from dancepipe.records import BodyPose
from dancepipe.skeletons import BLAZEPOSE_33, HAND_21
from dancepipe.synthetic.assets import DancerAssets, load_assets
from dancepipe.synthetic.camera import flat_light
from dancepipe.synthetic.flow import exact_flow
from dancepipe.synthetic.frames import FrameOptions, dancer_frames, frames_of_person
from dancepipe.synthetic.joints import SEEN
from dancepipe.synthetic.person import draw_person
from dancepipe.synthetic.render import View, render_figure

FRAMES_A_PERSON = 10
LEAST_FOUND, LARGEST_ERROR_PX_AT_256, LEAST_IOU = 0.99, 3.0, 0.95
SURE, CLEAR_DEPTH_PX = 0.5, 5.0
FLOW_PAIRS, LARGEST_WARP_L1 = 100, 0.03


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--assets", help="the asset pack; default: environment variable DANCEPIPE_DANCERS"
    )
    parser.add_argument("--frames", type=int, default=500)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--seed", type=int, default=9)
    parser.add_argument("--hard", action="store_true", help="only hard poses")
    options = parser.parse_args()
    assets = load_assets(options.assets)
    settings = FrameOptions(size_px=options.size, **({"hard_share": 1.0} if options.hard else {}))
    rng = np.random.default_rng(options.seed)
    errors = [[] for _ in JOINTS]
    offsets = [[] for _ in JOINTS]
    overlaps, found, total = [], 0, 0
    points = PointErrors(256 / options.size)
    with open_person_finder("mediapipe", "mediapipe", hands=True, mode="photo") as finder:
        for number in range(-(-options.frames // FRAMES_A_PERSON)):
            wall = rng.uniform(60, 235, 3)
            for frame in dancer_frames(assets, options.seed, number, FRAMES_A_PERSON, settings):
                if total == options.frames:
                    break
                total += 1
                seen = finder.find(frame.view.over(wall))
                if seen is None:
                    continue
                found += 1
                both = seen.pose.present & (frame.visibility == SEEN)
                away = (seen.pose.points_px - frame.pose.points_px) * 256 / options.size
                for joint in np.flatnonzero(both):
                    errors[joint].append(float(np.hypot(*away[joint])))
                    offsets[joint].append(away[joint])
                points.add(frame.true_body, seen.body)
                mask, truth = seen.mask > 127, frame.mask > 127
                overlaps.append((mask & truth).sum() / max((mask | truth).sum(), 1))
    everything = np.concatenate([np.array(values) for values in errors])
    print(f"found {found} of {total} ({found / total:.1%}; bar {LEAST_FOUND:.0%})")
    middle, nine_tenths = np.percentile(everything, [50, 90])
    print(
        f"joint error, px of 256: median {middle:.2f} (bar {LARGEST_ERROR_PX_AT_256}), 90 % "
        f"{nine_tenths:.1f}"
    )
    print(
        f"mask IoU: mean {np.mean(overlaps):.3f}, median {np.median(overlaps):.3f} (bar "
        f"{LEAST_IOU})"
    )
    for name, values, shifts in zip(JOINTS, errors, offsets):
        if values:
            x, y = np.median(shifts, axis=0)
            print(
                f"  {name:15s} median {np.median(values):5.2f} px, detector lies {x:+.1f}, "
                f"{y:+.1f} px beside it, {len(values)} seen"
            )
    points.show()
    flat, own = warp_errors(assets, options.seed, settings)
    print(
        f"exact flow, L1 on visible pixels of {FLOW_PAIRS} pairs: flat light {flat:.4f} (bar "
        f"{LARGEST_WARP_L1}), the shot's own light {own:.4f}"
    )
    met = (
        found / total >= LEAST_FOUND
        and middle <= LARGEST_ERROR_PX_AT_256
        and np.mean(overlaps) >= LEAST_IOU
        and flat <= LARGEST_WARP_L1
    )
    sys.exit(0 if met else 1)


class PointErrors:
    """Landmarks and hands of the networks against the exact ones."""

    def __init__(self, scale: float):
        self._scale = scale  # to px of 256
        self._away = {name: [] for name in (*BLAZEPOSE_33.joints, *HAND_21.joints)}
        self._depths = {"landmarks": [], "hands": []}  # (true in space, the network's), px

    def add(self, true: BodyPose, seen: BodyPose) -> None:
        pairs = [("landmarks", DEPTH_SCALE, true.landmarks, seen.landmarks)]
        pairs += [
            ("hands", HAND_DEPTH_SCALE, own, other) for own, other in zip(true.hands, seen.hands)
        ]
        for kind, depth_scale, exact, other in pairs:
            if other is None:
                continue
            both = (exact.confidence == 1) & (other.confidence > SURE)
            away = (other.points_px - exact.points_px) * self._scale
            depth = np.stack([exact.depth_px * depth_scale, other.depth_px], 1) * self._scale
            self._depths[kind] += depth[both].tolist()
            for point in np.flatnonzero(both):
                self._away[exact.skeleton.joints[point]].append(away[point])

    def show(self) -> None:
        print("landmarks and points of hands, px of 256")
        for name, away in self._away.items():
            if away:
                x, y = np.median(away, axis=0)
                print(
                    f"  {name:20s} median {np.median(np.hypot(*np.array(away).T)):5.2f} px, "
                    f"detector lies {x:+.1f}, {y:+.1f} px beside it, {len(away)} seen"
                )
        for kind, depths in self._depths.items():
            true, seen = np.array(depths or np.zeros((1, 2))).T
            clear = np.abs(true) > CLEAR_DEPTH_PX
            print(
                f"depth of {kind}: the network's is {true @ seen / (true @ true):.2f} times the "
                f"true one, correlation {np.corrcoef(true, seen)[0, 1]:.2f}, the same sign in "
                f"{(np.sign(true) == np.sign(seen))[clear].mean():.0%} (more than "
                f"{CLEAR_DEPTH_PX:g} px off 0), {len(true)} points"
            )


def warp_errors(assets: DancerAssets, seed: int, settings: FrameOptions) -> tuple[float, float]:
    """Mean L1 (0 to 1) over visible pixels between the target and the warped reference: (in flat
    light, in the shot's light)."""
    errors = []
    for number in range(FLOW_PAIRS):
        person = draw_person(assets, (seed, number))
        reference, target = frames_of_person(assets, person, seed, number, 2, settings)
        flow, visible = exact_flow(person.figure, target.view, reference.view)
        row = [warp_error(target.view, reference.view, flow, visible)]
        scenes = target.scene, reference.scene
        flat = [
            render_figure(person.figure, scene.bones, scene.camera, flat_light(), settings.samples)
            for scene in scenes
        ]
        errors.append([warp_error(*flat, flow, visible), *row])
    return tuple(np.mean(errors, 0))


def warp_error(target: View, reference: View, flow: np.ndarray, visible: np.ndarray) -> float:
    rows, columns = np.nonzero(visible)
    at = flow[rows, columns] + np.stack([columns, rows], 1)
    moved = np.stack(
        [
            map_coordinates(
                reference.image[..., k].astype(np.float32), at[:, ::-1].T, order=1, mode="nearest"
            )
            for k in range(3)
        ],
        1,
    )
    return float(np.abs(moved - target.image[rows, columns]).mean() / 255)


if __name__ == "__main__":
    main()
