"""Sources (addresses, files, folders, lists of them) -> local video files. Addresses go through
yt-dlp."""

import hashlib
import logging
import os
import re
import time
from contextlib import nullcontext
from pathlib import Path

from dancepipe.address import public_address, without_user
from dancepipe.errors import BadVideoError, FetchError
from dancepipe.media.asked_to_wait import advice, may_pass, seconds_to_wait
from dancepipe.media.ffmpeg_program import find_ffmpeg
from dancepipe.media.image import PICTURE_SUFFIXES
from dancepipe.media.own_network import outside_alone
from dancepipe.media.probe import probe_video

log = logging.getLogger(__name__)

VIDEO_SUFFIXES = {
    ".mp4",
    ".m4v",
    ".mov",
    ".mkv",
    ".webm",
    ".avi",
    ".ts",
    ".mts",
    ".m2ts",
    ".mpg",
    ".mpeg",
    ".vob",
    ".wmv",
    ".flv",
    ".3gp",
    ".ogv",
    ".gif",
}
LIST_SUFFIXES = {".txt", ".list", ".urls"}
UNFINISHED = ".fetching"  # in the name of a download until it has been probed
LEFT_BY_DOWNLOADS = (".part", ".ytdl", ".temp")


def is_address(source: str) -> bool:
    """True for http(s) addresses. FetchError for other schemes: they reach files and services
    that nobody named."""
    scheme = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*)://", source)
    if scheme is None:
        return False
    if scheme[1].lower() not in ("http", "https"):
        raise FetchError(
            source, f"{scheme[1]}:// is not fetched; give an http(s) address or a plain path"
        )
    return True


def source_key(source: str) -> str:
    """Name of a source that is safe in file names: 16 hex digits, sha1 of the address, or of the
    absolute path.

    Who logs in (user:password@) is no part of it: it never names a video.
    """
    name = without_user(source) if is_address(source) else os.path.abspath(source)
    return hashlib.sha1(name.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def expand_sources(arguments: list[str]) -> list[str]:
    """Arguments -> flat list of addresses, video paths and folders of pictures; order kept, repeats
    dropped (said).

    An address stays as it is. A folder gives the videos directly inside it, sorted by name; without
    any, but with pictures, itself. A text file (.txt, .list, .urls) gives one source a line:
    addresses, or files and folders relative to the list; `#` starts a comment line or, after a
    space, a comment. Any other file is taken as a video. FetchError for what does not exist or
    gives nothing.
    """
    sources: dict[str, str] = {}
    for argument in arguments:
        for source in _expand(str(argument)):
            key = source_key(source)
            if key in sources:
                log.warning(f"named twice, taken once: {public_address(source)}")
            sources.setdefault(key, source)
    return list(sources.values())


def _expand(argument: str) -> list[str]:
    if is_address(argument):
        return [argument]
    path = Path(argument)
    if path.is_dir():
        return _sources_in(path)
    if not path.exists():
        raise FetchError(argument, "no such file or folder (and no http(s) address)")
    if path.suffix.lower() in PICTURE_SUFFIXES:
        raise FetchError(
            argument, "it is a picture; name the folder that holds the photos of one person"
        )
    if path.suffix.lower() not in LIST_SUFFIXES:
        return [argument]
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FetchError(argument, f"the list cannot be read as UTF-8 text ({error})") from error
    found: list[str] = []
    for number, line in enumerate(lines, 1):
        entry = re.sub(r"(^|\s)#.*", "", line).strip()
        if not entry:
            continue
        if is_address(entry):
            found.append(entry)
            continue
        inside = path.parent / entry
        if inside.suffix.lower() in LIST_SUFFIXES:
            raise FetchError(
                entry,
                f"line {number} of {argument} names another list; name it beside this one instead",
            )
        if not inside.exists():
            raise FetchError(entry, f"line {number} of {argument}: there is no {inside}")
        found += _sources_in(inside) if inside.is_dir() else [str(inside)]
    if not found:
        raise FetchError(argument, "the list names no source")
    return found


def _sources_in(folder: Path) -> list[str]:
    files = [
        entry for entry in folder.iterdir() if entry.is_file() and UNFINISHED not in entry.name
    ]
    videos = sorted(str(entry) for entry in files if entry.suffix.lower() in VIDEO_SUFFIXES)
    if videos:
        return videos
    if any(entry.suffix.lower() in PICTURE_SUFFIXES for entry in files):
        return [str(folder)]
    raise FetchError(
        str(folder),
        f"the folder holds no video ({' '.join(sorted(VIDEO_SUFFIXES))}) and no picture",
    )


def fetch(
    source: str,
    folder: Path,
    *,
    max_height_px: int = 720,
    max_bytes: int = 2_000_000_000,
    retries: int = 5,
    timeout_seconds: float = 30,
    rate_limit_bytes_per_second: int | None = None,
    cookies: Path | None = None,
    own_network: bool = False,
) -> Path:
    """A local video file for one source.

    A path comes back as it is when it opens as a video. An http(s) address is downloaded to
    folder/<source_key>.<suffix>: resumed where a run before stopped, tried again `retries` times,
    where the server names a time (429, 503: Retry-After) after that, at most max_height_px where
    the site tells heights, and opened afterwards to see that it is a video. What is there already
    is not fetched again. Names from the web are never used.
    own_network: whether it may lead on into the user's own network (own_network.py). FetchError
    with the reason, also for lists of several videos, live broadcasts and files larger than
    max_bytes.
    """
    if not is_address(source):
        try:
            return probe_video(Path(source)).path
        except BadVideoError as error:
            raise FetchError(source, error.reason) from error
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FetchError(
            source, f"the folder {folder} cannot be made ({error.strerror})"
        ) from error
    key = source_key(source)
    finished = [
        path
        for path in sorted(folder.glob(f"{key}.*"))
        if UNFINISHED not in path.name and path.suffix in VIDEO_SUFFIXES
    ]
    if finished:
        return finished[0]
    options = _download_options(folder, key, max_height_px, retries, timeout_seconds)
    if rate_limit_bytes_per_second is not None:
        options["ratelimit"] = rate_limit_bytes_per_second
    if cookies is not None:
        if not os.path.isfile(cookies):
            raise FetchError(source, f"there is no cookie file {cookies}")
        options["cookiefile"] = str(cookies)
    guard = _SizeGuard(source, max_bytes)
    options["progress_hooks"] = [guard.see_progress]
    try:
        with nullcontext() if own_network else outside_alone(source):
            downloaded = _download_patiently(source, options, max_height_px, own_network)
    except FetchError:
        if guard.tripped:
            _remove(folder, key, everything=True)
        raise
    try:
        probe_video(downloaded)
    except BadVideoError as error:
        _remove(folder, key, everything=True)
        raise FetchError(source, f"what it sent is no video ({error.reason})") from error
    # An address may name no type; readers look inside, only people and folder lists look at the
    # suffix.
    final = folder / (
        key + (downloaded.suffix.lower() if downloaded.suffix.lower() in VIDEO_SUFFIXES else ".mp4")
    )
    os.replace(downloaded, final)
    _remove(folder, key)
    log.info(f"fetched {public_address(source)} to {final}")
    return final


class _SizeGuard:
    """yt-dlp's own size limit looks at declared sizes only and stays silent; this one counts and
    raises."""

    def __init__(self, source: str, max_bytes: int):
        self.source, self.max_bytes, self.tripped = source, max_bytes, False

    def see_progress(self, state: dict) -> None:
        if max(state.get("downloaded_bytes") or 0, state.get("total_bytes") or 0) > self.max_bytes:
            self.tripped = True
            raise FetchError(self.source, f"it is larger than the limit of {self.max_bytes} bytes")


class _Quiet:
    """yt-dlp's logger: errors come back as exceptions, warnings may say why, the rest is noise."""

    def __init__(self):
        self.warnings: list[str] = []

    def warning(self, text: str) -> None:
        self.warnings.append(text)

    def debug(self, _):
        pass

    info = error = debug


def _download_options(
    folder: Path, key: str, max_height_px: int, retries: int, timeout_seconds: float
) -> dict:
    ffmpeg = find_ffmpeg()
    # `<=?` lets pass what tells no height: plain files on a server never do. Joining picture and
    # sound needs ffmpeg.
    whole = f"b[height<=?{max_height_px}]"
    return {
        "format": f"bv*[height<=?{max_height_px}]+ba/{whole}" if ffmpeg else whole,
        "ffmpeg_location": ffmpeg,
        "outtmpl": {"default": f"{key}{UNFINISHED}.%(ext)s"},
        "paths": {"home": str(folder)},
        "retries": retries,
        "fragment_retries": retries,
        "extractor_retries": retries,
        "socket_timeout": timeout_seconds,
        "continuedl": True,
        "overwrites": False,
        "restrictfilenames": True,
        "windowsfilenames": True,
        "noplaylist": True,
        "extract_flat": "in_playlist",
        "playlistend": 2,  # enough to see that there is more than one
        "noprogress": True,
        "quiet": True,
        "logger": _Quiet(),
        "cachedir": False,
        "hls_prefer_native": True,  # ffmpeg would connect by itself
        "enable_file_urls": False,
    }


def _download_patiently(source: str, options: dict, max_height_px: int, own_network: bool) -> Path:
    """_download, again where the server asked to come back later."""
    for attempt in range(options["retries"] + 1):
        try:
            return _download(source, options, max_height_px, own_network)
        except FetchError as error:
            wait = seconds_to_wait(error, attempt)
            if wait is None or attempt == options["retries"]:
                raise
            log.info(f"{public_address(source)}: {error.reason}; again in {wait:.0f} s")
            time.sleep(wait)
    raise AssertionError("the last attempt returns or raises")


def _download(source: str, options: dict, max_height_px: int, own_network: bool) -> Path:
    from yt_dlp.utils import YoutubeDLError

    from dancepipe.media.downloader import Downloader

    try:
        with Downloader(options, own_network=own_network) as downloader:
            found = downloader.extract_info(source, download=False)
            if found is None:
                raise FetchError(source, "no video was found there")
            if "entries" in found:
                # The stubs do not know that a PagedList gives its entries one after the other.
                entries = list(found["entries"] or [])  # pyright: ignore[reportArgumentType]
                if not entries:
                    raise FetchError(source, "it is an empty list of videos")
                if len(entries) > 1:
                    raise FetchError(
                        source, "it is a list of several videos; give the address of one"
                    )
                found = entries[0]
            if found.get("is_live"):
                raise FetchError(source, "it is a live broadcast, which has no end")
            result = downloader.process_ie_result(found, download=True)
    except YoutubeDLError as error:
        words = _reason(error)
        if "Requested format is not available" in words:
            words = f"it offers no video of at most {max_height_px} pixels height"
            if not options["ffmpeg_location"]:
                words += " with its sound inside; joining the two needs an ffmpeg program"
        words += advice(words, options["logger"].warnings)
        raise FetchError(source, words, may_pass=may_pass(error)) from error
    except (OSError, ValueError) as error:  # ValueError: an address that is none
        words = getattr(error, "strerror", None) or str(error)
        raise FetchError(source, words, may_pass=may_pass(error)) from error
    made = [
        Path(item["filepath"])
        for item in (result or {}).get("requested_downloads") or []
        if item.get("filepath")
    ]
    if not made or not made[0].exists():
        raise FetchError(source, "nothing was downloaded")
    return made[0]


def _reason(error: Exception) -> str:
    # The words alone: the name before them is made of the address, and may hold its secrets.
    tellers = (error, error.__context__)
    told = (getattr(one, "orig_msg", None) for one in tellers)
    words = next((words for words in told if words is not None), str(error))
    words = re.sub(r"\x1b\[[0-9;]*m", "", words)
    words = re.sub(r"^ERROR:\s*", "", words)
    words = re.sub(r"^\[[^\]]*\]\s*(\S+:\s*)?", "", words)
    # yt-dlp adds advice about bug reports and its own command line.
    words = re.split(r"; please report this issue|\s*\(caused by| Set --|  See  ", words)[0]
    return " ".join(words.split()) or type(error).__name__


def _remove(folder: Path, key: str, everything: bool = False) -> None:
    for path in folder.glob(f"{key}{UNFINISHED}*"):
        if everything or path.name.endswith(LEFT_BY_DOWNLOADS):
            path.unlink(missing_ok=True)
