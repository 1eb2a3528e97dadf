"""The pack's maker on drawn sources: what is written down in the public formats is what comes
out in the pack."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

import build_dancers_pack
from build_dancers_pack import BONES, PROXIES, build
from pack_sources import (
    MOTION_JOINTS,
    SourceError,
    collapse_weights,
    read_bvh,
    read_obj,
    read_proxy,
    read_skeleton,
    read_target,
)

from dancepipe.synthetic.assets import load_assets

PARENTS = {"abdomen": "hip", "chest": "abdomen", "neck": "chest", "head": "neck"}
for _side in "lr":
    _chain = (
        ("chest", "Collar", "Shldr", "ForeArm", "Hand"),
        ("hip", "Buttock", "Thigh", "Shin", "Foot"),
    )
    for _first, *_rest in _chain:
        for _name in _rest:
            PARENTS[_side + _name], _first = _first, _side + _name


def write_bvh(path: Path, turns: dict[str, list[float]], frames: int = 9) -> None:
    """A take at 120 Hz; `turns`: joint -> Z, X, Y degrees, held through all frames. The root
    moves 1 a frame along x."""
    order: list[str] = []

    def joint(name: str, depth: int) -> list[str]:
        order.append(name)
        channels = (
            "6 Xposition Yposition Zposition Zrotation Xrotation Yrotation"
            if depth == 0
            else "3 Zrotation Xrotation Yrotation"
        )
        lines = [
            f"{'ROOT' if depth == 0 else 'JOINT'} {name}",
            "{",
            f"OFFSET {depth} {-10 - depth} 1",
            f"CHANNELS {channels}",
        ]
        children = [child for child, parent in PARENTS.items() if parent == name]
        for child in children:
            lines += joint(child, depth + 1)
        return lines + ([] if children else ["End Site", "{", "OFFSET 0 1 0", "}"]) + ["}"]

    text = ["HIERARCHY", *joint("hip", 0), "MOTION", f"Frames: {frames}", "Frame Time: 0.0083333"]
    for frame in range(frames):
        row = [frame, 90, 0]
        for name in order:
            row += turns.get(name, [0, 0, 0])
        text.append(" ".join(map(str, row)))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(text))


def write_proxy(folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.obj").write_text(
        "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nf 1/1 2/2 3/3 4/4\n"
    )
    (folder / f"{name}.mhclo").write_text(
        f"# a comment\nname {name}\nobj_file {name}.obj\nx_scale 0 1 2.0\nz_scale 2 3 "
        "1.5\ny_scale 1 2 0.5\nverts 0\n"
        "0 1 2 .5 .25 .25 .01 .02 .03\n3\n1 2 3 .2 .3 .5 0 -.1 0\n2\nmaterial "
        "x.mhmat\ndelete_verts\n3 5 - 7\n"
    )


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    root = tmp_path_factory.mktemp("sources")
    data = root / "makehuman" / "makehuman" / "data"
    rng = np.random.default_rng(0)
    points = rng.normal(size=(40, 3)).round(3)
    lines = [f"v {x} {y} {z}" for x, y, z in points] + [
        "vt 0 0",
        "vt 1 0",
        "vt 0 1",
        "g body",
        "f 1/1 2/2 3/3 4/1",
        "g helper-tights",
        "f 4/1 5/2 6/3",
    ]
    lines += ["g joint-l-eye", "f 9/1 10/2 11/3 12/1", "g joint-r-eye", "f 13/1 14/2 15/3"]
    (data / "3dobjs").mkdir(parents=True)
    (data / "3dobjs" / "base.obj").write_text("\n".join(lines))
    bones = {
        name: {"parent": BONES[max(index - 1, 0)] if index else None, "head": f"{name}____head"}
        for index, name in enumerate(BONES)
    }
    for side in (".L", ".R"):
        for finger in range(2, 6):
            for joint in (1, 2, 3):
                name = f"finger{finger}-{joint}{side}"
                parent = f"finger{finger}-{joint - 1}{side}" if joint > 1 else "wrist" + side
                bones[name] = {"parent": parent, "head": f"{name}____head"}
    joints = {
        bone["head"]: [int(vertex) for vertex in rng.integers(40, size=3)]
        for bone in bones.values()
    }
    weights = {name: [[int(vertex), 0.5] for vertex in rng.integers(40, size=4)] for name in bones}
    (data / "rigs").mkdir()
    (data / "rigs" / "default.mhskel").write_text(json.dumps({"bones": bones, "joints": joints}))
    (data / "rigs" / "default_weights.mhw").write_text(json.dumps({"weights": weights}))
    for path in build_dancers_pack.target_files(data).values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# basemesh hm08\n3 .1 -.2 0\n7 0 0 0\n9 0 .05 1\n")
    (data / "targets" / "nose").mkdir()
    (data / "targets" / "nose" / "nose-base-up.target").write_text("3 .1 0 0\n")
    for kind, names in PROXIES.items():
        for name in names:
            write_proxy(root / "makehuman-assets" / "base" / kind / name, name)
    write_proxy(data / "eyes" / "low-poly", "low-poly")
    from PIL import Image

    (data / "eyes" / "materials").mkdir()
    Image.new("RGB", (32, 32), (90, 60, 40)).save(data / "eyes" / "materials" / "brown_eye.png")
    write_bvh(root / "bvh" / "salsa" / "01.bvh", {"lShldr": [90, 0, 0], "hip": [0, 0, 30]})
    (root / "bvh" / "LICENSE").write_text("terms")
    return root


def test_the_pack_is_whole_and_loads(sources, tmp_path):
    build(sources / "makehuman", sources / "makehuman-assets", sources / "bvh", tmp_path / "pack")
    assets = load_assets(tmp_path / "pack")
    assert assets.body.bones == BONES and len(assets.body.points_dm) == 40
    assert assets.body.group_triangles("body").tolist() == [[0, 1, 2], [0, 2, 3]]
    assert assets.body.left_eye_vertices.tolist() == [8, 9, 10, 11]
    vertices, delta = assets.morph("d-nose-nose-base-up")
    assert vertices.tolist() == [3] and delta[0] == pytest.approx([0.1, 0, 0])
    assert "x-curl" in assets.morph_names and set(assets.proxies) == {
        "clothes",
        "hair",
        "eyebrows",
        "eyes",
    }
    assert assets.clips[0].name == "salsa_01" and assets.motion_joints == MOTION_JOINTS
    assert (tmp_path / "pack" / "LICENSES" / "bvh-LICENSE").read_text() == "terms"
    with pytest.raises(SourceError, match="exists"):
        build(
            sources / "makehuman", sources / "makehuman-assets", sources / "bvh", tmp_path / "pack"
        )


def test_nothing_is_left_under_the_name_when_a_source_is_missing(sources, tmp_path):
    with pytest.raises(SourceError, match="no .bvh files"):
        build(sources / "makehuman", sources / "makehuman-assets", tmp_path, tmp_path / "pack")
    assert not (tmp_path / "pack").exists()


def test_motion_is_thinned_and_turned_globally(sources):
    take = read_bvh(sources / "bvh" / "salsa" / "01.bvh", 30)
    assert take.root[:, 0].tolist() == [0, 4, 8]
    from scipy.spatial.transform import Rotation

    hip, shoulder, foot = (
        Rotation.from_quat(take.quaternions[1, MOTION_JOINTS.index(name)])
        for name in ("hip", "lShldr", "lFoot")
    )
    np.testing.assert_allclose(hip.apply([0, 0, 1]), [0.5, 0, np.sqrt(0.75)], atol=1e-6)
    np.testing.assert_allclose(foot.as_matrix(), hip.as_matrix(), atol=1e-6)
    np.testing.assert_allclose(shoulder.apply([1, 0, 0]), [0, 1, 0], atol=1e-6)
    assert np.linalg.norm(take.rest_directions["lShin"]) == pytest.approx(1)


def test_proxies_keep_places_scales_and_hidden_vertices(sources):
    proxy = read_proxy(sources / "makehuman-assets" / "base" / "hair" / "long01" / "long01.mhclo")
    assert proxy["ref"].tolist() == [[0, 1, 2], [3, 3, 3], [1, 2, 3], [2, 2, 2]] and proxy[
        "dele"
    ].tolist() == [3, 5, 6, 7]
    np.testing.assert_allclose(proxy["w"][:2], [[0.5, 0.25, 0.25], [1, 0, 0]])
    np.testing.assert_allclose(proxy["off"][0], [0.01, 0.02, 0.03])
    np.testing.assert_allclose(proxy["sc"], [[0, 1, 2], [1, 2, 0.5], [2, 3, 1.5]])
    assert proxy["f"].tolist() == [[0, 1, 2], [0, 2, 3]]


def test_weights_go_to_the_nearest_kept_bone(sources):
    rigs = sources / "makehuman" / "makehuman" / "data" / "rigs"
    skeleton, _ = read_skeleton(rigs / "default.mhskel", rigs / "default_weights.mhw")
    bones, weights = collapse_weights(
        {"finger3-2.R": [[0, 0.6]], "head": [[0, 0.2]], "wrist.R": [[1, 0.5]]}, skeleton, BONES, 3
    )
    assert [BONES[bone] for bone in bones[0, :2]] == ["wrist.R", "head"]
    np.testing.assert_allclose(weights[0, :2], [0.75, 0.25])
    assert BONES[bones[1, 0]] == "wrist.R" and BONES[bones[2, 0]] == "root"
    np.testing.assert_allclose(weights.sum(1), 1)


def test_targets_drop_what_does_not_move(tmp_path):
    (tmp_path / "a.target").write_text("# note\n5 .1 0 -.2\n6 0 0 0\n")
    vertices, moves = read_target(tmp_path / "a.target")
    assert vertices.tolist() == [5]
    np.testing.assert_allclose(moves, [[0.1, 0, -0.2]])


def test_pointers_and_absent_files_are_named(tmp_path):
    (tmp_path / "a.obj").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(SourceError, match="git lfs pull"):
        read_obj(tmp_path / "a.obj")
    with pytest.raises(SourceError, match="cannot read .*b.obj"):
        read_obj(tmp_path / "b.obj")
