"""Features of real pictures are taken once, for exactly these pixels and this network."""

import numpy as np

from dancepipe.evaluation.cache import FeatureCache, picture_digests

PICTURES = np.arange(4 * 5 * 6 * 3, dtype=np.uint8).reshape(4, 5, 6, 3)


def rows_with_log(cache: FeatureCache, pictures: np.ndarray, log: list) -> np.ndarray:
    def make(absent):
        log.append(list(absent))
        return pictures[absent].reshape(len(absent), -1)[:, :7].astype(np.float32)

    return cache.rows(picture_digests(pictures), make)


def test_a_second_run_asks_the_network_nothing(tmp_path):
    log = []
    cache = FeatureCache(tmp_path / "cache", "network 1")
    first = rows_with_log(cache, PICTURES, log)
    cache.save()
    again = rows_with_log(FeatureCache(tmp_path / "cache", "network 1"), PICTURES, log)
    assert log == [[0, 1, 2, 3]] and np.array_equal(first, again)


def test_one_changed_pixel_or_another_network_is_made_anew(tmp_path):
    log = []
    cache = FeatureCache(tmp_path, "network 1")
    rows_with_log(cache, PICTURES, log)
    cache.save()
    changed = PICTURES.copy()
    changed[2, 0, 0, 0] ^= 1
    rows_with_log(FeatureCache(tmp_path, "network 1"), changed, log)
    rows_with_log(FeatureCache(tmp_path, "network 2"), PICTURES, log)
    assert log[1:] == [[2], [0, 1, 2, 3]]


def test_shape_is_part_of_a_picture():
    assert picture_digests(PICTURES[:1]) != picture_digests(PICTURES[:1].reshape(1, 6, 5, 3))


def test_a_damaged_file_is_said_and_made_anew(tmp_path, said):
    cache = FeatureCache(tmp_path, "network")
    rows_with_log(cache, PICTURES, [])
    cache.save()
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:100])
    log = []
    rows_with_log(FeatureCache(tmp_path, "network"), PICTURES, log)
    assert "made anew" in said[0] and log == [[0, 1, 2, 3]]


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path, said):
    (tmp_path / "file").write_text("")
    said.clear()
    cache = FeatureCache(tmp_path / "file" / "cache", "network")
    rows_with_log(cache, PICTURES, [])
    cache.save()
    assert "cannot be kept" in said[-1]


def test_no_folder_keeps_nothing(tmp_path):
    cache = FeatureCache(None, "network")
    rows_with_log(cache, PICTURES, [])
    cache.save()
    assert list(tmp_path.iterdir()) == []
