"""Published data sets in their layout: joints, pairs and splits arrive as published, what is
missing is named, the pairs serve evaluate."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from figure import draw_figure, standing_pose
from PIL import Image
from test_pair_list import posed
from test_train import QUICK

from dancepipe.building.build import build_dataset
from dancepipe.building.options import BuildDatasetOptions
from dancepipe.building.pairs import PAIR_COLUMNS
from dancepipe.data import deepfashion, market1501
from dancepipe.data.pairs import PairSource
from dancepipe.data.store import clip_files, read_clip
from dancepipe.errors import ConfigError, DatasetError
from dancepipe.evaluation.evaluate import evaluate
from dancepipe.evaluation.options import EvaluateOptions
from dancepipe.evaluation.pair_list import COLUMNS
from dancepipe.records import GREY, Pose
from dancepipe.training.train import train

MARKET = BuildDatasetOptions(layout="market1501", mask="full", lossless=True)
FASHION = BuildDatasetOptions(layout="deepfashion", mask="full", lossless=True)
SCORING = EvaluateOptions(
    metrics="l1,mask-lpips", baselines="copy", device="cpu", cache="none", bootstrap=0
)


def write_published(
    folder,
    split: str,
    prefix: str,
    entries: dict[str, tuple[np.ndarray, Pose]],
    pairs=None,
    header=True,
):
    """entries: name -> (picture, pose). The joints as these files have them: whole numbers, -1
    where there is none."""
    (folder / split).mkdir(parents=True)
    lines = ["name:keypoints_y:keypoints_x"] if header else []
    for name, (image, pose) in entries.items():
        Image.fromarray(image).save(folder / split / name, quality=95)
        points = np.where(pose.present[:, None], pose.points_px.astype(int), -1)
        lines.append(f"{name}: {points[:, 1].tolist()}: {points[:, 0].tolist()}")
    (folder / f"{prefix}-annotation-{split}.csv").write_text("\n".join(lines) + "\n")
    if pairs is not None:
        (folder / f"{prefix}-pairs-{split}.csv").write_text(
            "from,to\n" + "".join(f"{one},{other}\n" for one, other in pairs)
        )


def street(person: int, frame: int) -> tuple[np.ndarray, Pose]:
    """128 x 64 with a background; the left wrist is missing."""
    pose = posed(frame)
    pose = Pose(
        pose.points_px * np.array([1, 2], np.float32),
        np.where(np.arange(18) == 7, 0, pose.confidence).astype(np.float32),
    )
    return draw_figure(
        pose, (64, 128), background=(90, 140, 60), shirt=(40 + 30 * person, 60, 90)
    ), pose


@pytest.fixture
def market(tmp_path):
    names = {
        f"{person:04}_c1s1_{frame:06}_01.jpg": street(person, frame)
        for person in (2, 7)
        for frame in range(4)
    }
    write_published(
        tmp_path / "market",
        "train",
        "market",
        names | {"0000_c1s1_000001_01.jpg": street(0, 0), "-1_c1s1_000001_01.jpg": street(0, 1)},
    )
    tests = {
        f"{person:04}_c2s1_{frame:06}_01.jpg": street(person, frame)
        for person in (11, 12)
        for frame in range(4)
    }
    pairs = [
        ("0012_c2s1_000003_01.jpg", "0012_c2s1_000000_01.jpg"),
        ("0011_c2s1_000001_01.jpg", "0011_c2s1_000003_01.jpg"),
    ]
    write_published(tmp_path / "market", "test", "market", tests, pairs)
    return tmp_path / "market"


def rows_of(out, split):
    return [row for path in clip_files(out, split) for row in read_clip(path)]


def test_market_arrives_as_published(market, tmp_path, said):
    summary = build_dataset([str(market)], tmp_path / "out", MARKET)
    train_rows, test_rows = rows_of(tmp_path / "out", "train"), rows_of(tmp_path / "out", "test")
    assert {row.identity for row in train_rows} == {"0002", "0007"} and len(train_rows) == 8, (
        "no distractors"
    )
    assert {row.source for row in test_rows} == {
        name
        for line in (market / "market-pairs-test.csv").read_text().split()[1:]
        for name in line.split(",")
    }
    assert (summary.frames_written, summary.failures) == (12, 0)
    row = next(row for row in train_rows if row.source == "0007_c1s1_000002_01.jpg")
    image, pose = street(7, 2)
    assert row.image.shape == (128, 64, 3) and np.abs(row.image.astype(int) - image).mean() < 6, (
        "the background is there"
    )
    assert row.mask.min() == 255
    assert row.pose.confidence.tolist() == pose.confidence.tolist() and not row.pose.present[7]
    np.testing.assert_array_equal(
        row.pose.points_px[row.pose.present], pose.points_px[pose.present].astype(int)
    )
    with open(tmp_path / "out" / "pairs-test.csv") as file:
        pairs = [tuple(line.values()) for line in csv.DictReader(file)]
    by_place = {(row.clip, str(row.frame_index)): row.source for row in test_rows}
    assert [(by_place[pair[:2]], by_place[pair[2:]]) for pair in pairs] == [
        ("0012_c2s1_000003_01.jpg", "0012_c2s1_000000_01.jpg"),
        ("0011_c2s1_000001_01.jpg", "0011_c2s1_000003_01.jpg"),
    ]
    assert any(
        "2 test pairs for evaluate --pairs" in line and "left out" not in line for line in said
    )
    assert PAIR_COLUMNS == COLUMNS


def test_a_second_run_does_nothing_and_other_options_are_refused(market, tmp_path):
    build_dataset([str(market)], tmp_path / "out", MARKET)
    again = build_dataset([str(market)], tmp_path / "out", MARKET)
    assert (again.clips_written, again.clips_already_there) == (0, 2)
    with pytest.raises(ConfigError, match="mask was full, now mediapipe"):
        build_dataset([str(market)], tmp_path / "out", replace(MARKET, mask="mediapipe"))


def test_market_trains_and_is_scored_on_the_published_pairs(market, tmp_path, said):
    build_dataset([str(market)], tmp_path / "out", MARKET)
    options = replace(
        QUICK, preset="market", height_px=128, width_px=64, stage1_steps=1, stage2_steps=0, batch=1
    )
    said.clear()
    train(tmp_path / "out", tmp_path / "run", options)
    assert any("not square" in line for line in said)
    scoring = replace(SCORING, pairs=str(tmp_path / "out" / "pairs-test.csv"))
    scores = evaluate(
        weights=tmp_path / "run" / "weights.safetensors", data=tmp_path / "out", options=scoring
    )
    assert scores.protocol["size_hw"] == [128, 64] and [
        item["identity"] for item in scores.items
    ] == ["0012", "0011"]


def test_person_masks_put_people_on_grey_and_pictures_without_anybody_are_listed(tmp_path):
    from people import dancer_frames

    person = np.asarray(
        Image.fromarray(dancer_frames()[0]).resize((180, 256))
    )  # somebody whom mediapipe sees
    pose = standing_pose((90, 20), 220)
    names = {f"0002_c1s1_00000{i}_01.jpg": (person, pose) for i in range(2)}
    nobody = {"0003_c1s1_000000_01.jpg": (np.full((128, 64, 3), 90, np.uint8), street(1, 0)[1])}
    write_published(tmp_path / "market", "train", "market", names | nobody)
    summary = build_dataset(
        [str(tmp_path / "market")], tmp_path / "out", replace(MARKET, mask="mediapipe")
    )
    rows = rows_of(tmp_path / "out", "train")
    assert summary.failures == 1 and [row.identity for row in rows] == ["0002", "0002"]
    assert (
        0.05 < (rows[0].mask > 128).mean() < 0.7
        and np.abs(rows[0].image[rows[0].mask == 0].astype(int) - GREY).max() == 0
    )
    failure = json.loads((tmp_path / "out" / "failures.jsonl").read_text())
    assert (
        failure["source"] == "0003_c1s1_000000_01.jpg"
        and "sees nobody; --mask full" in failure["reason"]
    )


def fashion_pose() -> Pose:
    return standing_pose((88, 20), 220)  # in 256 x 176


@pytest.mark.parametrize(
    "size_wh, prefix, shift, scale",
    [
        ((176, 256), "fasion", 0, 1),
        ((704, 1024), "fasion-resize", 0, 4),
        ((256, 256), "fasion", 0, 1),
        ((256, 256), "fasion", 40, 1),
    ],
)
def test_deepfashion_stands_in_the_middle_of_a_square(tmp_path, size_wh, prefix, shift, scale):
    """Pictures of any size, square ones with borders; joints in 256 x 176, or (shift 40) in 256
    x 256."""
    pose = fashion_pose()
    border = 40 if size_wh[0] == size_wh[1] else 0
    drawn = Pose(pose.points_px * scale + np.array([border, 0], np.float32), pose.confidence)
    image = draw_figure(drawn, size_wh, background=(250, 250, 250))
    annotated = Pose(pose.points_px + np.array([shift, 0], np.float32), pose.confidence)
    wide = Pose(
        annotated.points_px + np.array([60 if shift else 0, 0], np.float32), pose.confidence
    )  # somebody near the right border
    names = {
        "fashionWOMENTees_Tanksid0000597603_7additional.jpg": (image, annotated),
        "fashionWOMENTees_Tanksid0000597603_1front.jpg": (image, wide),
    }
    write_published(tmp_path / "fashion", "test", prefix, names)
    build_dataset([str(tmp_path / "fashion")], tmp_path / "out", FASHION)
    row = next(row for row in rows_of(tmp_path / "out", "test") if "additional" in row.source)
    assert row.identity == "WOMENTees_Tanksid0000597603" and row.image.shape == (256, 256, 3)
    assert (
        (row.image[:, :40] == GREY).all()
        and (row.mask[:, :40] == 0).all()
        and (row.mask[:, 40:216] == 255).all()
    )
    wanted = draw_figure(
        Pose(pose.points_px + np.array([40, 0], np.float32), pose.confidence),
        (256, 256),
        background=(250, 250, 250),
    )
    difference = np.abs(row.image[:, 40:216].astype(int) - wanted[:, 40:216])
    assert difference.mean() < 4, "the picture lies where its joints are"
    assert np.abs(row.pose.points_px - (np.floor(pose.points_px) + [40, 0])).max() <= 1


def test_names_say_who_it_is():
    assert (
        deepfashion.identity("fashionMENShirts_Polosid0000180202_4full.jpg")
        == "MENShirts_Polosid0000180202"
    )
    assert deepfashion.identity("MENDenimid0000008001_1front.jpg") == "MENDenimid0000008001"
    assert deepfashion.identity("readme.jpg") is None
    assert market1501.identity("0002_c1s1_000451_03.jpg") == "0002"
    assert (
        market1501.identity("-1_c1s1_000451_03.jpg") is None
        and market1501.identity("0000_c1s1_000451_03.jpg") is None
    )


def test_pairs_of_the_training_split_choose_its_pictures(tmp_path):
    names = {f"0002_c1s1_{frame:06}_01.jpg": street(2, frame) for frame in range(4)}
    write_published(
        tmp_path / "market",
        "train",
        "market",
        names,
        [("0002_c1s1_000000_01.jpg", "0002_c1s1_000003_01.jpg")],
    )
    build_dataset([str(tmp_path / "market")], tmp_path / "out", MARKET)
    assert PairSource(tmp_path / "out", "train", (128, 64), seed=0).frames == 2


def test_refusals(market, tmp_path):
    with pytest.raises(
        DatasetError, match="no deepfashion in .*fasion-resize-annotation-train.csv"
    ):
        build_dataset([str(market)], tmp_path / "a", FASHION)
    with pytest.raises(ConfigError, match="layout market1501 needs one folder.*got nowhere"):
        build_dataset(["nowhere"], tmp_path / "a", MARKET)
    with pytest.raises(ConfigError, match="mask full keeps whole pictures"):
        build_dataset([str(market)], tmp_path / "a", BuildDatasetOptions(mask="full"))
    pairs = (market / "market-pairs-test.csv").read_text()
    (market / "market-pairs-test.csv").write_text("reference,target\n")
    with pytest.raises(DatasetError, match="no list of pairs: need the header from,to"):
        build_dataset([str(market)], tmp_path / "a", MARKET)
    (market / "market-pairs-test.csv").write_text(pairs)
    (market / "train" / "0007_c1s1_000002_01.jpg").unlink()
    with pytest.raises(
        DatasetError,
        match="1 of 8 pictures of .*market-annotation-train.csv are not in .*first "
        "0007_c1s1_000002",
    ):
        build_dataset([str(market)], tmp_path / "a", MARKET)
    path = market / "market-annotation-train.csv"
    path.write_text(path.read_text().replace("[", "", 1))
    with pytest.raises(DatasetError, match="line 2: need name:.18 y.:.18 x."):
        build_dataset([str(market)], tmp_path / "a", MARKET)
