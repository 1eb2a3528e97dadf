"""Folders become pairs by name, and whatever would spoil a study is named before it begins."""

import os

import numpy as np
import pytest
from hearing import hearing
from PIL import Image
from study_pictures import draw_flat, write_folders

from dancepipe.errors import BadImageError, StudyError
from dancepipe.study.pairs import (
    REAL,
    check_pairs,
    digest_files,
    list_pictures,
    load_pair,
    match_pictures,
    named_folders,
)
from dancepipe.study.scramble import scramble


def test_names_match_whatever_the_ending(tmp_path):
    real, fakes = write_folders(tmp_path, 3, ("ours", "other"))
    (fakes["ours"] / "p001.png").rename(fakes["ours"] / "p001.PNG")
    Image.open(fakes["other"] / "p002.png").save(fakes["other"] / "p002.jpg")
    (fakes["other"] / "p002.png").unlink()
    (real / ".DS_Store").write_bytes(b"x")
    (real / "notes.txt").write_text("x")
    said = []
    with hearing(said.append):
        matched = match_pictures(real, fakes)
    assert matched.methods == ("other", "ours")
    assert matched.names == ("p000", "p001", "p002")
    assert matched.files["other", "p002"].name == "p002.jpg"
    assert matched.files[REAL, "p001"] == real / "p001.png"
    assert said == [f"{real}: 1 files that are no pictures by their ending are left out"]


def test_unmatched_names_are_counted_and_left_out_only_when_asked(tmp_path):
    real, fakes = write_folders(tmp_path, 5)
    (fakes["ours"] / "p001.png").unlink()
    (fakes["ours"] / "p004.png").rename(fakes["ours"] / "extra.png")
    counts = (
        "2 of 5 real pictures are not in 'ours' .such as p001.; 1 of 4 'ours' pictures are "
        "not in real .such as extra."
    )
    with pytest.raises(
        StudyError,
        match=f"names do not match: {counts}; add the missing ones, or show the 3 common ones "
        "with --common",
    ):
        match_pictures(real, fakes)
    said = []
    with hearing(said.append):
        assert match_pictures(real, fakes, common=True).names == (
            "p000",
            "p002",
            "p003",
        )
    assert said[0].startswith("3 names are common to all folders and are used: 2 of 5 real")


def test_a_name_that_no_database_can_hold_is_told(tmp_path):
    real, fakes = write_folders(tmp_path, 1)
    (real / "p000.png").rename(real / os.fsdecode(b"p\xff.png"))
    with pytest.raises(StudyError, match=r"real has a picture called 'p.udcff.png', which is no"):
        match_pictures(real, fakes)


def test_folders_that_give_no_pairs(tmp_path):
    real, fakes = write_folders(tmp_path, 2)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(StudyError, match="no pictures in .*empty .0 other files"):
        match_pictures(empty, fakes)
    with pytest.raises(StudyError, match="no folder at .*nowhere"):
        match_pictures(real, {"ours": tmp_path / "nowhere"})
    with pytest.raises(StudyError, match="no folder of made pictures"):
        match_pictures(real, {})
    with pytest.raises(StudyError, match="the pictures of 'ours' are the real ones"):
        match_pictures(real, {"ours": real / ".." / "real"})
    with pytest.raises(StudyError, match="1 to 40 printable characters"):
        match_pictures(real, {"": fakes["ours"]})
    with pytest.raises(StudyError, match="51 folders of made pictures; at most 50 fit"):
        match_pictures(real, {f"m{index}": fakes["ours"] for index in range(51)})
    for index in range(2):
        (fakes["ours"] / f"p{index:03d}.png").rename(fakes["ours"] / f"q{index}.png")
    with pytest.raises(StudyError, match="no name is in all folders"):
        match_pictures(real, fakes, common=True)


def test_two_files_of_one_name(tmp_path):
    real, _ = write_folders(tmp_path, 2)
    Image.open(real / "p000.png").save(real / "p000.jpg")
    with pytest.raises(StudyError, match="both p000.jpg and p000.png"):
        list_pictures(real)


def test_a_picture_that_cannot_be_read_is_found_beforehand(tmp_path):
    real, fakes = write_folders(tmp_path, 3)
    whole = (fakes["ours"] / "p002.png").read_bytes()
    (fakes["ours"] / "p002.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadImageError, match="ours/p002.png"):
        check_pairs(match_pictures(real, fakes), shrink=False)


def test_sizes_that_differ_are_refused_or_shrunk(tmp_path):
    real, fakes = write_folders(tmp_path, 2)
    path = fakes["ours"] / "p001.png"
    Image.fromarray(draw_flat((220, 30, 30), 1, (80, 120))).save(path)
    matched = match_pictures(real, fakes)
    with pytest.raises(
        StudyError, match="p001.png is 80x120, the real one 40x60: the size would tell .* --shrink"
    ):
        check_pairs(matched, shrink=False)
    check_pairs(matched, shrink=True)
    shown_real, shown_made = load_pair(matched, "ours", "p001")
    assert shown_real.shape == shown_made.shape == (60, 40, 3)
    assert (
        shown_real == np.asarray(Image.open(real / "p001.png"))
    ).all()  # the smaller one is left alone
    Image.fromarray(draw_flat((220, 30, 30), 1, (40, 40))).save(path)
    with pytest.raises(StudyError, match="their shapes differ"):
        check_pairs(matched, shrink=True)


def test_remarks_on_pictures_are_said_once(tmp_path):
    real, fakes = write_folders(tmp_path, 3)
    for path in fakes["ours"].iterdir():
        image = Image.open(path).convert("RGBA")
        image.putalpha(100)
        image.save(path)
    said = []
    with hearing(said.append):
        check_pairs(match_pictures(real, fakes), shrink=False)
    assert len(said) == 1 and "laid on white" in said[0] and "(and 2 more" in said[0]


def test_digests_tell_changed_pictures(tmp_path):
    real, fakes = write_folders(tmp_path, 2)
    matched = match_pictures(real, fakes)
    before = digest_files(matched)
    Image.fromarray(draw_flat((1, 2, 3), 1)).save(fakes["ours"] / "p001.png")
    after = digest_files(matched)
    assert [key for key in before if before[key] != after[key]] == [("ours", "p001")]
    (real / "p000.png").unlink()
    with pytest.raises(BadImageError, match="real/p000.png"):
        digest_files(matched)


def test_named_folders():
    assert {name: str(path) for name, path in named_folders(["a=x/y", "b=z=1"]).items()} == {
        "a": "x/y",
        "b": "z=1",
    }
    for wrong, message in (
        (["x/y"], "write NAME=FOLDER"),
        (["a="], "write NAME=FOLDER"),
        (["a=x", "a=y"], "two folders are called 'a'"),
    ):
        with pytest.raises(StudyError, match=message):
            named_folders(wrong)


@pytest.mark.parametrize("size_wh", [(256, 256), (64, 128), (3, 2)])
def test_scrambled_pictures_keep_their_size_and_lose_their_content(size_wh):
    ramp = np.linspace(0, 255, size_wh[0] * size_wh[1]).reshape(size_wh[1], size_wh[0])
    image = np.repeat(ramp[:, :, None], 3, 2).astype(np.uint8)
    scrambled = scramble(image, 0, "p")
    assert scrambled.shape == image.shape and scrambled.dtype == np.uint8
    assert (scrambled == scramble(image, 0, "p")).all()
    if min(size_wh) > 10:
        assert np.abs(scrambled.astype(float) - image).mean() > 30
        assert (scrambled != scramble(image, 1, "p")).any()
