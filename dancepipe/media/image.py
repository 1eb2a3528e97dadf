"""Pictures between files or bytes and uint8 RGB arrays (Pillow)."""

import io
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from dancepipe.errors import BadImageError, OutputError

# Formats that are pictures and nothing else: no PostScript (it would run a program), no icons, no fonts.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "JPEG2000", "PPM", "TGA", "AVIF")  # Pillow reads MPO (phones) through JPEG
PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".avif", ".jp2", ".tga"}
# 3 bytes a pixel, several copies on the way: a file of a few kilobytes may ask for this much memory.
MOST_PIXELS = 80_000_000


def load_photo(path: Path, say: Callable[[str], None] = print) -> np.ndarray:
    """A photo as people see it: uint8 RGB (H, W, 3), EXIF orientation applied, colours in sRGB.

    Transparent parts are laid on white, of an animation the first picture is taken; both are said. 16-bit greys are scaled
    to 8 bits. BadImageError for anything that is not a whole picture of at most MOST_PIXELS pixels.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise BadImageError(path, "it is a folder; name a picture file")
        if path.is_file() and path.stat().st_size == 0:
            raise BadImageError(path, "the file is empty (0 bytes)")
        file = path.open("rb")
    except FileNotFoundError as error:
        raise BadImageError(path, "no such file") from error
    except OSError as error:
        raise BadImageError(path, error.strerror or str(error)) from error
    with file:
        return _decode(file, path, lambda words: say(f"{path}: {words}"))


def decode_picture(data: bytes) -> np.ndarray:
    """Encoded picture -> uint8 (H, W) for 8-bit greys and masks, (H, W, 3) RGB for everything else. BadImageError."""
    try:
        with _open(io.BytesIO(data)) as picture:
            _check_pixels(picture, "<bytes>")
            return np.array(picture if picture.mode == "L" else picture.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadImageError("<bytes>", f"{len(data)} bytes that are no whole picture ({error})") from error


def encode_jpeg(image: np.ndarray, quality: int = 95) -> bytes:
    """uint8 RGB (H, W, 3) -> JPEG, 4:4:4: colour edges of clothes stay where they are."""
    return _encode(image, format="JPEG", quality=quality, subsampling=0)


def encode_png(image: np.ndarray) -> bytes:
    """uint8 RGB (H, W, 3) or mask (H, W) -> PNG."""
    return _encode(image, format="PNG", compress_level=4)


def save_png(path: Path, image: np.ndarray) -> None:
    """uint8 RGB (H, W, 3) or mask (H, W) -> PNG file, whole or absent. OutputError."""
    path = Path(path)
    data = encode_png(image)
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        try:
            part.unlink(missing_ok=True)
        except OSError:
            pass  # where nothing can be written there is nothing to remove
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


def _encode(image: np.ndarray, **options) -> bytes:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or not (image.ndim == 2 or image.ndim == 3 and image.shape[2] == 3):
        got = f"{getattr(image, 'dtype', type(image).__name__)} {getattr(image, 'shape', '')}"
        raise ValueError(f"a picture must be uint8 (H, W, 3) or (H, W), got {got}")
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, **options)
    return buffer.getvalue()


def _open(file) -> Image.Image:
    Image.init()
    known = [name for name in FORMATS if name in Image.OPEN]  # AVIF and JPEG2000 are left out of some builds of Pillow
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # _check_pixels refuses these with our own words
        return Image.open(file, formats=known)


def _check_pixels(picture: Image.Image, path) -> None:
    if picture.width * picture.height > MOST_PIXELS:
        raise BadImageError(path, f"{picture.width}x{picture.height} is more than {MOST_PIXELS // 10**6} megapixels; make it smaller")


def _decode(file, path: Path, say: Callable[[str], None]) -> np.ndarray:
    try:
        with _open(file) as picture:
            _check_pixels(picture, path)
            if getattr(picture, "n_frames", 1) > 1 and picture.format != "MPO":
                say(f"an animation of {picture.n_frames} pictures; the first one is taken")
            picture.load()
            profile = picture.info.get("icc_profile")
            upright = ImageOps.exif_transpose(picture)
            flat = _flatten(_to_8_bits(upright, path), say)
            return np.array(_to_srgb(flat, profile, say).convert("RGB"))
    except UnidentifiedImageError as error:
        raise BadImageError(path, "it is not a picture in a known format; convert it to JPEG or PNG") from error
    except Image.DecompressionBombError as error:
        raise BadImageError(path, f"it has far too many pixels ({error}); make it smaller") from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise BadImageError(path, f"it is damaged or cut off ({error})") from error


def _to_8_bits(picture: Image.Image, path: Path) -> Image.Image:
    if picture.mode == "F":
        raise BadImageError(path, "its pixels are floating point numbers of unknown range; convert it to 8 bits")
    if picture.mode not in ("I", "I;16", "I;16L", "I;16B", "I;16N"):
        return picture
    values = np.asarray(picture).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise BadImageError(path, "its pixels have more than 16 bits; convert it to 8 bits")
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def _flatten(picture: Image.Image, say: Callable[[str], None]) -> Image.Image:
    if not picture.has_transparency_data:
        return picture.convert("RGB") if picture.mode == "P" else picture
    layered = picture.convert("RGBA")
    if layered.getchannel("A").getextrema() == (255, 255):
        return layered.convert("RGB")
    say("its transparent parts are laid on white")
    white = Image.new("RGBA", layered.size, "white")
    white.alpha_composite(layered)
    return white.convert("RGB")


def _to_srgb(picture: Image.Image, profile: bytes | None, say: Callable[[str], None]) -> Image.Image:
    """Phones tag their photos with wider gamuts (Display P3), printers with CMYK ones: without this, colours go dull."""
    if not profile or picture.mode not in ("RGB", "CMYK"):
        return picture
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError) as error:
        say(f"its colour profile is not usable ({error}); taken as sRGB")
        return picture
