"""Folders matched by name: pairs as they belong, and clear words for everything else."""

import numpy as np
import pytest
from PIL import Image

from dancepipe.errors import BadImageError, ConfigError, DatasetError
from dancepipe.evaluation.folders import load_pair, match_folders
from dancepipe.media.image import save_png


def picture(size_hw=(20, 16), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size_hw, 3), dtype=np.uint8)


@pytest.fixture
def folders(tmp_path):
    for folder in ("real", "fake", "masks"):
        (tmp_path / folder).mkdir()
        for index, name in enumerate(("anna_1", "anna_2", "bert_1")):
            save_png(
                tmp_path / folder / f"{name}.png",
                picture(seed=index) if folder != "masks" else np.full((20, 16), 255, np.uint8),
            )
    return tmp_path


def match(folders, **settings):
    return match_folders(folders / "real", {"fake": folders / "fake"}, **settings)


def test_pairs_by_name_whatever_the_ending(folders):
    Image.fromarray(picture()).save(folders / "fake" / "bert_1.jpg")
    (folders / "fake" / "bert_1.png").unlink()
    pairs = match(folders, masks=folders / "masks", identity=r"^([a-z]+)_")
    assert [(pair.name, pair.identity) for pair in pairs] == [
        ("anna_1", "anna"),
        ("anna_2", "anna"),
        ("bert_1", "bert"),
    ]
    real, fakes, mask = load_pair(pairs[1])
    assert (
        np.array_equal(real, picture(seed=1))
        and np.array_equal(fakes["fake"], real)
        and mask.shape == (20, 16)
    )


def test_without_an_expression_every_picture_is_its_own_person(folders):
    assert [pair.identity for pair in match(folders)] == ["anna_1", "anna_2", "bert_1"]


def test_unequal_counts_and_names(folders):
    (folders / "fake" / "anna_2.png").rename(folders / "fake" / "other.png")
    save_png(folders / "fake" / "more.png", picture())
    with pytest.raises(
        DatasetError,
        match=r"3 pictures in .*real, 4 in .*fake.*: anna_2 only in .*real; more, other only in "
        r".*fake",
    ):
        match(folders)


def test_an_empty_and_an_absent_folder(folders):
    (folders / "empty").mkdir()
    (folders / "empty" / "notes.txt").write_text("")
    with pytest.raises(DatasetError, match="no pictures in .*empty; need files ending in"):
        match_folders(folders / "real", {"fake": folders / "empty"})
    with pytest.raises(DatasetError, match="no folder at .*absent"):
        match_folders(folders / "absent", {"fake": folders / "fake"})


def test_one_name_with_two_endings(folders):
    Image.fromarray(picture()).save(folders / "real" / "anna_1.jpg")
    with pytest.raises(DatasetError, match="both anna_1.jpg and anna_1.png"):
        match(folders)


def test_a_missing_mask(folders):
    (folders / "masks" / "anna_1.png").unlink()
    with pytest.raises(DatasetError, match="no mask for anna_1"):
        match(folders, masks=folders / "masks")


def test_different_sizes(folders):
    save_png(folders / "fake" / "anna_1.png", picture((20, 18)))
    with pytest.raises(DatasetError, match="has 18 x 20 pixels, .* has 16 x 20.*make them equal"):
        load_pair(match(folders)[0])


def test_transparency_and_animation_are_refused(folders):
    Image.fromarray(np.dstack([picture(), np.full((20, 16), 90, np.uint8)])).save(
        folders / "fake" / "anna_1.png"
    )
    with pytest.raises(BadImageError, match="scores need plain pictures, .*transparent parts"):
        load_pair(match(folders)[0])
    Image.fromarray(picture()).save(
        folders / "fake" / "anna_1.png",
        save_all=True,
        append_images=[Image.fromarray(picture(seed=5))],
    )
    with pytest.raises(BadImageError, match="animation"):
        load_pair(match(folders)[0])


def test_an_unreadable_picture(folders):
    path = folders / "fake" / "anna_1.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(BadImageError, match="anna_1.png"):
        load_pair(match(folders)[0])


def test_bad_expressions(folders):
    for expression, words in (
        ("(", "no regular expression"),
        ("anna", "has no group"),
        (r"^(anna)_", "finds no person in the name 'bert_1'"),
    ):
        with pytest.raises(ConfigError, match=words):
            match(folders, identity=expression)
