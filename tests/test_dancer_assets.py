"""The asset pack: an absent, incomplete or damaged one is named as such; a whole one loads and
is consistent."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from dancer_pack import dancer_pack  # noqa: F401

pytest.importorskip("numba")

from dancepipe.synthetic.assets import (
    ASSETS_VARIABLE,
    REQUIRED_FILES,
    AssetsError,
    check_pack,
    find_assets,
    load_assets,
)


def write_pack(folder: Path) -> Path:
    """A pack of the right names with drawn content: enough for the checks, not for loading."""
    entries = []
    for number, path in enumerate((*REQUIRED_FILES, "LICENSES/terms.txt")):
        content = np.random.default_rng(number).bytes(200)
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
        entries.append(
            {
                "path": path,
                "bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "source": "drawn",
                "licence": "CC0-1.0",
            }
        )
    (folder / "MANIFEST.json").write_text(json.dumps(entries))
    return folder


def test_a_whole_pack_passes(tmp_path):
    assert check_pack(write_pack(tmp_path)) == sorted((*REQUIRED_FILES, "LICENSES/terms.txt"))


@pytest.mark.parametrize("path", ["body.npz", "motion/motion_cmu.npz"])
def test_a_flipped_bit_is_found_and_named(tmp_path, path):
    write_pack(tmp_path)
    content = bytearray((tmp_path / path).read_bytes())
    content[100] ^= 1
    (tmp_path / path).write_bytes(content)
    with pytest.raises(AssetsError, match=f"damaged asset pack.*{path}.*sha256"):
        check_pack(tmp_path)


def test_missing_parts_are_named(tmp_path):
    write_pack(tmp_path)
    (tmp_path / "targets.npz").unlink()
    with pytest.raises(AssetsError, match="incomplete asset pack.*targets.npz cannot be read"):
        check_pack(tmp_path)
    entries = [
        entry
        for entry in json.loads((tmp_path / "MANIFEST.json").read_text())
        if entry["path"] != "body.npz"
    ]
    (tmp_path / "MANIFEST.json").write_text(json.dumps(entries))
    with pytest.raises(AssetsError, match="does not name body.npz"):
        check_pack(tmp_path)
    (tmp_path / "MANIFEST.json").write_text("{broken")
    with pytest.raises(AssetsError, match="MANIFEST.json cannot be read"):
        check_pack(tmp_path)
    (tmp_path / "MANIFEST.json").unlink()
    with pytest.raises(AssetsError, match="not an asset pack"):
        load_assets(tmp_path)


def test_without_a_pack_the_message_says_where_to_get_one(monkeypatch, tmp_path):
    wanted = (
        "to make one, fetch github.com/makehumancommunity/makehuman .*-assets "
        ".*papagina/Auto_Conditioned_RNN_motion.*build_dancers_pack"
    )
    monkeypatch.delenv(ASSETS_VARIABLE, raising=False)
    with pytest.raises(AssetsError, match=f"--assets DIR or set {ASSETS_VARIABLE}; {wanted}"):
        find_assets(None)
    with pytest.raises(AssetsError, match=f"not a folder; {wanted}"):
        find_assets(tmp_path / "nowhere")
    monkeypatch.setenv(ASSETS_VARIABLE, str(tmp_path))
    assert find_assets(None) == tmp_path
    assert find_assets(tmp_path.parent) == tmp_path.parent, "the argument wins over the variable"


def test_the_real_pack_is_consistent(dancer_pack, tmp_path):
    assets = load_assets(dancer_pack)
    body = assets.body
    assert (
        body.triangles.max() < len(body.points_dm)
        and len(body.bones) == 24
        and len(assets.clips) > 10
    )
    np.testing.assert_allclose(body.skin_weight.sum(1), 1, atol=1e-5)
    for kind, wanted in (("hair", 10), ("clothes", 19), ("eyebrows", 12), ("eyes", 1)):
        assert len(assets.proxies[kind]) >= wanted
    smaller = tmp_path / "pack"
    shutil.copytree(dancer_pack, smaller)
    os.chmod(smaller, 0o755)
    damaged = smaller / "proxy_hair_long01.npz"
    os.chmod(damaged, 0o644)
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(AssetsError, match="damaged asset pack.*proxy_hair_long01.npz"):
        load_assets(smaller)
