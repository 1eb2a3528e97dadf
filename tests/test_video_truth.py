"""A finished video against a real one of the same dance: equal people are equal whatever is behind
them, and each difference of people has its number."""

from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from drawn import write_test_video
from figure import standing_pose
from people import SIZE_WH, dancer_frames, write_dance
from PIL import Image

from dancepipe.errors import ConfigError
from dancepipe.evaluation.evaluate import evaluate
from dancepipe.evaluation.options import EvaluateOptions
from dancepipe.evaluation.video import score_video
from dancepipe.evaluation.video_frames import FrameFacts
from dancepipe.evaluation.video_truth import pose_series
from dancepipe.person.finder import open_person_finder
from dancepipe.records import BodyPose

FRAMES = 8
open_finder = partial(open_person_finder, mode="video")


def write(path, change=lambda picture: picture, size_wh=SIZE_WH, frames=range(FRAMES), **settings):
    """These frames of the dance, one after the other, as `change` makes them."""
    pictures = [dancer_frames()[index] for index in frames]
    write_test_video(
        path,
        len(pictures),
        size_wh=size_wh,
        draw=lambda index, _: np.asarray(
            Image.fromarray(change(pictures[index])).resize(size_wh, Image.Resampling.LANCZOS)
        ),
        options={"crf": "6"},
        **settings,
    )
    return path


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    return write(tmp_path_factory.mktemp("truth") / "driver.mp4")


def against(truth, result, driver, metrics=("truth",)):
    return score_video(driver, result, metrics, open_finder, truth=truth, bootstrap=0, shown=0)


def numbers(scores) -> dict[str, float]:
    return {name: one.value for name, one in scores.methods["result"].items()}


def test_the_truth_itself_is_perfect(driver):
    assert numbers(against(driver, driver, driver)) == {
        "l1_box": 0,
        "ssim_box": pytest.approx(1),
        "pre": 0,
        "pre_arms": 0,
    }


def reddened(picture: np.ndarray) -> np.ndarray:
    return (picture * np.array([1, 0.6, 0.6])).astype(np.uint8)


def shifted(picture: np.ndarray) -> np.ndarray:
    return np.roll(picture, 6, 1)


def blurred(picture: np.ndarray) -> np.ndarray:
    small = Image.fromarray(picture).resize(
        (SIZE_WH[0] // 4, SIZE_WH[1] // 4), Image.Resampling.BOX
    )
    return np.asarray(small.resize(SIZE_WH, Image.Resampling.BICUBIC))


@pytest.mark.parametrize(
    "change, l1, ssim, pre",
    [
        (reddened, (0.02, 0.2), (0.6, 0.99), (0, 2)),
        (shifted, (0.02, 0.2), (0.3, 0.9), (5, 7)),
        (blurred, (0.005, 0.1), (0.3, 0.9), (0, 5)),
    ],
    ids=["other colours", "another place", "blur"],
)
def test_other_people_are_seen(tmp_path, driver, change, l1, ssim, pre):
    found = numbers(against(driver, write(tmp_path / "result.mp4", change), driver))
    for name, (low, high) in (("l1_box", l1), ("ssim_box", ssim), ("pre", pre)):
        assert low < found[name] < high, (name, found)


def test_another_room_is_no_difference(tmp_path, driver):
    """Everything but the person is painted over; compared with the same in other colours."""
    with open_person_finder(mode="photo") as finder:
        masks = {id(picture): finder.find(picture).mask for picture in dancer_frames()[:FRAMES]}

    def before(colour, picture):
        away = masks[id(picture)] < 100
        return np.where(away[..., None], np.array(colour, np.uint8), picture)

    result = write(tmp_path / "result.mp4", partial(before, (235, 225, 210)))
    found = numbers(against(driver, result, driver))
    assert found["l1_box"] < 0.02 and found["ssim_box"] > 0.9 and found["pre"] < 3


def test_a_person_that_is_lost_is_no_match(tmp_path, driver):
    """All grey against the person; the joints are as far off as they can be."""
    write_dance(tmp_path / "result.mp4", frames=FRAMES, empty=(3, 4))
    frames = against(driver, tmp_path / "result.mp4", driver).frames
    lost, there = (frames[index]["result"] for index in (3, 6))
    assert lost["l1_box"] > 5 * there["l1_box"] and lost["ssim_box"] < there["ssim_box"]
    assert lost["pre"] > 100 and there["pre"] < 5


def test_a_frame_without_a_person_in_the_truth_has_nothing_to_compare(tmp_path, driver):
    write_dance(tmp_path / "truth.mp4", frames=FRAMES, empty=(3,))
    frames = against(tmp_path / "truth.mp4", driver, driver).frames
    assert frames[3]["result"]["l1_box"] is None and frames[3]["result"]["pre"] is None
    assert frames[6]["result"]["l1_box"] is not None


def test_both_have_their_flicker_and_what_a_perfect_result_would_have(tmp_path, driver):
    truth = write(tmp_path / "truth.mp4", reddened)
    scores = against(truth, driver, driver, ("truth", "flicker", "hf", "turn", "pose"))
    assert list(scores.methods) == ["result", "driver", "truth"]
    assert set(scores.differences) == {"result - driver", "result - truth"}
    difference = scores.differences["result - truth"]["flicker"].value
    values = [scores.methods[name]["flicker"].value for name in ("result", "truth")]
    assert values[1] > 0 and difference == pytest.approx(values[0] - values[1]) != 0
    assert scores.methods["truth"]["angle_error_degrees"].value < 3
    assert "l1_box" not in scores.methods["truth"]
    assert scores.methods["driver"]["pre"].value == pytest.approx(
        scores.methods["result"]["pre"].value
    )


def test_frames_belong_together_by_the_time_since_the_first(tmp_path, driver):
    """A truth whose clock begins elsewhere, and at half the rate."""
    times = [Fraction(index, 15) + Fraction(5, 7) for index in range(FRAMES // 2)]
    truth = write(
        tmp_path / "truth.mp4",
        frames=range(0, FRAMES, 2),
        times=times,
        time_base=Fraction(1, 105000),
    )
    frames = against(truth, driver, driver).frames
    assert [frame["result"]["l1_box"] is None for frame in frames] == [False, True] * (FRAMES // 2)
    assert max(frame["result"]["l1_box"] for frame in frames[::2]) < 0.01


def options(**changes) -> EvaluateOptions:
    return EvaluateOptions(**{"device": "cpu", "bootstrap": 0, "examples": 2, **changes})


@pytest.mark.parametrize("frames, both", [(5, 5), (12, 8)], ids=["shorter", "longer"])
def test_a_truth_of_another_length_is_cut_and_that_is_said(tmp_path, driver, said, frames, both):
    truth = write(tmp_path / "truth.mp4", frames=range(frames))
    scores = evaluate(
        driver=driver, result=driver, options=options(metrics="truth", truth=str(truth))
    )
    line = f"the truth has {frames} frames and the driver 8: compared are the {both} that lie"
    assert any(line in note for note in scores.notes) and any(line in heard for heard in said)
    assert scores.methods["result"]["l1_box"].count == both
    assert scores.methods["result"]["l1_box"].value < 0.01


def test_a_truth_of_the_same_shape_may_have_another_size(tmp_path, driver):
    truth = write(tmp_path / "truth.mp4", size_wh=(SIZE_WH[0] * 3 // 4, SIZE_WH[1] * 3 // 4))
    found = numbers(against(truth, driver, driver))
    assert found["l1_box"] < 0.03 and found["ssim_box"] > 0.85 and found["pre"] < 3


def test_joints_of_another_size_are_compared_in_the_pixels_of_the_result():
    """Pixel centres are at integers: what is at -1/2 stays there."""
    own = standing_pose((100, 20), 200)
    facts = [
        FrameFacts(Fraction(0), BodyPose(pose), size_wh, np.zeros(3), 0.0, 0.0, 0.0)
        for pose, size_wh in (
            (own, (200, 240)),
            (own.scaled_and_shifted(0.5, (-0.25,) * 2), (100, 120)),
        )
    ]
    found = pose_series(facts[:1], facts[1:])
    assert found["pre"][0] == pytest.approx(0, abs=1e-3)
    assert np.isnan(pose_series(facts[:1], [None])["pre"][0])


def test_a_truth_of_another_shape_is_refused_in_one_line(tmp_path, driver):
    write_test_video(tmp_path / "wide.mp4", 2, size_wh=(320, 224))
    with pytest.raises(ConfigError, match="wide.mp4 is 320 x 224, but .* is 224 x 320") as caught:
        evaluate(driver=driver, result=driver, options=options(truth=str(tmp_path / "wide.mp4")))
    assert "\n" not in str(caught.value)


def test_the_protocol_and_the_report_have_the_truth(tmp_path, driver):
    scores = evaluate(
        driver=driver,
        result=driver,
        out=tmp_path / "scores.json",
        options=options(metrics="all", truth=str(driver)),
    )
    assert scores.protocol["truth_sha256"] == scores.protocol["driver_sha256"]
    assert scores.protocol["options"]["truth"] == "driver.mp4" and not scores.protocol.get("path")
    assert str(tmp_path) not in (tmp_path / "scores.json").read_text()
    assert set(scores.examples[0].pictures) == {"driver", "result", "truth"}
    assert scores.methods["result"]["l1_box"].value == 0  # of all metrics


def test_without_a_truth_there_is_nothing_to_compare(tmp_path, driver):
    with pytest.raises(ConfigError, match="give --truth"):
        evaluate(driver=driver, result=driver, options=options(metrics="truth"))
    with pytest.raises(ConfigError, match="--truth has no say with --real and --fake"):
        evaluate(real=tmp_path, fake=tmp_path, options=options(truth="x.mp4"))
    found = evaluate(driver=driver, result=driver, options=options(metrics="all"))
    assert "l1_box" not in found.methods["result"] and "truth" not in found.methods
