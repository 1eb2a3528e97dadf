"""A download may not lead into the user's own network unless the user named that place.

An address of the web can answer with a redirect to http://192.168.1.1/ or name a video there, and
the names of its hosts can mean such places, too. So it is not addresses that are looked at, but
connections: Python tells its audit hooks of each one before it is made, whoever makes it. Programs
that make connections of their own (ffmpeg for a stream, say) are not started with an address.

Not seen: what a proxy of the user's settings connects to, and connections of libraries that go
past Python's sockets (curl_cffi, which yt-dlp takes for some sites where it is installed).
"""

import ipaddress
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit
from urllib.request import getproxies

from dancepipe.errors import FetchError

_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_guards: list["_Guard"] = []
_is_listening = False


@contextmanager
def outside_alone(source: str) -> Iterator[None]:
    """with-block: what this thread, and those it starts, connect to is public, or was named.

    source: the address that the user named; its own host and port may be anywhere. FetchError at
    the end when something else was refused, whatever came of it.
    """
    guard = _Guard(source)
    _listen()
    _guards.append(guard)
    try:
        yield
    finally:
        _guards.remove(guard)
        if guard.refused:
            raise guard.error()


def is_public(address: str) -> bool:
    """Whether a numeric address is of the internet, not of this machine or a network of its own."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if ip.version == 6:
        if inside := ip.ipv4_mapped or ip.sixtofour:
            return is_public(str(inside))
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    return ip.is_global and not ip.is_multicast


class _Guard:
    """What one download may connect to, and what it was refused."""

    def __init__(self, source: str):
        self._source = source
        self._others = {thread.ident for thread in threading.enumerate()}
        self._others.discard(threading.get_ident())
        self._named = set()
        for address in (source, *getproxies().values()):
            self._named |= _places_of(address)
        self.refused: str | None = None

    def look(self, place: tuple) -> None:
        """FetchError for a place that it may not connect to."""
        if threading.get_ident() in self._others:
            return
        host, port = str(place[0]), place[1]
        if not is_public(host) and (host, port) not in self._named:
            self.refused = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            raise self.error()

    def look_at_program(self, arguments: list) -> None:
        """FetchError for a program that would connect by itself."""
        if threading.get_ident() in self._others:
            return
        words = [word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word) for word in arguments]
        if any("://" in word and not word.startswith("file:") for word in words):
            self.refused = f"addresses that {words[0]} would open by itself"
            raise self.error()

    def error(self) -> FetchError:
        return FetchError(
            self._source,
            f"it leads on to {self.refused}, in your own network or unseen; name that address "
            "itself if you want it, or allow all with --own-network",
        )


def _places_of(address: str) -> set[tuple[str, int]]:
    """Every numeric host, with the port, that the address means now."""
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme)
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM) if host and port else []
    except (OSError, ValueError):
        return set()  # it cannot be connected to either
    return {(place[0], place[1]) for *_, place in found}


def _listen() -> None:
    """A hook stays for the life of the process; without a download it looks at nothing."""
    global _is_listening
    if not _is_listening:
        _is_listening = True
        sys.addaudithook(_see)


def _see(event: str, arguments: tuple) -> None:
    if not _guards:
        return
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        for guard in list(_guards):
            guard.look(arguments[1])
    elif event == "subprocess.Popen":
        for guard in list(_guards):
            guard.look_at_program(list(arguments[1] or []))
