"""npz files that lie are refused in one line, before memory is spent on them."""

import io
import resource
import zipfile

import numpy as np
import pytest

from dancepipe.files.npz_file import read_npz

ARRAYS = {
    "flow": np.arange(24, dtype=np.float16).reshape(2, 3, 4),
    "names": np.array(["a", "bc"]),
    "seen": np.asfortranarray(np.eye(3, dtype=bool)),
    "none": np.zeros((0, 4), np.int32),
    "one": np.float32(3),
}


def header(shape: str, descr: str = "'<f4'", order: str = "False") -> bytes:
    words = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(words).to_bytes(2, "little") + words


def archive(path, member: bytes, name: str = "flow.npy") -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, member)


def pickled() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{}], object), allow_pickle=True)
    return buffer.getvalue()


LIES = {
    "a shape of a terabyte": (header("(1000000000000,)"), "says 4000000000000 bytes"),
    "a shape beyond numbers": (header("(99999999999, 99999999999)"), "says"),
    "a negative shape": (header("(-4,)") + bytes(16), "damaged"),
    "no shape": (header("None"), "damaged"),
    "a program": (header("__import__('os').getpid()"), "damaged"),
    "brackets in brackets": (header("(" * 3000 + ")" * 3000), "damaged"),
    "no kind": (header("(1,)", "'zz'"), "damaged"),
    "too short": (header("(4,)") + bytes(12), "says 16 bytes and has 12"),
    "too long": (header("(4,)") + bytes(20), "says 16 bytes and has 20"),
    "objects": (pickled(), "holds no plain numbers"),
    "no array": (b"hello", "damaged"),
    "nothing": (b"", "damaged"),
    "a bomb": (header("(300000000,)", "'|u1'") + bytes(300_000_000), "would take"),
}


@pytest.mark.parametrize("lie", LIES)
def test_lies_are_named_and_cost_nothing(tmp_path, lie):
    member, words = LIES[lie]
    archive(tmp_path / "a.npz", member)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=words):
        read_npz(tmp_path / "a.npz", ("flow",), most_bytes=200 << 20)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


@pytest.mark.parametrize("compressed", [True, False])
def test_what_is_honest_comes_back(tmp_path, compressed):
    (np.savez_compressed if compressed else np.savez)(tmp_path / "a.npz", **ARRAYS)
    found = read_npz(tmp_path / "a.npz")
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype and np.array_equal(found[name], array)
        assert found[name].shape == array.shape


def test_damaged_files_are_one_line(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, flow=np.random.default_rng(0).random(1000))
    whole, random = path.read_bytes(), np.random.default_rng(1)
    for _ in range(200):
        data = bytearray(whole[: random.integers(len(whole) // 2, len(whole) + 1)])
        for place in random.integers(0, len(data), 3):
            data[place] = random.integers(256)
        path.write_bytes(data)
        try:
            read_npz(path, ("flow",))
        except (ValueError, OSError) as error:
            assert "\n" not in str(error)
    with pytest.raises(ValueError, match="no plain file"):
        read_npz("/dev/zero", ("flow",))
    path.write_bytes(whole)
    with pytest.raises(ValueError, match="it holds no 'other'"):
        read_npz(path, ("other",))
