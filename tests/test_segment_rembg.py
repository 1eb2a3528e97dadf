import numpy as np
import pytest
from figure import draw_figure, standing_pose
from onnx_bytes import onnx_model, onnx_node

from dancepipe.errors import ConfigError, MissingExtraError, WeightsError
from dancepipe.person.backends import segment_rembg
from dancepipe.person.backends.segment_rembg import MODELS, RembgSegmenter
from dancepipe.person.crop import person_box
from dancepipe.records import BodyPose, PersonFrame, Pose

POSE = standing_pose((160, 60), 250)


def bright_is_person(side_px) -> bytes:
    """A network of two operations: sigmoid(mean over colours). Bright is person."""
    mean = onnx_node("ReduceMean", "input.1", "m", axes=(1,))
    return onnx_model(
        [mean, onnx_node("Sigmoid", "m", "d0")],
        {"input.1": (1, 3, side_px, side_px)},
        {"d0": (1, 1, side_px, side_px)},
    )


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty folder where rembg looks for its networks."""
    pytest.importorskip("rembg", reason="needs the extra rembg")
    monkeypatch.setenv("REMBG_HOME", str(tmp_path))
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def segmenter(home):
    put(home, "u2net_human_seg", bright_is_person(320))
    return RembgSegmenter()


def put(home, model, data):
    folder = home / "models" / model
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{model}.onnx").write_bytes(data)


def test_the_mask_lies_where_the_network_saw_it(segmenter):
    image = np.zeros((400, 320, 3), np.uint8)
    image[130:200, 140:170] = 255
    mask = segmenter.segment(image, PersonFrame(BodyPose(POSE), None))
    assert mask.shape == (400, 320) and mask.dtype == np.uint8
    # sigmoid of black and white after the fixed normalisation: nothing is stretched to 0 and 255.
    assert mask[165, 155] == pytest.approx(255 / (1 + np.exp(-2.4372)), abs=3)
    assert mask[250, 100] == pytest.approx(255 / (1 + np.exp(2.0361)), abs=3)
    rows, columns = np.flatnonzero(mask[:, 155] > 130), np.flatnonzero(mask[165] > 130)
    assert (abs(rows[0] - 130) <= 1, abs(rows[-1] - 199) <= 1) == (True, True)
    assert (abs(columns[0] - 140) <= 1, abs(columns[-1] - 169) <= 1) == (True, True)
    x0 = person_box(POSE)[0]
    assert mask[200, : max(int(x0) - 40, 0)].sum() == 0  # beyond the square nothing is claimed


def test_a_bright_spot_elsewhere_changes_no_other_pixel(segmenter):
    image = np.full((400, 320, 3), 90, np.uint8)
    before = segmenter.segment(image, PersonFrame(BodyPose(POSE), None))
    image[380:390, 150:160] = 255
    after = segmenter.segment(image, PersonFrame(BodyPose(POSE), None))
    np.testing.assert_array_equal(before[:340], after[:340])


def test_with_several_people_only_the_followed_ones_region_is_kept(segmenter):
    image = np.full((400, 320, 3), 255, np.uint8)
    alone = segmenter.segment(image, PersonFrame(BodyPose(POSE), None, 1))
    among = segmenter.segment(image, PersonFrame(BodyPose(POSE), None, 2))
    assert alone[200, 45] > 200 and among[200, 45] == 0
    assert among[200, 160] > 200


def test_the_mask_does_not_crawl_while_the_person_moves_a_little(segmenter):
    image = draw_figure(POSE, (320, 400))
    first = segmenter.segment(image, PersonFrame(BodyPose(POSE), None))
    moved = Pose(POSE.points_px + 2.3, POSE.confidence)
    np.testing.assert_array_equal(
        segmenter.segment(image, PersonFrame(BodyPose(moved), None)), first
    )


def test_logits_are_turned_into_probabilities(home):
    put(home, "birefnet-portrait", bright_is_person(1024))
    segmenter = RembgSegmenter("birefnet-portrait")
    mask = segmenter.segment(np.zeros((400, 320, 3), np.uint8), PersonFrame(BodyPose(POSE), None))
    once = 1 / (1 + np.exp(2.0361))
    assert mask[200, 160] == pytest.approx(255 / (1 + np.exp(-once)), abs=2)


@pytest.mark.parametrize("name", ["bria-rmbg", "atlascloud", "withoutbg", "u2net_custom", ""])
def test_paid_remote_and_unknown_models_are_refused(name):
    with pytest.raises(ConfigError, match="choose from u2net_human_seg"):
        RembgSegmenter(name)


def test_every_allowed_model_is_a_local_one_of_rembg(home):
    from rembg.sessions import sessions_class

    by_name = {session.name(): session for session in sessions_class}
    for name in MODELS:
        assert by_name[name].is_local(), name


def test_damaged_and_other_networks_are_refused(home):
    put(home, "u2netp", b"no network at all")
    with pytest.raises(WeightsError, match="cannot read the mask network .*delete the file"):
        RembgSegmenter("u2netp")
    put(home, "u2net", bright_is_person(64))
    with pytest.raises(WeightsError, match="reads .*64.*delete the file"):
        RembgSegmenter("u2net")


def test_a_failing_download_names_the_file_and_the_way_out(home, monkeypatch, said):
    import pooch
    import requests

    def offline(*arguments, **options):
        raise requests.exceptions.ConnectionError("no route")

    monkeypatch.setattr(pooch, "retrieve", offline)
    said.clear()
    with pytest.raises(WeightsError, match="put silueta.onnx into .*or use the mask of mediapipe"):
        RembgSegmenter("silueta")
    assert any("downloading silueta.onnx" in line for line in said)


def test_a_device_without_cuda_is_told(home, said):
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    put(home, "u2net_human_seg", bright_is_person(320))
    said.clear()
    RembgSegmenter(device="cuda")
    assert any("runs on the CPU" in line for line in said)


@pytest.mark.parametrize(
    "variables",
    [
        {"U2NET_HOME": "u"},
        {"REMBG_HOME": "r"},
        {"XDG_DATA_HOME": "x"},
        {"HOME": "h"},
        {"REMBG_HOME": "r", "U2NET_HOME": "u"},
    ],
)
def test_we_look_where_rembg_looks(home, monkeypatch, variables):
    from rembg.sessions.u2net import U2netSession

    for name in ("U2NET_HOME", "REMBG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, folder in variables.items():
        monkeypatch.setenv(name, str(home / folder))
    for place in segment_rembg._known_places("u2net"):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"")
        assert U2netSession.resolve_existing("u2net.onnx") == str(place)
        place.unlink()


def test_without_the_package_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    monkeypatch.setitem(__import__("sys").modules, "rembg", None)
    monkeypatch.setitem(__import__("sys").modules, "rembg.sessions", None)
    with pytest.raises(MissingExtraError, match=r"dancepipe\[rembg\]"):
        RembgSegmenter()
