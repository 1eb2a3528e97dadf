import os

import numpy as np
import pytest
import torch
from figure import standing_pose

from dancepipe.errors import ConfigError, MissingExtraError, WeightsError
from dancepipe.person.backends import pose_yolo
from dancepipe.person.backends.pose_yolo import YoloPoseBackend
from dancepipe.person.finder import PersonFinder
from dancepipe.records import Pose


@pytest.fixture
def yolo():
    pytest.importorskip("ultralytics", reason="needs the extra yolo")
    import yolo_networks

    yolo_networks.tiny_pose_file()
    return yolo_networks


def picture(size_wh=(640, 400)):
    return np.random.default_rng(0).integers(0, 255, (size_wh[1], size_wh[0], 3), dtype=np.uint8)


def finder_of(yolo, mode):
    return PersonFinder(YoloPoseBackend(weights=yolo.tiny_pose_file()), mode=mode)


def test_a_network_file_runs_and_gives_joints_in_the_picture(yolo):
    """Random weights: the joints mean nothing, but they have gone through the whole library."""
    backend = YoloPoseBackend(weights=yolo.tiny_pose_file(), min_box_confidence=1e-6)
    with PersonFinder(backend, mode="photo") as finder:
        person = finder.find(picture((300, 200)))
        everyone, again = (finder.find_all(picture((300, 200))) for _ in range(2))
    inside = person.pose.points_px[person.pose.present]
    assert person.mask is None and person.people_seen > 1 and 1 < len(everyone) == len(again)
    for one, other in zip([person, *everyone], [everyone[0], *again], strict=True):
        np.testing.assert_array_equal(one.pose.as_array(), other.pose.as_array())
    assert (inside >= -0.5).all() and (inside <= [299.5, 199.5]).all()


def test_the_joints_are_the_networks_in_our_order_and_the_picture_goes_in_as_bgr(yolo):
    pose = standing_pose((320, 40), 300)
    calls = []
    finder = finder_of(yolo, "photo")
    finder._backend._model.predict = yolo.seeing([pose], calls)
    image = picture()
    np.testing.assert_allclose(finder.find(image).pose.as_array(), pose.as_array(), atol=1e-3)
    np.testing.assert_array_equal(calls[0][0], image[..., ::-1])


def test_the_central_person_is_followed_when_the_order_changes(yolo):
    finder = finder_of(yolo, "video")
    for t in range(12):
        mine, other = standing_pose((330 - 4 * t, 40), 300), standing_pose((560 - 12 * t, 30), 300)
        finder._backend._model.predict = yolo.seeing([mine, other] if t % 2 else [other, mine])
        person = finder.find(picture())
        np.testing.assert_allclose(person.pose.points_px, mine.points_px, atol=1e-3)
        assert person.people_seen == 2
    finder._backend._model.predict = yolo.seeing([])
    assert finder.find(picture()) is None


def test_the_number_of_threads_stays_what_it_was(yolo):
    """Ultralytics sets one of its own, with which a training beside it gave other numbers."""
    before = torch.get_num_threads()
    other = (os.cpu_count() or 1) + 3
    torch.set_num_threads(other)
    try:
        YoloPoseBackend(weights=yolo.tiny_pose_file()).look(picture((64, 64)))
        assert torch.get_num_threads() == other
    finally:
        torch.set_num_threads(before)


def test_unsure_joints_are_missing(yolo):
    pose = standing_pose((320, 40), 300)
    confidence = np.ones(18)
    confidence[4] = 0.1
    finder = finder_of(yolo, "photo")
    finder._backend._model.predict = yolo.seeing([Pose(pose.points_px, confidence)])
    assert np.flatnonzero(~finder.find(picture()).pose.present).tolist() == [4]


class Intruder:
    def __reduce__(self):
        return os.system, ("touch intruder",)


def test_damaged_foreign_and_dangerous_files_are_refused(yolo, tmp_path, monkeypatch):
    import torch

    monkeypatch.chdir(tmp_path)
    (tmp_path / "damaged.pt").write_bytes(b"not a network" * 50)
    (tmp_path / "cut.pt").write_bytes(yolo.tiny_pose_file().read_bytes()[:5000])
    torch.save({"model": Intruder()}, tmp_path / "dangerous.pt")
    torch.save({"weights": torch.zeros(3)}, tmp_path / "foreign.pt")
    for name in ("damaged.pt", "cut.pt", "dangerous.pt", "foreign.pt"):
        with pytest.raises(WeightsError, match=f"cannot read YOLO weights .*{name}"):
            YoloPoseBackend(weights=tmp_path / name)
    assert not (tmp_path / "intruder").exists()


def test_a_network_for_another_task_is_refused(yolo):
    with pytest.raises(WeightsError, match="network for detect, a pose network is needed"):
        YoloPoseBackend(weights=yolo.tiny_pose_file("yolo11n.yaml"))


def test_missing_files_and_unknown_names_say_what_to_do(tmp_path):
    for weights in (tmp_path / "mine.pt", "yolo99-pose.pt", "../yolo11n-pose.pt"):
        with pytest.raises(
            WeightsError, match="give the path of a pose .pt file, or a published name"
        ):
            YoloPoseBackend(weights=weights)
    with pytest.raises(WeightsError, match="must be a .pt file"):
        YoloPoseBackend(weights="model.onnx")


def test_a_download_that_fails_leaves_nothing_and_names_the_way_out(
    yolo, tmp_path, monkeypatch, said
):
    import ultralytics.utils.downloads as downloads

    def offline(name, **options):
        raise ConnectionError(f"Download failure for {name}")

    monkeypatch.setenv("DANCEPIPE_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(downloads, "attempt_download_asset", offline)
    said.clear()
    with pytest.raises(WeightsError, match="bring the file to this machine"):
        YoloPoseBackend()
    assert any("downloading yolo11n-pose.pt" in line for line in said)
    assert not list((tmp_path / "weights").iterdir())


def test_a_published_name_is_downloaded_once(yolo, tmp_path, monkeypatch, said):
    import ultralytics.utils.downloads as downloads

    def arrive(path, **options):
        with open(path, "wb") as file:
            file.write(yolo.tiny_pose_file().read_bytes())
        return path

    monkeypatch.setenv("DANCEPIPE_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(downloads, "attempt_download_asset", arrive)
    YoloPoseBackend()
    said.clear()
    YoloPoseBackend()
    assert not any("downloading" in line for line in said)
    assert [path.name for path in (tmp_path / "weights").iterdir()] == ["yolo11n-pose.pt"]


def test_the_licence_is_named_once(yolo, monkeypatch, said):
    monkeypatch.setattr(pose_yolo, "_notice_given", False)
    said.clear()
    for _ in range(2):
        YoloPoseBackend(weights=yolo.tiny_pose_file())
    assert sum("AGPL-3.0" in line for line in said) == 1


def test_a_device_that_is_not_there_is_a_config_error(yolo):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(ConfigError, match="cuda"):
        YoloPoseBackend(weights=yolo.tiny_pose_file(), device="cuda:0")


def test_without_the_package_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ultralytics", None)
    (tmp_path / "some.pt").write_bytes(b"")
    with pytest.raises(MissingExtraError, match=r"dancepipe\[yolo\]"):
        YoloPoseBackend(weights=tmp_path / "some.pt")


def test_loading_yolo_leaves_pillow_alone(tmp_path):
    from PIL import Image

    before = Image.open
    with pytest.raises(WeightsError):
        (tmp_path / "broken.pt").write_bytes(b"not weights")
        YoloPoseBackend(weights=tmp_path / "broken.pt", device="cpu")
    assert Image.open is before
