import io
import struct
import zlib

import numpy as np
import pytest
from drawn import corners_upright, draw_picture, read_index, write_test_photo, write_test_video
from PIL import Image, ImageCms

from dancepipe.errors import BadImageError, OutputError
from dancepipe.media.image import decode_picture, encode_jpeg, encode_png, load_photo, save_png

SIZE_WH = (80, 60)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "ppm", "tga", "webp"])
def test_lossless_formats_come_back_equal(tmp_path, suffix):
    image = write_test_photo(tmp_path / f"a.{suffix}", SIZE_WH, **({"lossless": True} if suffix == "webp" else {}))
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
    for name, picture in (("a.png", Image.fromarray(rgba)), ("a.webp", Image.fromarray(rgba)), ("p.png", Image.fromarray(rgba).quantize())):
        picture.save(tmp_path / name, **({"lossless": True, "exact": True} if name.endswith("webp") else {}))
        image = load_photo(tmp_path / name, said.append)
        assert image.dtype == np.uint8 and image.shape == (4, 6, 3)
        assert np.abs(image[0, [0, 2, 4]].astype(int) - [[200, 0, 0], [255, 255, 255], [127, 127, 227]]).max() <= 2
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
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_sixteen_bit_colour(tmp_path):
    values = np.random.default_rng(0).integers(0, 65536, (5, 7, 3)).astype(np.uint16)
    (tmp_path / "a.png").write_bytes(png_with_16_bit_rgb(values))
    assert np.abs(load_photo(tmp_path / "a.png") - values / 257).max() <= 1


def test_colour_profiles_are_converted_and_bad_ones_said(tmp_path):
    picture = Image.new("RGB", (8, 8), (200, 100, 50))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture.save(tmp_path / "same.png", icc_profile=profile)
    said = []
    assert np.abs(load_photo(tmp_path / "same.png", said.append)[0, 0].astype(int) - (200, 100, 50)).max() <= 1 and not said
    swapped = profile.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")  # red and blue lights exchanged
    Image.new("RGB", (8, 8), (255, 0, 0)).save(tmp_path / "swapped.png", icc_profile=swapped)
    assert np.abs(load_photo(tmp_path / "swapped.png", said.append)[0, 0].astype(int) - (0, 0, 255)).max() <= 2 and not said
    picture.save(tmp_path / "bad.png", icc_profile=b"not a profile")
    assert tuple(load_photo(tmp_path / "bad.png", said.append)[0, 0]) == (200, 100, 50)
    assert len(said) == 1 and "profile" in said[0]


def test_the_first_picture_of_an_animation_is_taken_and_said(tmp_path):
    pictures = [Image.fromarray(draw_picture(k, SIZE_WH)) for k in range(3)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:])
    said = []
    assert read_index(load_photo(tmp_path / "a.gif", said.append)) == 0
    assert "animation of 3" in said[0]


def test_refusals_say_why(tmp_path):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "zero.png").touch()
    (tmp_path / "text.jpg").write_text("no picture\n" * 20)
    (tmp_path / "script.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
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
    assert np.abs(decoded - stripes).mean() < 10  # 4:2:0 would blend neighbours into purple: about 80
    with Image.open(io.BytesIO(encode_jpeg(stripes))) as picture:
        assert {layer[1:3] for layer in picture.layer} == {(1, 1)}


def test_wrong_bytes_and_arrays():
    for data in (b"", b"text", encode_png(draw_picture(0, SIZE_WH))[:80]):
        with pytest.raises(BadImageError, match="no whole picture"):
            decode_picture(data)
    for array in (np.zeros((4, 4, 3), np.float32), np.zeros((4, 4, 4), np.uint8), np.zeros(4, np.uint8)):
        with pytest.raises(ValueError, match="must be uint8"):
            encode_png(array)


def test_saving_is_whole_or_absent(tmp_path):
    image = draw_picture(2, SIZE_WH)
    save_png(tmp_path / "a.png", image)
    assert np.array_equal(load_photo(tmp_path / "a.png"), image)
    (tmp_path / "file").touch()
    (tmp_path / "folder.png").mkdir()
    for path in (tmp_path / "none" / "a.png", tmp_path / "file" / "a.png", tmp_path / "folder.png", "/proc/a.png"):
        with pytest.raises(OutputError, match="cannot write"):
            save_png(path, image)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.png", "file", "folder.png"]
