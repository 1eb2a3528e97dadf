"""The stage: bytes do not depend on the number of workers, a second run does nothing, training
can read what was written."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from dancer_pack import dancer_pack  # noqa: F401
from hearing import hearing

pytest.importorskip("numba")

from dancepipe.data.pairs import PairSource, collate
from dancepipe.data.store import hands_array, read_clip
from dancepipe.errors import BadImageError, ConfigError
from dancepipe.filming.options import RenderDancersOptions
from dancepipe.filming.render_dancers import render_dancers, split_of_identity
from dancepipe.synthetic.assets import ASSETS_VARIABLE, AssetsError


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.parquet")
    }


@pytest.fixture(scope="module")
def written(dancer_pack, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dancers")
    options = RenderDancersOptions(
        identities=3,
        frames=4,
        seed=11,
        size_px=64,
        assets=str(dancer_pack),
        workers=1,
        test_share=0.0,
        truth=True,
    )
    lines = []
    with hearing(lines.append):
        return folder, options, render_dancers(folder, options), lines


def test_the_number_of_workers_changes_no_byte(written, dancer_pack, tmp_path):
    folder, _, _, _ = written
    options = RenderDancersOptions(
        identities=3,
        frames=4,
        seed=11,
        size_px=64,
        assets=str(dancer_pack),
        workers=2,
        test_share=0.0,
    )
    render_dancers(tmp_path, options)
    assert digests(tmp_path) == digests(folder) and len(digests(folder)) == 3


def test_nor_does_it_where_the_finder_gives_labels(written, dancer_pack, tmp_path):
    """Each picture is looked at for itself: what the finder saw before, of whom and in which
    process, changes nothing."""
    options = RenderDancersOptions(
        identities=2,
        frames=4,
        seed=11,
        size_px=128,
        assets=str(dancer_pack),
        workers=1,
        test_share=0.0,
        degraded=True,
        detected_share=0.7,
    )
    folders = [tmp_path / str(workers) for workers in (1, 2)]
    for workers, folder in zip((1, 2), folders):
        render_dancers(folder, replace(options, workers=workers))
    assert digests(folders[0]) == digests(folders[1])
    render_dancers(tmp_path / "without", replace(options, detected_share=0.0))
    assert all(
        digests(folders[0])[name] != value for name, value in digests(tmp_path / "without").items()
    )


def test_a_second_run_writes_nothing_and_a_lost_file_comes_back(written):
    folder, options, summary, _ = written
    assert (summary.identities_written, summary.frames_written) == (3, 12)
    before = digests(folder)
    again = render_dancers(folder, options)
    assert (again.identities_written, again.identities_already_there) == (0, 3)
    next(folder.rglob("*.parquet")).unlink()
    assert render_dancers(folder, options).identities_written == 1
    assert digests(folder) == before


def test_other_options_do_not_mix_into_a_data_set(written, dancer_pack):
    """Above all not another test share, which would put a person into both splits. More people
    and more truth are welcome."""
    folder, options, _, _ = written
    before = digests(folder)
    for changed, words in (
        ({"test_share": 1.0}, "test_share was 0.0, now 1.0"),
        ({"degraded": True}, "degraded was False, now True"),
    ):
        with pytest.raises(ConfigError, match=words):
            render_dancers(folder, replace(options, **changed))
    assert digests(folder) == before
    again = render_dancers(folder, replace(options, identities=2, truth=False, workers=2))
    assert again.identities_written == 0


def test_training_reads_the_pairs(written):
    folder, _, _, _ = written
    pairs = PairSource(folder, "train", (64, 64), seed=0)
    assert (pairs.identities, pairs.frames) == (3, 12)
    batch = collate([pairs[number] for number in range(4)])
    assert (
        batch.reference_image.shape == (4, 64, 64, 3)
        and (batch.target_joints[..., 2] > 0).float().mean() > 0.8
    )


def test_the_truth_lies_beside_the_clips(written):
    folder, _, _, _ = written
    for path in folder.glob("train/*.parquet"):
        rows = list(read_clip(path))
        with np.load(folder / "truth" / f"{path.stem}.npz") as truth:
            assert (
                truth["flow"].shape == (4, 64, 64, 2)
                and truth["parts"].shape == (4, 64, 64)
                and truth["joint_visibility"].shape == (4, 18)
            )
            assert (
                np.abs(truth["flow"][0].astype(float)).max() < 0.01
                and truth["flow_visible"][0].any()
            )
            np.testing.assert_array_equal(truth["joints"], [row.pose.as_array() for row in rows])
            bodies = [row.body for row in rows]
            np.testing.assert_array_equal(
                truth["landmarks"], [body.landmarks.with_depth() for body in bodies]
            )
            np.testing.assert_array_equal(truth["hands"], [hands_array(b.hands) for b in bodies])
            for row, parts in zip(rows, truth["parts"]):
                np.testing.assert_array_equal(parts > 0, row.mask > 127)


def test_splits_are_by_person_and_independent_of_the_count():
    splits = [split_of_identity(5, number, 0.25) for number in range(400)]
    assert 0.15 < splits.count("test") / 400 < 0.35
    assert {split_of_identity(5, number, 0.0) for number in range(50)} == {"train"}


def test_an_error_in_a_worker_process_ends_the_run_with_its_message(dancer_pack, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "not_a_photo.jpg").write_text("text")
    options = RenderDancersOptions(
        identities=4,
        frames=2,
        seed=3,
        size_px=48,
        assets=str(dancer_pack),
        workers=2,
        test_share=0.0,
        fabrics=str(photos),
    )
    with pytest.raises(BadImageError, match="not_a_photo.jpg") as raised:
        render_dancers(tmp_path / "out", options)
    assert raised.value.path == photos / "not_a_photo.jpg"


def test_without_a_pack_nothing_is_written(monkeypatch, tmp_path):
    monkeypatch.delenv(ASSETS_VARIABLE, raising=False)
    with pytest.raises(AssetsError, match="--assets"):
        render_dancers(tmp_path / "out", RenderDancersOptions())
    assert not (tmp_path / "out").exists()
