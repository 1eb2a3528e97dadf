"""What the user names -> a flat list of sources, each with the identity of its person."""

import hashlib
import logging
import re
from dataclasses import dataclass
from pathlib import Path

from dancepipe.address import public_address
from dancepipe.errors import FetchError
from dancepipe.files.plain_text import read_text, shortened
from dancepipe.media.fetch import LIST_SUFFIXES, expand_sources, source_key

log = logging.getLogger(__name__)

_MOST_BYTES = 256 << 20  # of a list: some millions of addresses


@dataclass(frozen=True)
class Source:
    """One video, or one folder of photos. Sources of one identity show the same person: they are
    paired, and stay in one split."""

    location: str  # URL or local path
    identity: str
    is_named: bool = False  # by the user

    @property
    def is_photos(self) -> bool:
        return Path(self.location).is_dir()

    @property
    def public_location(self) -> str:
        """The location for screens and files: an address without its secrets."""
        return public_address(self.location)

    @property
    def key(self) -> str:
        return source_key(self.location)


def read_sources(arguments: list[str]) -> tuple[list[Source], list[FetchError]]:
    """The sources in order, each once, and what could not be understood or found.

    In a text file a line is a URL or a path relative to the file; after a tab may stand
    the person's name, for people that show up in several videos. Without a name each
    video, and each folder of photos, is a person of its own.
    """
    found: dict[str, Source] = {}
    failures = []
    for argument in arguments:
        try:
            entries = _lines(Path(argument)) if _is_list(Path(argument)) else [(argument, "")]
        except FetchError as error:
            failures.append(error)
            continue
        for entry, identity in entries:
            try:
                for location in expand_sources([entry]):
                    source = Source(location, identity or source_key(location), bool(identity))
                    first = found.setdefault(source.key, source)
                    if first.identity != source.identity:
                        raise FetchError(
                            source.public_location,
                            f"it is named twice, as {first.identity} and as {source.identity}; "
                            "one video shows one person",
                        )
                    if first is not source:
                        log.warning(f"named twice, taken once: {source.public_location}")
            except FetchError as error:
                failures.append(error)
            except OSError as error:  # no right to look there, or a name that no file can have
                failures.append(FetchError(shortened(entry), error.strerror or str(error)))
    return list(found.values()), failures


def _is_list(path: Path) -> bool:
    try:
        return path.suffix.lower() in LIST_SUFFIXES and path.is_file()
    except OSError:
        return False


def _lines(path: Path) -> list[tuple[str, str]]:
    """(location, identity or "") of every line that is not a comment."""
    try:
        text = read_text(path, _MOST_BYTES)
    except (OSError, ValueError) as error:
        raise FetchError(
            path,
            f"not a readable text file ({error}); give a UTF-8 file with one URL or path a line",
        ) from error
    entries = []
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            location, _, identity = (
                part.strip() for part in re.sub(r"\s#.*", "", line).partition("\t")
            )
            if "://" not in location:
                location = str(path.parent / location)
            entries.append((location, identity))
    if not entries:
        raise FetchError(path, "no URL or path in it; write one a line")
    return entries


def split_of(identity: str, test_share: float) -> str:
    """'test' for a fixed share of the identities, by hash: adding sources never moves a person."""
    place = int(hashlib.sha1(identity.encode()).hexdigest()[:8], 16) / 0xFFFFFFFF
    return "test" if place < test_share else "train"


def shard_of(source: Source, num_shards: int) -> int:
    """Which shard works on this source: stable whatever else is in the list."""
    return int(source.key[:8], 16) % num_shards
