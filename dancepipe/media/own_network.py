"""A download may not lead into the user's own network unless the user named that place.

An address of the web can answer with a redirect to http://192.168.1.1/ or name a video there, and
the names of its hosts can mean such places, too. So it is not addresses that are looked at, but
connections: Python tells its audit hooks of each one before it is made, whoever makes it. Programs
that make connections of their own (ffmpeg for a stream, say) are not started with an address.
Other threads of this process are left alone; Python does not tell who started a thread, so that
Thread.start is made to.

A proxy of the user's settings may be anywhere. What it is asked for is looked at before the
request is sent; a SOCKS proxy has been asked to connect by then.

Not seen: names that mean something else to a proxy than here, and connections of libraries that
go past Python's sockets, such as curl_cffi (downloader.py does without it).
"""

import functools
import ipaddress
import os
import re
import socket
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit
from urllib.request import getproxies

from dancepipe.errors import FetchError

_PORTS = {"http": 80, "https": 443}
_SOCKS_PORT = 1080
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_GLOBAL_IPV6 = ipaddress.ip_network("2000::/3")
_REQUEST = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.[01]\r\n")
_HOST = re.compile(rb"^host:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)
_guards: list["_Guard"] = []
_listening = threading.Lock()
_is_listening = False


class _Refused(BaseException):
    """Stops a download at once: libraries catch Exception to try again, or something else."""


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
    except (_Refused, Exception) as error:
        if guard.refusal is None:
            raise
        raise FetchError(source, guard.refusal) from error
    finally:
        _guards.remove(guard)
    if guard.refusal is not None:
        raise FetchError(source, guard.refusal)


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
        if ip not in _GLOBAL_IPV6:
            return False
    return ip.is_global and not ip.is_multicast


def refuse_own_network(address: str) -> None:
    """FetchError for an address of a list that lies in the user's own network: a list may come from
    anywhere, and what it names is not taken for what the user wants."""
    host, _ = _host_and_port(address)
    inside = sorted(found for found, _ in _numeric(host, None) if not is_public(found))
    if inside:
        name = host if inside == [host] or _is_numeric(host) else f"{host} ({inside[0]})"
        raise FetchError(
            address,
            f"{name} is in your own network; allow that with --own-network if the list is yours",
        )


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class _Guard:
    """What one download may connect to, and what it was refused."""

    def __init__(self, source: str):
        self._threads = weakref.WeakSet([threading.current_thread()])
        self._named_name = _host_and_port(source)
        self._named = _numeric(*self._named_name)
        # Other settings, such as "no", name hosts too, but no proxies.
        settings = getproxies()
        kinds = [kind for kind in ("http", "https", "all") if kind in settings]
        self._proxies = {_host_and_port(settings[kind]) for kind in kinds}
        for place in list(self._proxies):
            self._proxies |= _numeric(*place)
        self._found_here: dict[str, set[str]] = {}
        self.refusal: str | None = None

    def covers(self, thread: threading.Thread) -> bool:
        return thread in self._threads

    def cover(self, thread: threading.Thread) -> None:
        self._threads.add(thread)

    def look_at_connection(self, place: tuple) -> None:
        host, port = str(place[0]), place[1]
        if not is_public(host) and (host, port) not in self._named | self._proxies:
            self._refuse(host, port)

    def look_at_request(self, data: bytes) -> None:
        """What a proxy is asked for. Without one, the connection has been looked at already."""
        request = _REQUEST.match(data) if self._proxies else None
        if request is None:
            return
        method, target = request.groups()
        if method == b"CONNECT":
            host, _, port = target.rpartition(b":")
            target = b"//[%b]:%b" % (host.strip(b"[]"), port) if b":" in host else b"//" + target
        elif b"://" not in target:
            header = _HOST.search(data)
            target = b"//" + header[1] if header else b""
        host, port = _host_and_port(target.decode("latin-1"), default_scheme="")
        ports = {port} if port else set(_PORTS.values())  # inside a tunnel the port is not told
        if not host or any((host, one) == self._named_name for one in ports):
            return
        if host not in self._found_here:
            self._found_here[host] = {found for found, _ in _numeric(host, 0)}
        for found in self._found_here[host]:
            if not is_public(found) and not any((found, one) in self._named for one in ports):
                self._refuse(host, port)

    def look_at_program(self, arguments) -> None:
        """Whether it would connect by itself."""
        alone = isinstance(arguments, (str, bytes, os.PathLike))
        words = [os.fsdecode(word) for word in ([arguments] if alone else arguments)]
        if any("://" in word and not word.startswith("file:") for word in words):
            self._stop(
                f"it needs the program {os.path.basename(words[0])}, which would connect by itself "
                "and might lead into your own network; allow that with --own-network"
            )

    def _refuse(self, host: str, port: int | None) -> None:
        place = f"[{host}]" if ":" in host else host
        place += f":{port}" if port else ""
        self._stop(
            f"it leads on to {place}, in your own network; name that address itself if you want "
            "it, or allow all with --own-network"
        )

    def _stop(self, refusal: str) -> None:
        self.refusal = self.refusal or refusal
        raise _Refused(refusal)


def _host_and_port(address: str, default_scheme: str = "http") -> tuple[str, int | None]:
    """("", None) for what is no address."""
    if "://" not in address and default_scheme:
        address = f"{default_scheme}://{address.removeprefix('//')}"
    try:
        parts = urlsplit(address)
        usual = _SOCKS_PORT if parts.scheme.startswith("socks") else _PORTS.get(parts.scheme)
        return parts.hostname or "", parts.port or usual
    except ValueError:
        return "", None


def _numeric(host: str, port: int | None) -> set[tuple[str, int]]:
    """Every address that the host means now, with the port."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM) if host else []
    except (OSError, ValueError):
        return set()  # it cannot be connected to either
    return {
        (place[0], place[1])
        for *_, place in found
        if isinstance(place[0], str) and isinstance(place[1], int)  # a Python without IPv6: bytes
    }


def _listen() -> None:
    """The hook and the word of new threads stay; without a download they do nothing."""
    global _is_listening
    with _listening:
        if not _is_listening:
            sys.addaudithook(_see)
            threading.Thread.start = _covering(threading.Thread.start)
            _is_listening = True


def _covering(start: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(start)
    def start_covered(thread, *arguments, **more):
        for guard in list(_guards):
            if guard.covers(threading.current_thread()):
                guard.cover(thread)
        return start(thread, *arguments, **more)

    return start_covered


def _see(event: str, arguments: tuple) -> None:
    if not _guards or event not in _EVENTS:
        return
    thread = threading.current_thread()
    for guard in list(_guards):
        if guard.covers(thread):
            _EVENTS[event](guard, *arguments)


def _see_place(guard: _Guard, _, place) -> None:
    if isinstance(place, tuple):  # others are of this machine's own sockets and none of the web
        guard.look_at_connection(place)


def _see_request(guard: _Guard, _, data) -> None:
    if isinstance(data, bytes):
        guard.look_at_request(data)


def _see_program(guard: _Guard, _program, arguments, *_) -> None:
    guard.look_at_program(arguments)


_EVENTS = {
    "socket.connect": _see_place,
    "socket.sendto": _see_place,
    "socket.sendmsg": _see_place,
    "http.client.send": _see_request,
    "subprocess.Popen": _see_program,
}
