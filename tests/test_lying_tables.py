"""CSV files of published data sets and of pairs that lie are refused with file and line."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_pair_list import write_people

from dancepipe.building.public import read_public
from dancepipe.errors import DatasetError
from dancepipe.evaluation.pair_list import COLUMNS, HeldOut, read_pairs

HEADER = "name:keypoints_y:keypoints_x"
JOINTS = "[" + ", ".join(["12"] * 18) + "]"
NAME = "0002_c1s1_000001_01.jpg"


@pytest.fixture
def market(tmp_path) -> Path:
    (tmp_path / "train").mkdir()
    Image.fromarray(np.zeros((128, 64, 3), np.uint8)).save(tmp_path / "train" / NAME)
    (tmp_path / "secret.jpg").write_bytes((tmp_path / "train" / NAME).read_bytes())
    return tmp_path


ANNOTATIONS = {
    "objects": f"{NAME}: {{}}: {JOINTS}",
    "null": f"{NAME}: null: {JOINTS}",
    "texts": f'{NAME}: ["12"]: {JOINTS}',
    "no numbers": f"{NAME}: {JOINTS.replace('12', 'NaN')}: {JOINTS}",
    "too large": f"{NAME}: {JOINTS.replace('12', '1e300', 1)}: {JOINTS}",
    "a million digits": f"{NAME}: [{'9' * 1_000_000}]: {JOINTS}",
    "brackets in brackets": f"{NAME}: {'[' * 100_000}: {JOINTS}",
    "true and false": f"{NAME}: {JOINTS.replace('12', 'true', 1)}: {JOINTS}",
    "columns missing": NAME,
    "a way out": f"../secret.jpg: {JOINTS}: {JOINTS}",
    "an absolute name": f"/etc/passwd: {JOINTS}: {JOINTS}",
    "a way out in Windows' words": f"..\\secret.jpg: {JOINTS}: {JOINTS}",
    "no name": f": {JOINTS}: {JOINTS}",
}


@pytest.mark.parametrize("lie", ANNOTATIONS)
def test_annotations(market, lie):
    path = market / "market-annotation-train.csv"
    good = f"{NAME}: {JOINTS}: {JOINTS}"
    path.write_text(f"{HEADER}\n{good}\n{ANNOTATIONS[lie]}\n")
    with pytest.raises(DatasetError, match=f"{path.name}, line 3") as refused:
        read_public(market, "market1501")
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 600


PAIRS = {
    "a field without end": 'from,to\n"' + "x" * 200_000,
    "a way out": "from,to\n../secret.jpg,../secret.jpg\n",
    "one name": f"from,to\n{NAME}\n",
    "other names": f"a,b\n{NAME},{NAME}\n",
    "zero bytes": f"from,to\n{NAME}\0,{NAME}\n",
    "nothing": "",
}


@pytest.mark.parametrize("lie", PAIRS)
def test_pairs_of_a_published_data_set(market, lie):
    (market / "market-annotation-train.csv").write_text(f"{HEADER}\n{NAME}: {JOINTS}: {JOINTS}\n")
    (market / "market-pairs-train.csv").write_text(PAIRS[lie])
    with pytest.raises(DatasetError, match="market-pairs-train.csv") as refused:
        read_public(market, "market1501")
    assert "\n" not in str(refused.value)


def test_devices_and_other_encodings(market):
    path = market / "market-annotation-train.csv"
    path.write_bytes(b"\xff\xfe\0\1")
    with pytest.raises(DatasetError, match="cannot read .*market-annotation-train.csv"):
        read_public(market, "market1501")


LISTS = {
    "no numbers": "a,one,a,2",
    "columns missing": "a,1",
    "a number without end": f"a,{'9' * 10_000},a,2",
    "an unknown picture": f"{'x' * 10_000},1,a,2",
    "zero bytes": "a\0,1,a,2",
    "a field without end": '"' + "x" * 200_000,
}


@pytest.mark.parametrize("lie", LISTS)
def test_lists_of_pairs(tmp_path, lie):
    split = HeldOut(write_people(tmp_path / "data", people=1, frames=3))
    path = tmp_path / "pairs.csv"
    path.write_text(",".join(COLUMNS) + "\n" + LISTS[lie] + "\n")
    with pytest.raises(DatasetError, match="pairs.csv") as refused:
        read_pairs(path, split)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 600
    with pytest.raises(DatasetError, match="no plain file"):
        read_pairs(Path("/dev/zero"), split)
