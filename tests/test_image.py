import io
import os
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from drawn import corners_upright, draw_picture, read_index, write_test_photo, write_test_video
from PIL import Image, ImageCms, ImageOps, features

from dancepipe.errors import BadImageError, OutputError
from dancepipe.media import image as image_module
from dancepipe.media.image import decode_picture, encode_jpeg, encode_png, load_photo, save_png

SIZE_WH = (80, 60)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "ppm", "tga", "webp"])
def test_lossless_formats_come_back_equal(tmp_path, suffix):
    image = write_test_photo(
        tmp_path / f"a.{suffix}", SIZE_WH, **({"lossless": True} if suffix == "webp" else {})
    )
    assert np.array_equal(load_photo(tmp_path / f"a.{suffix}"), image)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, orientation):
    upright = draw_picture(9, SIZE_WH)
    # What a camera held that way stores: the inverse of what the tag says (EXIF 2.3, tag 0x0112).
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a.jpg", exif=exif, quality=95)
    image = load_photo(tmp_path / "a.jpg")
    assert image.shape == (60, 80, 3) and corners_upright(image) and read_index(image) == 9


def test_transparency_is_laid_on_white_and_said(tmp_path):
    rgba = np.zeros((4, 6, 4), np.uint8)
    rgba[:, :2] = (200, 0, 0, 255)
    rgba[:, 2:4] = (200, 0, 0, 0)
    rgba[:, 4:] = (0, 0, 200, 128)
    said = []
    for name, picture in (
        ("a.png", Image.fromarray(rgba)),
        ("a.webp", Image.fromarray(rgba)),
        ("p.png", Image.fromarray(rgba).quantize()),
    ):
        picture.save(
            tmp_path / name, **({"lossless": True, "exact": True} if name.endswith("webp") else {})
        )
        image = load_photo(tmp_path / name, said.append)
        assert image.dtype == np.uint8 and image.shape == (4, 6, 3)
        assert (
            np.abs(
                image[0, [0, 2, 4]].astype(int) - [[200, 0, 0], [255, 255, 255], [127, 127, 227]]
            ).max()
            <= 2
        )
    assert len(said) == 3 and all("white" in words for words in said)
    rgba[..., 3] = 255
    Image.fromarray(rgba).save(tmp_path / "opaque.png")
    load_photo(tmp_path / "opaque.png", said.append)
    assert len(said) == 3  # nothing was changed, nothing is said


def test_grey_sixteen_bit_palette_and_cmyk(tmp_path):
    ramp = np.linspace(0, 65535, 64).astype(np.uint16)[None].repeat(8, 0)
    Image.fromarray(ramp).save(tmp_path / "grey16.png")
    Image.fromarray(ramp).save(tmp_path / "grey16.tiff")
    for name in ("grey16.png", "grey16.tiff"):
        image = load_photo(tmp_path / name)
        assert image.shape == (8, 64, 3) and np.abs(image[0, :, 0] - ramp[0] / 257).max() <= 0.51
    picture = draw_picture(3, SIZE_WH)
    Image.fromarray(picture).convert("L").save(tmp_path / "grey.png")
    assert load_photo(tmp_path / "grey.png").shape == (60, 80, 3)
    Image.fromarray(picture).convert("1").save(tmp_path / "bits.png")
    assert set(np.unique(load_photo(tmp_path / "bits.png"))) == {0, 255}
    Image.fromarray(picture).quantize(16).save(tmp_path / "palette.png")
    assert corners_upright(load_photo(tmp_path / "palette.png"))
    Image.fromarray(picture).convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    assert corners_upright(load_photo(tmp_path / "cmyk.jpg"), 60)


def png_with_16_bit_rgb(values: np.ndarray) -> bytes:
    """values: uint16 (H, W, 3). Pillow cannot write these."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def test_sixteen_bit_colour(tmp_path):
    values = np.random.default_rng(0).integers(0, 65536, (5, 7, 3)).astype(np.uint16)
    (tmp_path / "a.png").write_bytes(png_with_16_bit_rgb(values))
    assert np.abs(load_photo(tmp_path / "a.png") - values / 257).max() <= 1


def test_colour_profiles_are_converted_and_bad_ones_said(tmp_path):
    picture = Image.new("RGB", (8, 8), (200, 100, 50))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture.save(tmp_path / "same.png", icc_profile=profile)
    said = []
    assert (
        np.abs(
            load_photo(tmp_path / "same.png", said.append)[0, 0].astype(int) - (200, 100, 50)
        ).max()
        <= 1
        and not said
    )
    swapped = (
        profile.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")
    )  # red and blue lights exchanged
    Image.new("RGB", (8, 8), (255, 0, 0)).save(tmp_path / "swapped.png", icc_profile=swapped)
    assert (
        np.abs(
            load_photo(tmp_path / "swapped.png", said.append)[0, 0].astype(int) - (0, 0, 255)
        ).max()
        <= 2
        and not said
    )
    picture.save(tmp_path / "bad.png", icc_profile=b"not a profile")
    assert tuple(load_photo(tmp_path / "bad.png", said.append)[0, 0]) == (200, 100, 50)
    assert len(said) == 1 and "profile" in said[0]


def test_the_first_picture_of_an_animation_is_taken_and_said(tmp_path):
    pictures = [Image.fromarray(draw_picture(k, SIZE_WH)) for k in range(3)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:])
    said = []
    assert read_index(load_photo(tmp_path / "a.gif", said.append)) == 0
    assert "animation; its first picture is taken" in said[0]


def test_refusals_say_why(tmp_path):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "zero.png").touch()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "text.jpg").write_text("no picture\n" * 20)
    (tmp_path / "script.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n"
    )
    write_test_video(tmp_path / "video.mp4", 3)
    write_test_photo(tmp_path / "whole.jpg", (400, 300), quality=95)
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:2000])
    write_test_photo(tmp_path / "whole.png", (400, 300))
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:400])
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "float.tiff")
    for name, width, height in (("big.png", 10000, 9000), ("bomb.png", 60000, 60000)):
        Image.new("1", (1, 1)).save(tmp_path / name)
        data = bytearray((tmp_path / name).read_bytes())
        data[16:24] = struct.pack(">II", width, height)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
        (tmp_path / name).write_bytes(data)
    reasons = {
        "none.png": "no such file",
        "pipe.png": "no plain file",
        "a\0b.png": "null byte",
        "folder.png": "it is a folder",
        "zero.png": "0 bytes",
        "text.jpg": "known format",
        "script.png": "known format",
        "video.mp4": "known format",
        "cut.jpg": "damaged or cut off",
        "cut.png": "damaged or cut off",
        "float.tiff": "floating point",
        "big.png": "10000x9000 is more than 80 megapixels",
        "bomb.png": "too many pixels",
    }
    for name, reason in reasons.items():
        with pytest.raises(BadImageError, match=reason) as caught:
            load_photo(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value) and "\n" not in str(caught.value)


def test_bytes_round_trips():
    image = draw_picture(11, SIZE_WH)
    assert np.array_equal(decode_picture(encode_png(image)), image)
    mask = (image[..., 0] > 128).astype(np.uint8) * 255
    assert np.array_equal(decode_picture(encode_png(mask)), mask) and mask.ndim == 2
    lossy = decode_picture(encode_jpeg(image, 95))
    assert lossy.shape == image.shape and np.abs(lossy.astype(int) - image).mean() < 3
    assert len(encode_jpeg(image, 95)) > len(encode_jpeg(image, 50))


def test_jpeg_keeps_colour_edges():
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2], stripes[:, 1::2] = (255, 0, 0), (0, 0, 255)
    decoded = decode_picture(encode_jpeg(stripes)).astype(int)
    assert (
        np.abs(decoded - stripes).mean() < 10
    )  # 4:2:0 would blend neighbours into purple: about 80
    with Image.open(io.BytesIO(encode_jpeg(stripes))) as picture:
        assert {layer[1:3] for layer in picture.layer} == {(1, 1)}


def test_wrong_bytes_and_arrays():
    for data in (b"", b"text", encode_png(draw_picture(0, SIZE_WH))[:80]):
        with pytest.raises(BadImageError, match="no whole picture"):
            decode_picture(data)
    for array in (
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 5), np.uint8),
        np.zeros(4, np.uint8),
    ):
        with pytest.raises(ValueError, match="must be uint8"):
            encode_png(array)


def test_saving_is_whole_or_absent(tmp_path):
    image = draw_picture(2, SIZE_WH)
    save_png(tmp_path / "a.png", image)
    assert np.array_equal(load_photo(tmp_path / "a.png"), image)
    (tmp_path / "file").touch()
    (tmp_path / "folder.png").mkdir()
    for path in (tmp_path / "file" / "a.png", tmp_path / "folder.png", "/proc/a.png"):
        with pytest.raises(OutputError, match="cannot write"):
            save_png(path, image)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.png", "file", "folder.png"]


def taken_whole(path: Path) -> np.ndarray:
    """What load_photo gives, by Pillow's own means: the whole picture at each step."""
    with open(path, "rb") as file, Image.open(file) as picture:
        picture.load()
        profile = picture.info.get("icc_profile")
        picture = ImageOps.exif_transpose(picture)
        if picture.mode.startswith("I"):
            values = np.asarray(picture).astype(np.int64)
            picture = Image.fromarray(((values + 128) // 257).astype(np.uint8))
        if picture.has_transparency_data:
            white = Image.new("RGBA", picture.size, "white")
            white.alpha_composite(picture.convert("RGBA"))
            picture = white.convert("RGB")
        if picture.mode == "P":
            picture = picture.convert("RGB")
        if profile and picture.mode in ("RGB", "CMYK"):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            picture = ImageCms.profileToProfile(picture, source, target, outputMode="RGB")
        return np.asarray(picture.convert("RGB"))


def coloured() -> Image.Image:
    """RGBA of 97 x 55, of a different colour and transparency at every place, partly opaque."""
    rgba = np.random.default_rng(3).integers(0, 256, (55, 97, 4)).astype(np.uint8)
    rgba[20:40, :, 3] = 255
    return Image.fromarray(rgba)


def exchanged_lights() -> bytes:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")


@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8])
def test_taken_in_bands_every_pixel_is_as_taken_whole(tmp_path, monkeypatch, orientation):
    monkeypatch.setattr(image_module, "_BAND_PIXELS", 70)  # not even a row
    exif = Image.Exif()
    exif[0x0112] = orientation
    deep = Image.fromarray((np.arange(55 * 97).reshape(55, 97) * 12).astype(np.uint16))
    told = {"exif": exif, "icc_profile": exchanged_lights()}
    for name, mode, options in (
        ("a.jpg", "RGB", told), ("b.jpg", "CMYK", {"exif": exif}), ("c.jpg", "L", told),
        ("d.png", "RGBA", told),
        ("e.png", "LA", told), ("f.png", "P", {"transparency": 7, **told}), ("g.png", "1", told),
        ("h.webp", "RGBA", told), ("i.tiff", "CMYK", {"exif": exif}),
        ("j.tiff", "RGB", {"compression": "tiff_lzw", **told}),
        ("k.gif", "P", {}), ("l.png", "I;16", {"exif": exif}),
    ):  # fmt: skip
        picture = deep if mode == "I;16" else coloured().convert(mode)
        picture.save(tmp_path / name, **options)
        taken = load_photo(tmp_path / name, lambda words: None)
        assert taken.flags.c_contiguous and taken.flags.writeable
        assert np.array_equal(taken, taken_whole(tmp_path / name)), name


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.avif", "a.tiff"])
def test_a_damaged_exif_is_said_and_the_picture_used(tmp_path, name):
    if name == "a.avif" and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    exif.get_ifd(0x8769)[0x9003] = "2020:01:01 00:00:00"  # in a directory of its own
    exif[0x8769] = 0
    whole = exif.tobytes().removeprefix(b"Exif\0\0")
    for number, damaged in enumerate((b"XX" + whole[2:], whole[:4] + b"\xff" * 4, whole[:9])):
        path, picture = tmp_path / f"{number}{name}", Image.fromarray(draw_picture(5, SIZE_WH))
        picture.save(path, exif=exif)
        data = path.read_bytes()
        if name == "a.png":  # which has a check sum
            picture.save(path, exif=damaged)
        elif name == "a.tiff":  # where that directory lies: before the file begins
            place = data.index(b"\x69\x87\x04\0") + 2
            lie = struct.pack("<HIi", 9, 1, -1 - number)
            path.write_bytes(data[:place] + lie + data[place + len(lie) :])
        else:
            assert data.count(whole) == 1
            path.write_bytes(data.replace(whole, damaged.ljust(len(whole), b"\xff")))
        said = []
        photo = load_photo(path, said.append)
        assert photo.shape == (60, 80, 3) and corners_upright(photo)
        assert said == [f"{path}: its EXIF is damaged; taken as it lies"]


def test_what_would_take_too_much_is_refused_before_it_is_decoded(tmp_path):
    tile = zlib.compress(bytes(300 * 300 * 3))
    tags = (
        (256, 4, 1, 10), (257, 4, 1, 10), (258, 3, 3, 158), (259, 3, 1, 8), (262, 3, 1, 2),
        (277, 3, 1, 3), (322, 4, 1, 20_000), (323, 4, 1, 20_000), (324, 4, 1, 164),
        (325, 4, 1, len(tile)),
    )  # fmt: skip
    entries = b"".join(
        struct.pack("<HHIHH", *tag, 0) if tag[1:3] == (3, 1) else struct.pack("<HHII", *tag)
        for tag in tags
    )
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    data = head.ljust(158, b"\0") + struct.pack("<3H", 8, 8, 8) + tile
    (tmp_path / "tiles.tiff").write_bytes(data)
    flat = io.BytesIO()
    Image.new("L", (8000, 8000), 99).save(flat, "JPEG", progressive=True)
    scan = flat.getvalue().rfind(b"\xff\xda")
    many = flat.getvalue()[:-2] + flat.getvalue()[scan:-2] * 500 + b"\xff\xd9"
    (tmp_path / "scans.jpg").write_bytes(many)
    # What follows the picture (a phone's video) is none of its scans.
    (tmp_path / "followed.jpg").write_bytes(flat.getvalue() + many)
    assert load_photo(tmp_path / "followed.jpg").shape == (8000, 8000, 3)
    reasons = {"tiles.tiff": "tiles have 20000x20000", "scans.jpg": "a JPEG of 506 scans"}
    for name, reason in reasons.items():
        with pytest.raises(BadImageError, match=reason):
            load_photo(tmp_path / name)
    with pytest.raises(BadImageError, match="4097x1: need at most 4096 a side"):
        decode_picture(encode_png(np.zeros((1, 4097), np.uint8)))
    with pytest.raises(BadImageError, match="a JPEG of 506 scans|8000x8000"):
        decode_picture(many)


@pytest.mark.parametrize("name, codec", [("a.webp", "webp"), ("a.jp2", "jpg_2000")])
def test_formats_whose_decoders_hold_more_may_have_fewer_pixels(tmp_path, monkeypatch, name, codec):
    if not features.check(codec):
        pytest.skip(f"this Pillow reads no {codec}")
    assert all(most < image_module.MOST_PIXELS for most in image_module.FEWER_PIXELS.values())
    Image.new("RGB", (90, 67), "red").save(tmp_path / name)
    assert load_photo(tmp_path / name).shape == (67, 90, 3)
    monkeypatch.setattr(image_module, "FEWER_PIXELS", {"WEBP": 6000, "JPEG2000": 6000})
    with pytest.raises(BadImageError, match="megapixels of (WEBP|JPEG2000); .*to JPEG or PNG"):
        load_photo(tmp_path / name)


def test_the_frames_of_an_animation_are_not_counted(tmp_path):
    frame = Image.new("P", (8, 8), 3)
    buffer = io.BytesIO()
    frame.save(buffer, "GIF")
    data = buffer.getvalue()
    start = 13 + 3 * (2 << (data[10] & 7))
    (tmp_path / "a.gif").write_bytes(data[:start] + data[start:-1] * 300_000 + b";")
    began = time.process_time()
    assert load_photo(tmp_path / "a.gif", lambda words: None).shape == (8, 8, 3)
    assert time.process_time() - began < 1


MAKE = """
import sys
from PIL import Image
wh = (4000, 3000)
exif = Image.Exif()
exif[0x0112] = 6
for name, picture, options in (
    ("a.png", Image.new("RGBA", wh, (9, 80, 200, 99)), {"exif": exif, "compress_level": 1}),
    ("b.png", Image.new("P", wh, 7), {"transparency": 7, "compress_level": 1}),
    ("c.png", Image.new("I;16", wh, 999), {"compress_level": 1}),
    ("d.jpg", Image.new("CMYK", wh, (9, 80, 200, 99)), {"progressive": True}),
    ("e.tiff", Image.new("RGB", wh, "red"), {"exif": exif}),
    ("f.webp", Image.new("RGBA", wh, (9, 80, 200, 99)), {"lossless": True, "method": 0}),
):
    picture.save(sys.argv[1] + "/" + name, **options)
"""
MEASURE = """
import os, sys
from pathlib import Path
from PIL import Image
from dancepipe.media.image import load_photo

def memory(name):
    return int(Path("/proc/self/status").read_text().split(name + ":")[1].split()[0]) * 1024

load_photo(sys.argv[1] + "/b.png", lambda words: None)
for path in sorted(Path(sys.argv[1]).iterdir()):
    if os.fork():
        os.wait()
        continue
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    photo = load_photo(path, lambda words: None)
    print(path.name, (memory("VmHWM") - before) / (photo.shape[0] * photo.shape[1]), flush=True)
    os._exit(0)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="measures memory by /proc")
def test_the_largest_pictures_take_less_than_a_gigabyte(tmp_path):
    """Of smaller ones, by the pixel: decoded, converted and turned, all held at the same time."""
    subprocess.run([sys.executable, "-c", MAKE, str(tmp_path)], check=True)
    run = [sys.executable, "-c", MEASURE, str(tmp_path)]
    told = subprocess.run(run, check=True, capture_output=True, text=True).stdout.splitlines()
    assert [line.split()[0] for line in told] == sorted(path.name for path in tmp_path.iterdir())
    for line in told:
        name, bytes_a_pixel = line.split()
        most = image_module.FEWER_PIXELS["WEBP"] if name == "f.webp" else image_module.MOST_PIXELS
        assert 2 < float(bytes_a_pixel) < 1e9 / most + 1, line  # 1: for the bands
