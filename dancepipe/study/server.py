"""The page and its few requests. Pictures are asked for by volunteer, number and side, never by a
path.

GET  /                              the page GET  /picture/TOKEN/NUMBER/SIDE     PNG of the current
pair, drawn anew: no name, metadata or format tells which one is real POST /start {name, volunteer}
-> progress and how to show the pairs POST /trial {volunteer}             -> progress; counts a
showing POST /vote  {volunteer, number, side, response_seconds, shown_seconds, picture_width_px} ->
progress, after the vote is on the disk

`volunteer` is a token of 128 random bits that only its volunteer's browser knows. With a new name
/start may send one to be known by, else a fresh one is made; a name that is there already needs its
own. The token alone, without a name, goes on as well: that is what a personal link (/#TOKEN)
brings, in a part of the address that no browser sends.
"""

import base64
import hashlib
import ipaddress
import json
import os
import re
import socket
import socketserver
import sqlite3
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import TypeVar
from urllib.parse import urlsplit

from dancepipe.errors import DancepipeError, StudyError
from dancepipe.media.image import encode_png
from dancepipe.study.options import StudyOptions
from dancepipe.study.pairs import MatchedPictures, load_pair
from dancepipe.study.plan import SIDES, Trial
from dancepipe.study.scramble import scramble
from dancepipe.study.votes import (
    NameTakenError,
    NoSuchVolunteerError,
    Progress,
    VoteStore,
    WrongTurnError,
    clean_name,
)
from dancepipe.study.votes_rules import is_token

MOST_BODY_BYTES = 4096
SLOWEST_CLIENT_SECONDS = 30
NO_STUDY = b'data-study=""'
NAME_IS_TAKEN = (
    "This name is taken. If it is yours, go on in the browser where you began, "
    "or open your personal link. If not, please take another name."
)
_Plain = TypeVar("_Plain", str, int)
PICTURE_PATH = re.compile(r"/picture/([0-9a-f]{32})/([0-9]{1,6})/(left|right)")


class Refused(Exception):
    """A request that is not answered with what it asks for."""

    def __init__(self, status: int, reason: str):
        super().__init__(reason)
        self.status = status


def bind_server(host: str, port: int) -> "StudyServer":
    """A server that listens on the address. StudyError where it cannot."""
    if not 0 <= port <= 65535:
        raise StudyError(f"no port {port}; ports go from 0 (any free one) to 65535")
    try:
        return StudyServer(host, port)
    except OSError as error:
        if isinstance(error, PermissionError):
            advice = "take a port above 1023 with --port"
        elif isinstance(error, socket.gaierror) or "assign" in str(error):
            advice = "give an address of this machine with --host"
        else:
            advice = "close what uses it, or take another with --port"
        raise StudyError(
            f"cannot serve on {host} port {port} ({error.strerror or error}); {advice}"
        ) from error


class StudyServer(ThreadingHTTPServer):
    """Serves one study. What it serves is set by open_study() before serve_forever()."""

    daemon_threads = True
    allow_reuse_address = (
        os.name != "nt"
    )  # elsewhere: restart at once after a kill; on Windows it would let two servers share a port

    store: VoteStore | None = None
    pictures: MatchedPictures
    options: StudyOptions
    plan: Callable[[str], list[Trial]]

    def __init__(self, host: str, port: int):
        self.host = host
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.page, self.page_policy = _read_page()
        super().__init__((host, port), StudyHandler)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(
            self
        )  # HTTPServer's own asks the name service for the host, which may take seconds
        self.server_name, self.server_port = self.host, self.server_address[1]

    @property
    def address(self) -> str:
        """What to type into the browser on this machine."""
        host = "127.0.0.1" if self._bound_to == "0.0.0.0" else self._bound_to
        return f"http://{f'[{host}]' if ':' in host else host}:{self.server_port}/"

    @property
    def is_local(self) -> bool:
        return ipaddress.ip_address(self._bound_to).is_loopback

    @property
    def _bound_to(self) -> str:
        return str(self.server_address[0])

    @property
    def votes(self) -> VoteStore:
        """Of the study that is served."""
        assert self.store is not None
        return self.store

    def knows_host(self, header: str | None) -> bool:
        """Whether a Host header is one of ours. A page elsewhere can point its own name at this
        address (DNS rebinding) and would send that name; so names are refused, but for
        localhost, the machine's and the one given as `host`."""
        try:
            host = urlsplit(f"//{header}").hostname or ""
        except ValueError:
            return False
        if host in ("localhost", self.host.lower()):
            return True
        try:
            numeric = ipaddress.ip_address(host)
        except ValueError:
            return host == socket.gethostname().lower()
        return numeric.is_loopback or not self.is_local

    def close(self) -> None:
        self.server_close()
        if self.store is not None:
            self.store.close()

    def handle_error(self, request, client_address) -> None:
        """A browser that went away is no news; anything else is a bug and keeps its traceback."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class StudyHandler(BaseHTTPRequestHandler):
    """One connection of a browser."""

    server: StudyServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "dancepipe", ""
    timeout = SLOWEST_CLIENT_SECONDS
    # header and body leave together; apart, the second would wait 40 ms for the first one's
    # acknowledgement
    wbufsize = -1

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def log_message(self, format, *arguments) -> None:
        """Silent: a line for each picture would bury what study() says."""

    def _answer(self, respond: Callable[[], None]) -> None:
        try:
            if not self.server.knows_host(self.headers.get("Host")):
                raise Refused(403, "this address does not belong to the study")
            respond()
        except Refused as error:
            self._refuse(error.status, str(error))
        except NoSuchVolunteerError:
            self._refuse(404, "this study does not know you yet; type your name again")
        except NameTakenError:
            self._refuse(409, NAME_IS_TAKEN)
        except WrongTurnError as error:
            self._refuse(409, str(error))
        except (
            DancepipeError,
            sqlite3.Error,
        ) as error:  # a picture was taken away, the disk is full: the page says so and tries again
            print(f"dancepipe: {error}", file=sys.stderr)
            self._refuse(503, "something is wrong on the study's computer")

    def _get(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/":
            study = f'data-study="{self.server.votes.study_id()}"'.encode()
            page = self.server.page.replace(NO_STUDY, study, 1)
            policy = [("Content-Security-Policy", self.server.page_policy)]
            self._send(200, "text/html; charset=utf-8", page, policy)
        elif match := PICTURE_PATH.fullmatch(path):
            token, number, side = match[1], int(match[2]), match[3]
            trial = self.server.votes.current_trial(token, number)
            self._send(200, "image/png", _draw_picture(self.server, trial, side))
        elif path == "/favicon.ico":
            self._send(204, "image/png", b"")
        else:
            raise Refused(404, "there is nothing here")

    def _post(self) -> None:
        wanted = self._read_body()
        store, options = self.server.votes, self.server.options
        if self.path == "/start":
            progress = self._start(wanted)
            showing = {
                "show_seconds": options.show_seconds,
                "enlarge": options.enlarge,
                "rest_after": options.rest_after,
            }
            self._send_json(200, _as_json(progress) | showing)
        elif self.path == "/trial":
            self._send_json(200, _as_json(store.count_showing(_token(wanted))))
        elif self.path == "/vote":
            side = _field(wanted, "side", str)
            if side not in SIDES:
                raise Refused(400, "side must be left or right")
            measured = [
                _measure(wanted, name)
                for name in ("response_seconds", "shown_seconds", "picture_width_px")
            ]
            progress = store.add_vote(
                _token(wanted), _field(wanted, "number", int), side, *measured
            )
            self._send_json(200, _as_json(progress))
        else:
            raise Refused(404, "there is nothing here")

    def _start(self, wanted: dict) -> Progress:
        store = self.server.votes
        if "name" not in wanted:
            return store.progress(_token(wanted))
        try:
            name = clean_name(_field(wanted, "name", str))
        except ValueError as error:
            raise Refused(400, str(error)) from None
        token = _field(wanted, "volunteer", str) if "volunteer" in wanted else None
        return store.enter(name, self.server.plan, token)

    def _read_body(self) -> dict:
        """The JSON object of a request from our own page. A foreign page cannot send this
        content type without being asked first."""
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"[0-9]{1,9}", length):
            raise Refused(411, "a length is needed")
        if int(length) > MOST_BODY_BYTES:
            raise Refused(413, f"at most {MOST_BODY_BYTES} bytes")
        if self.headers.get_content_type() != "application/json":
            raise Refused(415, "JSON is needed")
        origin = self.headers.get("Origin")
        if origin is not None and origin != f"http://{self.headers.get('Host')}":
            raise Refused(403, "only the study's own page may send this")
        try:
            body = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            raise Refused(400, "this is no JSON") from None
        if not isinstance(body, dict):
            raise Refused(400, "a JSON object is needed")
        return body

    def _send_json(self, status: int, value: dict) -> None:
        self._send(status, "application/json", json.dumps(value, allow_nan=False).encode())

    def _refuse(self, status: int, reason: str) -> None:
        self.close_connection = True  # its body may be unread
        self._send(
            status,
            "application/json",
            json.dumps({"error": reason}).encode(),
            [("Connection", "close")],
        )

    def _send(
        self, status: int, kind: str, body: bytes, headers: list[tuple[str, str]] | None = None
    ) -> None:
        self.send_response(status)
        always = [
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Referrer-Policy", "no-referrer"),
        ]
        for name, value in always + (headers or []):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _as_json(progress: Progress) -> dict:
    return {
        "volunteer": progress.token,
        "name": progress.name,
        "answered": progress.answered,
        "total": progress.total,
    }


def _field(wanted: dict, name: str, kind: type[_Plain]) -> _Plain:
    value = wanted.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):  # JSON's true is no number
        raise Refused(400, f"{name} is missing or no {kind.__name__}")
    return value


def _token(wanted: dict) -> str:
    token = _field(wanted, "volunteer", str)
    if not is_token(token):
        raise NoSuchVolunteerError(token)
    return token


def _measure(wanted: dict, name: str) -> float:
    value = wanted.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= 1e7:
        raise Refused(400, f"{name} is missing or no sensible number")
    return float(value)


def _draw_picture(server: StudyServer, trial: Trial, side: str) -> bytes:
    is_real = side == trial.real_side
    if trial.method is not None:
        real, made = load_pair(server.pictures, trial.method, trial.picture)
        return encode_png(real if is_real else made)
    real, _ = load_pair(
        server.pictures, server.pictures.methods[0], trial.picture
    )  # the size it has in the other pairs
    return encode_png(real if is_real else scramble(real, server.options.seed, trial.picture))


def _read_page() -> tuple[bytes, str]:
    """The page, and the policy that allows its own script and style and nothing else."""
    page = (files("dancepipe.study") / "page.html").read_text(encoding="utf-8")

    def hashed(tag: str) -> str:
        found = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert found is not None  # it is our own page
        return f"'sha256-{base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()}'"

    policy = (
        f"default-src 'none'; script-src {hashed('script')}; style-src {hashed('style')}; "
        "img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page.encode(), policy
