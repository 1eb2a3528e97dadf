"""evaluate, all three forms: identical is perfect, the same files give the same file, absent
weights are said, bad input is named."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from metric_networks import write_colour_identity, write_random_alexnet, write_random_inception
from people import dancer_frames, write_dance, write_untrained_weights
from PIL import Image, ImageFilter
from test_pair_list import write_people
from test_retarget import whole

from dancepipe.errors import BadVideoError, ConfigError, DatasetError, OutputError, WeightsError
from dancepipe.evaluation.evaluate import evaluate
from dancepipe.evaluation.options import PICTURE_METRICS, VIDEO_METRICS, EvaluateOptions
from dancepipe.evaluation.scores import read_scores
from dancepipe.media.image import save_png
from dancepipe.records import BodyPose

PIXELS = "l1,psnr,ssim,hf"


def options(tmp_path, **changes) -> EvaluateOptions:
    return EvaluateOptions(
        **{
            "device": "cpu",
            "cache": str(tmp_path / "cache"),
            "metric_weights": str(tmp_path / "weights"),
            "bootstrap": 100,
            "min_pose_change": 0.1,
            **changes,
        }
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp("data"), people=6, frames=6)


@pytest.fixture
def folders(tmp_path):
    """Five pictures of the rendered dancer; one folder as it is, one blurred."""
    for index, frame in enumerate(dancer_frames()[0:160:32]):
        for folder in ("real", "blurred"):
            (tmp_path / folder).mkdir(exist_ok=True)
            picture = (
                frame
                if folder == "real"
                else np.array(Image.fromarray(frame).filter(ImageFilter.GaussianBlur(3)))
            )
            save_png(tmp_path / folder / f"{index:02}.png", picture)
    return tmp_path


def test_pairs_without_weights_score_the_baselines(data, tmp_path):
    scores = evaluate(
        data=data,
        out=tmp_path / "scores.json",
        options=options(tmp_path, metrics=PIXELS, pairs_per_person=3),
    )
    assert list(scores.methods) == ["copy", "limb-warp", "real"]
    copy, warp = scores.methods["copy"], scores.methods["limb-warp"]
    assert (
        warp["l1_mask"].value < copy["l1_mask"].value
        and warp["ssim_box"].value > copy["ssim_box"].value
    )
    assert copy["l1"].low < copy["l1"].value < copy["l1"].high and copy["l1"].count == 18
    difference = scores.differences["copy - limb-warp"]["l1"]
    assert difference.value == pytest.approx(copy["l1"].value - warp["l1"].value)
    assert "limb-warp" in scores.text() and "ssim_box +" in scores.text()
    lines = scores.text().split("paired differences")[1].splitlines()
    assert lines[1].split() == ["copy", "-", "limb-warp"]
    assert difference.low > 0 and next(line for line in lines if line.startswith("l1 -")).endswith(
        "*"
    ), "clear of 0"


@pytest.fixture(scope="module")
def data_with_depth(tmp_path_factory):
    """Landmarks of all six people, hands of none of the first three."""

    def body(person: int, pose):
        found = whole(pose)
        return found if person > 2 else BodyPose(pose, found.landmarks)

    return write_people(tmp_path_factory.mktemp("depth"), people=6, frames=6, body=body)


def test_the_body_is_scored_beside_where_the_data_have_depth(data_with_depth, tmp_path, said):
    chosen = options(tmp_path, metrics="l1", pairs_per_person=2)
    scores = evaluate(data=data_with_depth, options=replace(chosen, pictures=str(tmp_path / "p")))
    assert list(scores.methods) == ["copy", "limb-warp", "body"] and not scores.notes
    assert not any("left out" in line for line in said)
    errors = [values["l1_mask"].value for values in scores.methods.values()]
    assert errors[2] > 0 and len(set(errors)) == 3
    alone = evaluate(data=data_with_depth, options=replace(chosen, baselines="body", batch=1))
    assert alone.methods["body"]["l1_mask"].value == pytest.approx(errors[2], rel=1e-6), (
        "who has hands changes nothing for others of the batch"
    )


def test_the_body_is_drawn_in_the_pose_that_was_asked_for(data_with_depth, tmp_path):
    """A moved arm is drawn where it is, which the reference does not have; and only what was named
    is drawn."""
    (tmp_path / "own.csv").write_text(
        "reference_clip,reference_frame,target_clip,target_frame\nclip3,0,clip3,25\nclip4,0,clip4,25\n"
    )
    chosen = options(tmp_path, metrics="l1", pairs=str(tmp_path / "own.csv"), baselines="body,copy")
    scores = evaluate(data=data_with_depth, options=chosen)
    assert list(scores.methods) == ["body", "copy"] and "body - copy" in scores.differences
    body, copy = scores.methods["body"], scores.methods["copy"]
    assert body["l1_mask"].value < 0.6 * copy["l1_mask"].value


def test_without_depth_the_body_is_left_out_and_that_is_said(data, tmp_path, said):
    chosen = options(tmp_path, metrics="l1", pairs_per_person=1)
    scores = evaluate(data=data, options=chosen)
    assert list(scores.methods) == ["copy", "limb-warp"]
    lines = [line for line in said if "baseline body left out" in line]
    assert len(lines) == 1 and "12 of the 12 pictures" in lines[0] and lines[0] in scores.notes
    for asked in ("body", "copy,body"):
        with pytest.raises(DatasetError, match="cannot serve the baseline body: .*no landmarks"):
            evaluate(data=data, options=replace(chosen, baselines=asked))


def test_one_picture_without_depth_is_enough_to_leave_the_body_out(tmp_path):
    folder = write_people(
        tmp_path / "data",
        people=2,
        frames=6,
        body=lambda person, pose: BodyPose(pose) if person else whole(pose),
    )
    chosen = options(tmp_path, metrics="l1", pairs_per_person=1)
    assert "body" not in evaluate(data=folder, options=chosen).methods
    (tmp_path / "first.csv").write_text(
        "reference_clip,reference_frame,target_clip,target_frame\nclip0,0,clip0,25\n"
    )
    chosen = replace(chosen, pairs=str(tmp_path / "first.csv"))
    assert "body" in evaluate(data=folder, options=chosen).methods


def test_the_same_files_give_the_same_file(data, tmp_path):
    texts, values = [], []
    for name, batch in (("a", 4), ("b", 4), ("c", 5)):
        chosen = options(tmp_path, metrics=PIXELS, pairs_per_person=2, batch=batch)
        scores = evaluate(data=data, out=tmp_path / name / "scores.json", options=chosen)
        texts.append(
            [(tmp_path / name / file).read_bytes() for file in ("scores.json", "scores.html")]
        )
        values.append(
            [
                scores.protocol["data_sha256"],
                *(one.value for values in scores.methods.values() for one in values.values()),
            ]
        )
    assert texts[0] == texts[1]
    assert values[0][0] == values[2][0] and values[0][1:] == pytest.approx(values[2][1:], rel=1e-5)


def test_weights_are_rendered_and_the_protocol_says_with_what(data, tmp_path):
    write_untrained_weights(tmp_path / "weights.safetensors")
    scores = evaluate(
        data=data, weights=tmp_path / "weights.safetensors", out=tmp_path / "scores.json",
        options=options(tmp_path, metrics="l1", baselines="copy", pairs_per_person=1, seed=3),
    )  # fmt: skip
    assert list(scores.methods) == ["network", "copy"]
    record = read_scores(tmp_path / "scores.json")
    assert (
        record["protocol"]["size_hw"] == [32, 32]
        and record["protocol"]["options"]["seed"] == 3
        and record["protocol"]["people"] == 6
    )
    assert re.fullmatch("[0-9a-f]{64}", record["protocol"]["weights_sha256"]) and re.fullmatch(
        "[0-9a-f]{64}", record["protocol"]["data_sha256"]
    )
    assert record["items"][0]["methods"]["network"]["l1"] > 0 and record["items"][0][
        "target_clip"
    ].startswith("clip")
    assert str(tmp_path) not in (tmp_path / "scores.json").read_text()


def test_the_pictures_of_the_pairs_score_as_folders_what_they_scored_as_pairs(data, tmp_path):
    album = tmp_path / "album"
    chosen = options(tmp_path, metrics="l1,psnr,ssim", pairs_per_person=2)
    scores = evaluate(data=data, options=replace(chosen, pictures=str(album)))
    assert {folder.name: len(list(folder.iterdir())) for folder in album.iterdir()} == {
        "real": 12,
        "copy": 12,
        "limb-warp": 12,
    }
    again = evaluate(
        real=album / "real",
        fake={name: album / name for name in ("copy", "limb-warp")},
        options=replace(chosen, identity="_(person[0-9])$"),
    )
    for method in ("copy", "limb-warp"):
        assert again.methods[method]["ssim"] == scores.methods[method]["ssim"], (
            "the same pictures of the same people"
        )
    with pytest.raises(OutputError, match="not an empty folder"):
        evaluate(data=data, options=replace(chosen, pictures=str(album)))


def test_named_pairs_give_exactly_these(data, tmp_path):
    (tmp_path / "test.csv").write_text(
        "reference_clip,reference_frame,target_clip,target_frame\nclip3,0,clip3,25\nclip1,5,clip1,5\n"
    )
    scores = evaluate(
        data=data,
        options=options(tmp_path, metrics="l1", pairs=str(tmp_path / "test.csv"), baselines="copy"),
    )
    assert [(item["target_clip"], item["target_frame"]) for item in scores.items] == [
        ("clip3", 25),
        ("clip1", 5),
    ]
    assert scores.items[1]["methods"]["copy"]["l1"] == 0
    assert any("too few people for intervals" in note for note in scores.notes)


def test_identical_folders_are_perfect_and_blur_is_not(folders):
    both = {"same": folders / "real", "blurred": folders / "blurred"}
    scores = evaluate(
        real=folders / "real",
        fake=both,
        out=folders / "out" / "scores.json",
        options=options(folders, metrics="l1,psnr,ssim,pre,found,hf,body,turn"),
    )
    same, blurred = scores.methods["same"], scores.methods["blurred"]
    wanted = {
        "l1": 0,
        "l1_mask": 0,
        "psnr": 100,
        "ssim": 1,
        "ssim_mask": 1,
        "pre": 0,
        "pck": 1,
        "missing_joints": 0,
        "found": 1,
        "hf_ratio": 1,
        "bone_error": 0,
        "height_ratio": 1,
        "turn_error_degrees": 0,
        "turned_away": 0,
    }
    for name, value in wanted.items():
        assert same[name].value == pytest.approx(value, abs=1e-5), name
    assert (
        blurred["hf_ratio"].value < 0.3
        and blurred["pre"].value > 0
        and blurred["ssim_mask"].value < 0.9
    )
    assert scores.differences["same - blurred"]["ssim_mask"].low > 0
    page = (folders / "out" / "scores.html").read_text()
    assert (
        "Worst" in page
        and "Best" in page
        and page.count("data:image/png;base64,") >= 8
        and "http" not in page.split("<h2>Protocol")[0].replace("https://", "")
    )


def test_network_metrics_with_weights_and_the_cache(folders, monkeypatch):
    pytest.importorskip("torch_fidelity")
    pytest.importorskip("lpips")
    write_random_inception(folders / "weights", monkeypatch)
    write_random_alexnet(folders / "weights", monkeypatch)
    chosen = options(folders, metrics="fid,kid,lpips,mask-lpips", small=True)
    both = {"same": folders / "real", "blurred": folders / "blurred"}
    scores = evaluate(real=folders / "real", fake=both, options=chosen)
    same, blurred = scores.methods["same"], scores.methods["blurred"]
    assert (
        same["fid"].value == pytest.approx(0, abs=1e-3)
        and same["lpips"].value == 0
        and same["mask_lpips"].value == 0
    )
    assert (
        blurred["fid"].value > 0.01
        and blurred["lpips"].value > 0
        and blurred["fid"].low is not None
    )
    assert "only 5 pictures" in same["fid"].mark and "only 5 pictures" in scores.text()

    from dancepipe.evaluation.features import Inception

    looked_at = []
    whole = Inception.__call__
    monkeypatch.setattr(
        Inception,
        "__call__",
        lambda self, pictures: (looked_at.append(len(pictures)), whole(self, pictures))[1],
    )
    again = evaluate(
        real=folders / "real",
        fake={"blurred": folders / "blurred"},
        options=options(folders, metrics="kid,fid"),
    )
    assert sum(looked_at) == 5  # the made pictures only
    assert again.methods["blurred"]["kid"].value == pytest.approx(blurred["kid"].value, rel=1e-6)
    assert "fid" not in again.methods["blurred"]  # without small
    assert (
        again.not_available["fid"] == "5 pictures; FID needs 2048 (--small gives it anyway, marked)"
    )


def test_without_a_person_nothing_is_said_of_one(folders, monkeypatch):
    """The finder sees nobody: no mask, so no number inside one, least of all a perfect one."""
    pytest.importorskip("lpips")
    write_random_alexnet(folders / "weights", monkeypatch)
    for path in [*(folders / "real").iterdir(), *(folders / "blurred").iterdir()]:
        save_png(path, np.random.default_rng(0).integers(100, 110, (96, 96, 3), dtype=np.uint8))
    scores = evaluate(
        real=folders / "real",
        fake=folders / "blurred",
        options=options(folders, metrics="l1,mask-lpips,hf,pre,found"),
    )
    fake = scores.methods["fake"]
    assert fake["l1"].value == 0 and fake["found"].value == 0
    assert all(
        np.isnan(fake[name].value) for name in ("l1_mask", "l1_box", "mask_lpips", "hf", "pre")
    )


@pytest.mark.parametrize("metric", ["pre", "found", "body", "turn", "hands", "hf", "l1"])
def test_every_metric_can_be_asked_for_alone(folders, metric):
    scores = evaluate(
        real=folders / "real", fake=folders / "blurred", options=options(folders, metrics=metric)
    )
    assert set(scores.methods["fake"]) == set(PICTURE_METRICS[metric]) and not scores.not_available


def test_identity_is_the_likeness_of_people(folders, monkeypatch):
    """The same person 1, in other colours less; and who was lost counts 0 and is not left out."""
    write_colour_identity(folders / "weights", monkeypatch)
    for index in range(5):
        for folder in ("recoloured", "lost"):
            (folders / folder).mkdir(exist_ok=True)
            picture = np.asarray(Image.open(folders / "real" / f"{index:02}.png"))
            is_lost = folder == "lost" and index == 2
            save_png(
                folders / folder / f"{index:02}.png",
                np.full_like(picture, 180)
                if is_lost
                else picture[..., ::-1].copy()
                if folder == "recoloured"
                else picture,
            )
    fakes = {name: folders / name for name in ("real", "recoloured", "lost")}
    scores = evaluate(
        real=folders / "real",
        fake={"same": fakes.pop("real")} | fakes,
        options=options(folders, metrics="identity"),
    )
    found = {name: values["identity"].value for name, values in scores.methods.items()}
    assert (
        found["same"] == pytest.approx(1, abs=1e-6)
        and found["lost"] == pytest.approx(4 / 5, abs=1e-6)
        and found["recoloured"] < 0.9
    )
    assert "person_reid_youtu" in scores.protocol["networks"]["identity"]


def test_identity_of_a_video_is_measured_against_the_photo(tmp_path, monkeypatch):
    write_colour_identity(tmp_path / "weights", monkeypatch)
    write_dance(tmp_path / "driver.mp4", frames=4)
    save_png(tmp_path / "photo.png", dancer_frames()[0])
    videos = {"driver": tmp_path / "driver.mp4", "result": tmp_path / "driver.mp4"}
    scores = evaluate(
        **videos,
        options=options(tmp_path, metrics="identity", reference=str(tmp_path / "photo.png")),
    )
    assert (
        scores.methods["result"]["identity"].value > 0.99
        and scores.methods["driver"]["identity"].value > 0.99
    )
    assert (
        re.fullmatch("[0-9a-f]{64}", scores.protocol["reference_sha256"])
        and "person_reid" in scores.protocol["networks"]["identity"]
    )
    without = evaluate(**videos, options=options(tmp_path, metrics="identity,timing"))
    assert (
        "--reference" in without.not_available["identity"]
        and "identity" not in without.methods["result"]
    )
    absent = evaluate(
        **videos,
        options=options(
            tmp_path,
            metrics="identity",
            reference=str(tmp_path / "photo.png"),
            metric_weights=str(tmp_path),
        ),
    )
    assert "--fetch" in absent.not_available["identity"]


def test_absent_weights_give_a_reason_and_no_number(folders):
    scores = evaluate(
        real=folders / "real",
        fake=folders / "blurred",
        out=folders / "scores.json",
        options=options(folders, metrics="l1,fid,kid,lpips,identity"),
    )
    assert set(scores.not_available) == {"fid", "kid", "lpips", "identity"}
    assert (
        "--fetch" in scores.not_available["lpips"] or "pip install" in scores.not_available["lpips"]
    )
    assert not {"fid", "kid", "lpips"} & scores.methods["fake"].keys()
    assert (
        "not available" in scores.text()
        and "not available" in (folders / "scores.html").read_text()
    )
    assert (
        json.loads((folders / "scores.json").read_text())["not_available"].keys()
        == scores.not_available.keys()
    )


def test_a_video_is_scored(tmp_path):
    write_dance(tmp_path / "driver.mp4", frames=6, audio=True)
    scores = evaluate(
        driver=tmp_path / "driver.mp4",
        result=tmp_path / "driver.mp4",
        out=tmp_path / "scores.json",
        options=options(tmp_path, examples=2),
    )
    result = scores.methods["result"]
    assert (
        result["frames_missing"].value == 0
        and result["audio_identical"].value == 1
        and result["height_ratio"].value == pytest.approx(1)
    )
    assert scores.differences["result - driver"]["jitter"].value == 0
    assert "data:image/png" in (tmp_path / "scores.html").read_text() and len(scores.items) == 6


@pytest.mark.parametrize(
    "given, words",
    [
        ({}, "got nothing"),
        ({"real": "x"}, "got --real"),
        ({"weights": "x"}, "got --weights"),
        ({"data": "x", "real": "x", "fake": "x"}, "got --data, --fake, --real"),
        ({"real": "x", "fake": {"real": "x"}}, "none may be named 'real'"),
    ],
)
def test_forms_are_not_mixed(given, words):
    with pytest.raises(ConfigError, match=words):
        evaluate(**given)


def test_unknown_and_misplaced_metrics(folders):
    for metrics, words in (
        ("l1,sim", "unknown metric 'sim'; did you mean 'ssim'"),
        ("xyzzy", "known are: all, l1"),
        ("warp", "'warp' cannot be taken of pictures"),
        ("", "no metric named"),
    ):
        with pytest.raises(ConfigError, match=words):
            evaluate(
                real=folders / "real",
                fake=folders / "blurred",
                options=options(folders, metrics=metrics),
            )
    with pytest.raises(ConfigError, match="'lpips' cannot be taken of a video"):
        evaluate(driver="a.mp4", result="b.mp4", options=options(folders, metrics="lpips"))
    assert set(VIDEO_METRICS) - set(PICTURE_METRICS) == {
        "timing",
        "audio",
        "flicker",
        "warp",
        "jitter",
        "pose",
        "drift",
        "truth",
    }


@pytest.mark.parametrize(
    "form, option, of",
    [
        ("folders", "pairs", "--data"),
        ("folders", "pictures", "--data"),
        ("data", "masks", "--real and --fake"),
        ("data", "identity", "--real"),
        ("folders", "reference", "--driver"),
    ],
)
def test_options_of_another_form_are_not_passed_over(data, folders, form, option, of):
    given = (
        {"data": data}
        if form == "data"
        else {"real": folders / "real", "fake": folders / "blurred"}
    )
    with pytest.raises(ConfigError, match=f"--{option} has no say with .*it is for {of}"):
        evaluate(**given, options=options(folders, metrics="l1", **{option: "x"}))


def test_the_report_does_not_overwrite_the_scores(folders):
    with pytest.raises(ConfigError, match="written beside it as .html"):
        evaluate(
            real=folders / "real",
            fake=folders / "blurred",
            out=folders / "scores.html",
            options=options(folders, metrics="l1"),
        )


def test_the_protocol_of_folders_names_every_file(folders):
    """A changed made picture, and lossy files beside lossless ones, are seen in it."""
    both = {"real": folders / "real", "fake": folders / "blurred"}
    before = evaluate(**both, options=options(folders, metrics="l1")).protocol
    Image.open(folders / "blurred" / "00.png").save(folders / "blurred" / "00.jpg", quality=60)
    (folders / "blurred" / "00.png").unlink()
    after = evaluate(**both, options=options(folders, metrics="l1")).protocol
    assert (
        before["sha256"]["real"] == after["sha256"]["real"]
        and before["sha256"]["fake"] != after["sha256"]["fake"]
    )
    assert after["endings"] == {"real": {".png": 5}, "fake": {".jpg": 1, ".png": 4}}


def test_other_bad_input(data, folders, tmp_path):
    with pytest.raises(ConfigError, match="nothing to score"):
        evaluate(data=data, options=options(tmp_path, baselines="none"))
    with pytest.raises(ConfigError, match="unknown baseline 'copies'; did you mean 'copy'"):
        evaluate(data=data, options=options(tmp_path, baselines="copies"))
    with pytest.raises(WeightsError, match="no weights at"):
        evaluate(data=data, weights=tmp_path / "absent.safetensors", options=options(tmp_path))
    with pytest.raises(DatasetError, match="no data set at"):
        evaluate(data=tmp_path / "absent", options=options(tmp_path))
    with pytest.raises(BadVideoError, match="no such file"):
        evaluate(
            driver=tmp_path / "absent.mp4",
            result=tmp_path / "absent.mp4",
            options=options(tmp_path),
        )
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file" / "scores.json", folders):
        with pytest.raises(
            OutputError, match="cannot write"
        ):  # before anything is looked at: the real folder is absent too
            evaluate(
                real=tmp_path / "absent",
                fake=folders / "blurred",
                out=out,
                options=options(folders, metrics="l1"),
            )
