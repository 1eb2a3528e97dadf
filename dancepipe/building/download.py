"""Sources from the web, with the manners that keep a list of thousands welcome: few connections to
a host at a time, pauses between them, the server's own Retry-After."""

import os
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import filelock

from dancepipe.building.options import BuildDatasetOptions
from dancepipe.building.sources import Source
from dancepipe.files.whole_file import make_folder
from dancepipe.media.fetch import fetch, is_address
from dancepipe.media.own_network import refuse_own_network


def download(source: Source, folder: Path, options: BuildDatasetOptions) -> Path:
    """fetch() as the options have it; local files come back as they are. FetchError, also for an
    address in the user's own network without options.own_network."""
    if not is_address(source.location):
        return fetch(source.location, folder)
    if not options.own_network:
        refuse_own_network(source.location)
    with _turn(folder / "hosts", _host(source.location), options):
        return fetch(
            source.location,
            folder,
            max_height_px=options.max_height_px,
            retries=options.retries,
            rate_limit_bytes_per_second=options.rate_limit * 1000 or None,
            cookies=None if options.cookies is None else Path(options.cookies),
            own_network=options.own_network,
        )


def _host(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").lower()
    except ValueError:
        return ""


@contextmanager
def _turn(folder: Path, host: str, options: BuildDatasetOptions):
    """with-block: one of the connections that a host may have, of all workers and shards of this
    machine, and not sooner than the pause after the last one."""
    if not options.per_host:
        yield
        return
    make_folder(folder)
    name = "".join(letter if letter.isalnum() or letter in ".-" else "_" for letter in host)[:100]
    locks = [filelock.FileLock(folder / f"{name}.{n}.lock") for n in range(options.per_host)]
    lock = _first_free(locks)
    stamp = Path(lock.lock_file).with_suffix(".last")
    try:
        if options.pause_seconds and stamp.exists():
            gone = time.time() - os.stat(stamp).st_mtime
            time.sleep(max(0.0, min(options.pause_seconds - gone, options.pause_seconds)))
        yield
    finally:
        stamp.touch()
        lock.release()


def _first_free(locks: list[filelock.FileLock]) -> filelock.FileLock:
    while True:
        for lock in locks:
            try:
                lock.acquire(blocking=False)
                return lock
            except filelock.Timeout:
                continue
        time.sleep(0.2)
