"""Pictures between files or bytes and uint8 RGB arrays (Pillow)."""

import io
import itertools
import logging
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, JpegImagePlugin, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import TiffImageFile

from dancepipe.errors import BadImageError, MissingExtraError
from dancepipe.files.plain_text import plain_words
from dancepipe.files.whole_file import write_bytes
from dancepipe.media.bare_picture import bare_picture

log = logging.getLogger(__name__)

# Formats that are pictures and nothing else: no PostScript (it would run a program), no icons, no
# fonts.
FORMATS = (
    "JPEG",
    "PNG",
    "WEBP",
    "BMP",
    "TIFF",
    "GIF",
    "JPEG2000",
    "PPM",
    "TGA",
    "AVIF",
)  # Pillow reads MPO (phones) through JPEG
PICTURE_SUFFIXES = {
    ".jpg",
    ".jpeg",
    ".png",
    ".webp",
    ".bmp",
    ".tif",
    ".tiff",
    ".ppm",
    ".avif",
    ".jp2",
    ".heic",
    ".heif",
    ".tga",
}
# A file of a few kilobytes may ask for this much. Pillow holds 4 bytes a pixel, the result has 3.
MOST_PIXELS = 80_000_000
MOST_JPEG_PIXELS = 210_000_000  # of a JPEG, which is then read smaller
# The decoders of these hold up to 16 and 24 bytes a pixel: a gigabyte is enough for so many.
FEWER_PIXELS = {
    "WEBP": 60_000_000,
    "AVIF": 60_000_000,
    "HEIF": 60_000_000,
    "JPEG2000": 40_000_000,
}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
LARGEST_SIDE_OF_A_ROW = 4096  # of pictures inside of data sets
_BAND_PIXELS = 1 << 20  # converted at a time
_ORIENTATION = 0x0112  # EXIF 2.3
_TILE_WIDTH, _TILE_LENGTH = 322, 323  # TIFF 6.0
# Each scan of a JPEG goes through the whole picture, however few bytes it has: this takes 3 s.
_MOST_SCANNED_PIXELS = 5_000_000_000
_LARGEST_JPEG_BYTES = 1 << 28
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # the others stand inside of a scan
_FEWEST_SCANS = 32  # ordinary files have up to 20


def photo_files(folder: Path) -> list[Path]:
    """The pictures directly in a folder, sorted by name."""
    return sorted(
        path
        for path in Path(folder).iterdir()
        if path.is_file() and path.suffix.lower() in PICTURE_SUFFIXES
    )


def load_photo(path: Path, tell: Callable[[str], None] = log.warning) -> np.ndarray:
    """A photo as people see it: uint8 RGB (H, W, 3), EXIF orientation applied, colours in sRGB.

    Transparent parts are laid on white, of an animation the first picture is taken, a damaged EXIF
    or colour profile is left out, a JPEG of more than MOST_PIXELS pixels is read smaller; tell gets
    all that. 16-bit greys are scaled to 8 bits. BadImageError for anything that is not a whole
    picture of at most MOST_PIXELS pixels, or MOST_JPEG_PIXELS of a JPEG.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise BadImageError(path, "it is a folder; name a picture file")
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise BadImageError(path, "it is no plain file; name a picture file")
        if path.is_file() and path.stat().st_size == 0:
            raise BadImageError(path, "the file is empty (0 bytes)")
        file = path.open("rb")
    except FileNotFoundError as error:
        raise BadImageError(path, "no such file") from error
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise BadImageError(path, getattr(error, "strerror", None) or str(error)) from error
    with file:
        return _decode(file, path, lambda words: tell(f"{path}: {words}"))


def decode_picture(data: bytes) -> np.ndarray:
    """Encoded picture -> uint8 (H, W) for 8-bit greys and masks, (H, W, 3) RGB for everything else.

    BadImageError, also for one with a side of more than LARGEST_SIDE_OF_A_ROW pixels.
    """
    try:
        file = io.BytesIO(data)
        with _open(file) as picture:
            if max(picture.size) > LARGEST_SIDE_OF_A_ROW:
                size, most = f"{picture.width}x{picture.height}", LARGEST_SIDE_OF_A_ROW
                raise BadImageError("<bytes>", f"{size}: need at most {most} a side")
            _check_cost(picture, file, "<bytes>")
            return np.array(picture if picture.mode == "L" else picture.convert("RGB"))
    except BadImageError:
        raise
    except Exception as error:  # Pillow's readers raise anything
        size = len(data) if isinstance(data, bytes) else 0
        raise BadImageError(
            "<bytes>", f"{size} bytes that are no whole picture ({plain_words(error)})"
        ) from error


def encode_jpeg(image: np.ndarray, quality: int = 95) -> bytes:
    """uint8 RGB (H, W, 3) -> JPEG, 4:4:4: colour edges of clothes stay where they are."""
    return _encode(image, format="JPEG", quality=quality, subsampling=0)


def encode_png(image: np.ndarray, comment: str = "") -> bytes:
    """uint8 RGB (H, W, 3), RGBA (H, W, 4) or mask (H, W) -> PNG. comment: a text it carries."""
    if not comment:
        return _encode(image, format="PNG", compress_level=4)
    texts = PngInfo()
    texts.add_text("Comment", comment)
    return _encode(image, format="PNG", compress_level=4, pnginfo=texts)


def save_png(path: Path, image: np.ndarray) -> None:
    """uint8 RGB (H, W, 3) or mask (H, W) -> PNG file, whole or absent. OutputError."""
    write_bytes(path, encode_png(image))


def _encode(image: np.ndarray, **options) -> bytes:
    channels = (3, 4) if options["format"] == "PNG" else (3,)
    if (
        not isinstance(image, np.ndarray)
        or image.dtype != np.uint8
        or not (image.ndim == 2 or image.ndim == 3 and image.shape[2] in channels)
    ):
        got = f"{getattr(image, 'dtype', type(image).__name__)} {getattr(image, 'shape', '')}"
        raise ValueError(f"a picture must be uint8 (H, W, 3) or (H, W), got {got}")
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, **options)
    return buffer.getvalue()


def _open(file) -> Image.Image:
    Image.init()
    known = [
        name for name in FORMATS if name in Image.OPEN
    ]  # AVIF and JPEG2000 are left out of some builds of Pillow
    with warnings.catch_warnings():
        # _check_cost refuses these with our own words.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(file, formats=known)


def _check_cost(picture: Image.Image, file, path) -> None:
    """Before anything is decoded: BadImageError for what needs too much memory or time."""
    width, height = picture.size
    most = FEWER_PIXELS.get(picture.format or "", MOST_PIXELS)
    if width * height > most:
        of_these = f" of {picture.format}" if most < MOST_PIXELS else ""
        most = MOST_JPEG_PIXELS if picture.format in ("JPEG", "MPO") else most
        raise BadImageError(
            path,
            f"{width}x{height} is more than {most // 10**6} megapixels{of_these}; make it smaller"
            + (", or convert it to JPEG or PNG" if of_these else ""),
        )
    if picture.mode == "F":
        raise BadImageError(
            path, "its pixels are floating point numbers of unknown range; convert it to 8 bits"
        )
    if isinstance(picture, TiffImageFile):
        wide, high = (picture.tag_v2.get(tag) for tag in (_TILE_WIDTH, _TILE_LENGTH))
        if type(wide) is int and type(high) is int and wide * high > MOST_PIXELS:
            raise BadImageError(
                path, f"its tiles have {wide}x{high} pixels; convert it to JPEG or PNG"
            )
    if picture.format in ("JPEG", "MPO"):
        scans = _scans_of_jpeg(file)
        if scans > _FEWEST_SCANS and scans * width * height > _MOST_SCANNED_PIXELS:
            raise BadImageError(path, f"it is a JPEG of {scans} scans; save it anew")


def _scans_of_jpeg(file) -> int:
    """How often a decoder goes through the picture. Thumbnails and what follows do not count."""
    before = file.tell()
    file.seek(0)
    data = file.read(_LARGEST_JPEG_BYTES)
    file.seek(before)
    scans, place = 0, 2
    while found := _MARKER.search(data, place):
        place = found.end()
        if found[0] == b"\xff\xd9":
            break
        scans += found[0] == b"\xff\xda"
        if found[0][1] not in (0x01, 0xD8):  # which have no length
            place += int.from_bytes(data[place : place + 2], "big")  # of this segment
    return scans


def _decode(file, path: Path, tell: Callable[[str], None]) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what matters of it is said in our own words
            with _open_photo(file, tell) as picture:
                _make_smaller(picture, tell)
                _check_cost(picture, file, path)
                if getattr(picture, "is_animated", False) and picture.format != "MPO":
                    tell("an animation; its first picture is taken")
                is_damaged = _load(picture)
                return _as_seen(picture, _orientation(picture, is_damaged, tell), path, tell)
    except BadImageError:
        raise
    except MissingExtraError as error:  # of this photo, so that others of a folder are still read
        raise BadImageError(path, f"{error}; or convert it to JPEG") from error
    except UnidentifiedImageError as error:
        raise BadImageError(
            path, "it is not a picture in a known format; convert it to JPEG or PNG"
        ) from error
    except Image.DecompressionBombError as error:
        raise BadImageError(
            path, f"it has far too many pixels ({error}); make it smaller"
        ) from error
    except Exception as error:  # Pillow's readers raise anything
        raise BadImageError(path, f"it is damaged or cut off ({plain_words(error)})") from error


def _open_photo(file, tell: Callable[[str], None]) -> Image.Image:
    """The opened picture. What Pillow does not open for what is beside its pixels is opened
    without."""
    if _is_heif(file):
        return _open_heif(file)
    try:
        return _open(file)
    except Image.DecompressionBombError:
        file.seek(0)
        if file.read(3) != b"\xff\xd8\xff":
            raise
        file.seek(0)
        return JpegImagePlugin.jpeg_factory(file)  # it can be decoded smaller
    except Exception:
        file.seek(0)
        data = file.read()
        if (found := bare_picture(data)) is not None:
            bare, exif = found
            picture = _open(io.BytesIO(bare))
            if exif:
                picture.info["exif"] = exif
            tell("what is written beside its pixels is damaged; its orientation alone is read")
            return picture
        if data[4:11] != b"ftypavi":
            raise
        # The entry of the EXIF in the list of what is inside: box, version, number, protection.
        bare = re.sub(rb"(infe.{8})Exif", rb"\1none", data, count=1, flags=re.DOTALL)
        if bare == data:
            raise
        picture = _open(io.BytesIO(bare))
        tell("its EXIF is damaged; taken as it lies")
        return picture


def _is_heif(file) -> bool:
    head = file.read(40)
    file.seek(0)
    return head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS and b"avif" not in head[16:]


def _open_heif(file) -> Image.Image:
    """It comes upright, whatever its EXIF says."""
    try:
        import pillow_heif
    except ImportError as error:
        raise MissingExtraError("pillow-heif", "heif", "reading HEIC photos") from error
    pillow_heif.register_heif_opener()
    return Image.open(file, formats=["HEIF"])


def _make_smaller(picture: Image.Image, tell: Callable[[str], None]) -> None:
    """The largest photos of phones are decoded at a half or a quarter of their size."""
    width, height = picture.size
    if picture.format not in ("JPEG", "MPO") or width * height > MOST_JPEG_PIXELS:
        return
    part = 1
    while width * height > MOST_PIXELS * part**2:
        part *= 2
    if part > 1:
        picture.draft(None, (width // part, height // part))
        tell(f"{width}x{height} pixels, read as {picture.width}x{picture.height}")


def _load(picture: Image.Image) -> bool:
    """Decodes it. True: its EXIF is damaged; the reader of TIFF trips over it when it is done."""
    trips = []
    if isinstance(picture, TiffImageFile):
        finish = picture.load_end

        def load_end() -> None:
            try:
                finish()
            except Exception as error:
                trips.append(error)

        picture.load_end = load_end
    picture.load()
    return bool(trips)


def _orientation(picture: Image.Image, is_damaged: bool, tell: Callable[[str], None]) -> int:
    """1 to 8, as the EXIF has it. is_damaged: whether it is known to be."""
    found = None
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            found = picture.getexif().get(_ORIENTATION)
            if found is None and picture.info.get("exif"):
                Image.Exif().load(picture.info["exif"])  # the reader of JPEG keeps quiet about it
        except Exception:
            is_damaged = True
    if found is None and (is_damaged or warned):
        tell("its EXIF is damaged; taken as it lies")
    if isinstance(found, (bytes, str)) and len(found) == 1:  # of another type than it should be
        found = found[0] if isinstance(found, bytes) else ord(found) - ord("0")
    return found if type(found) is int and 1 <= found <= 8 else 1


def _upright(stored: np.ndarray, orientation: int) -> np.ndarray:
    """A view of the picture, the way up that it was taken."""
    if orientation >= 5:
        stored = stored.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        stored = stored[::-1]
    if orientation in (2, 3, 6, 7):
        stored = stored[:, ::-1]
    return stored


def _as_seen(
    picture: Image.Image, orientation: int, path: Path, tell: Callable[[str], None]
) -> np.ndarray:
    """The loaded picture -> uint8 RGB, upright. In bands: of 80 megapixels one copy is enough."""
    to_srgb = _Profile(picture.info.get("icc_profile"), tell)
    width, height = picture.size
    shape = (height, width, 3) if orientation < 5 else (width, height, 3)
    result = np.empty(shape, np.uint8)
    # Of the eight ways only the two quarter turns do not undo themselves.
    stored = _upright(result, {6: 8, 8: 6}.get(orientation, orientation))
    columns = min(width, _BAND_PIXELS)  # a picture may be one row of millions
    rows = _BAND_PIXELS // columns
    is_layered = False
    for top, left in itertools.product(range(0, height, rows), range(0, width, columns)):
        bottom, right = min(height, top + rows), min(width, left + columns)
        band = picture.crop((left, top, right, bottom))
        flat, has_holes = _flatten(_to_8_bits(band, path))
        is_layered |= has_holes
        stored[top:bottom, left:right] = np.asarray(to_srgb(flat).convert("RGB"))
    if is_layered:
        tell("its transparent parts are laid on white")
    return result


def _to_8_bits(picture: Image.Image, path: Path) -> Image.Image:
    if picture.mode not in ("I", "I;16", "I;16L", "I;16B", "I;16N"):
        return picture
    values = np.asarray(picture).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise BadImageError(path, "its pixels have more than 16 bits; convert it to 8 bits")
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def _flatten(picture: Image.Image) -> tuple[Image.Image, bool]:
    """The picture without transparency, and whether any part of it was transparent."""
    if not picture.has_transparency_data:
        return (picture.convert("RGB") if picture.mode == "P" else picture), False
    layered = picture.convert("RGBA")
    if layered.getchannel("A").getextrema() == (255, 255):
        return layered.convert("RGB"), False
    white = Image.new("RGBA", layered.size, "white")
    white.alpha_composite(layered)
    return white.convert("RGB"), True


class _Profile:
    """Bands -> sRGB. Phones tag their photos with wider gamuts (Display P3), printers with CMYK
    ones.

    Without this, colours go dull.
    """

    def __init__(self, profile: bytes | None, tell: Callable[[str], None]):
        self._profile, self._tell = profile, tell
        self._transform = None

    def __call__(self, picture: Image.Image) -> Image.Image:
        if not self._profile or picture.mode not in ("RGB", "CMYK"):
            return picture
        try:
            if self._transform is None:
                source = ImageCms.ImageCmsProfile(io.BytesIO(self._profile))
                target = ImageCms.createProfile("sRGB")
                self._transform = ImageCms.buildTransform(source, target, picture.mode, "RGB")
            changed = ImageCms.applyTransform(picture, self._transform)
            assert changed is not None  # it is None where the picture itself is changed
            return changed
        except Exception as error:  # a profile is a program of its own
            self._tell(f"its colour profile is not usable ({plain_words(error)}); taken as sRGB")
            self._profile = None
            return picture
