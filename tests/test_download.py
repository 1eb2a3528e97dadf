"""Sources from a server that is slow, busy, gone, or leads elsewhere: every one is in the ledger
once, with what came of it."""

import http.server
import json
import shutil
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from people import write_dance
from test_build_dataset import OWN_NETWORK, SMALL

from dancepipe.building.build import build_dataset
from dancepipe.cli.command_line import main
from dancepipe.errors import FetchError
from dancepipe.media.asked_to_wait import advice, seconds_to_wait


class Server(http.server.SimpleHTTPRequestHandler):
    """/busy-N/...: N times 429 or 503, then the file. /to/...: a redirect."""

    asked: dict[str, list[float]] = {}

    def log_message(self, *arguments):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        kind, _, rest = self.path.removeprefix("/").partition("/")
        asked = self.asked.setdefault(self.path, [])
        asked.append(time.monotonic())
        if kind in ("429", "503") and len(asked) <= 1:
            self.send_response(int(kind))
            self.send_header("Retry-After", "1")
            self.end_headers()
        elif kind == "later":
            self.send_response(503)
            self.send_header("Retry-After", "86400")
            self.end_headers()
        elif kind == "to":
            self.send_response(302)
            self.send_header("Location", f"/{rest}")
            self.end_headers()
        elif kind == "file":
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.end_headers()
        else:
            self.path = "/" + (rest if kind in ("429", "503") else self.path.removeprefix("/"))
            super().do_GET()


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    for name, first in (("a", 0), ("b", 20), ("c", 40), ("d", 60)):
        write_dance(folder / f"{name}.mp4", frames=8, first=first)
    (folder / "text.mp4").write_text("no video\n" * 40)
    Server.asked.clear()

    def handler(*arguments):
        return Server(*arguments, directory=str(folder))

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()


def outcomes(data: Path) -> dict[str, dict]:
    lines = list(map(json.loads, (data / "ledger.jsonl").read_text().splitlines()))
    assert len(lines) == len({line["source"] for line in lines})
    return {line["source"].split("/", 3)[-1]: line for line in lines}


def test_every_source_is_in_the_ledger_once_with_its_outcome(server, tmp_path):
    places = {
        "a.mp4": "kept",
        "to/b.mp4": "kept",
        "429/c.mp4": "kept",
        "503/d.mp4": "kept",
        "gone.mp4": "404",
        "text.mp4": "no video",
        "later/a.mp4": "503",
        "file/x.mp4": "file:///etc/passwd",
    }
    sources = [f"{server}/{place}" for place in places] + [f"{server}/a.mp4", "file:///etc/passwd"]
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join(sources))
    options = replace(OWN_NETWORK, retries=1, pause_seconds=0.05)
    summary = build_dataset([str(listed)], tmp_path / "data", options)
    assert (summary.clips_written, summary.failures) == (4, 5)
    found = outcomes(tmp_path / "data")
    assert set(found) == {*places, "etc/passwd"}
    for place, expected in places.items():
        line = found[place]
        assert expected in f"{line['outcome']} {line.get('reason')}", line
    asked = Server.asked["/429/c.mp4"]
    assert asked[1] - asked[0] >= 0.95  # Retry-After
    assert len(Server.asked["/later/a.mp4"]) <= 2  # a HEAD of yt-dlp's may come first

    assert summary.failures_for_now == 1  # the one that is busy for a day

    before = {place: len(Server.asked[place]) for place in ("/gone.mp4", "/later/a.mp4")}
    again = build_dataset([str(listed)], tmp_path / "data", options)
    assert (again.clips_already_there, again.failures, again.failures_for_now) == (4, 5, 1)
    assert len(Server.asked["/gone.mp4"]) == before["/gone.mp4"]
    assert len(Server.asked["/later/a.mp4"]) > before["/later/a.mp4"]
    shutil.copy(tmp_path / "served" / "a.mp4", tmp_path / "served" / "gone.mp4")
    mended = build_dataset([str(listed)], tmp_path / "data", replace(options, retry_failed=True))
    assert (mended.clips_written, mended.failures) == (1, 4)
    assert outcomes(tmp_path / "data")["gone.mp4"]["outcome"] == "kept"


def test_the_last_lines_say_what_to_do(tmp_path, capsys):
    (tmp_path / "text.mp4").write_text("no video\n" * 40)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{free.getsockname()[1]}/a.mp4"
    sources = [gone, str(tmp_path / "text.mp4")]
    command = ["build-dataset", *sources, "-o", str(tmp_path / "data"), "--own-network"]
    for _ in range(2):
        assert main([*command, "--retries", "0"]) == 2
        *_, now, others = capsys.readouterr().out.splitlines()
        assert now == "1 failed for now (server busy, or not reached): run this again"
        assert others.startswith("1 failed, see ") and others.endswith("with --retry-failed")


def test_what_is_named_in_the_own_network_is_refused_unless_allowed(server, tmp_path):
    port = server.rsplit(":", 1)[1]
    sources = [f"{server}/a.mp4", f"http://localhost:{port}/a.mp4", f"http://[::1]:{port}/a.mp4"]
    summary = build_dataset(sources, tmp_path / "data", SMALL)
    assert summary.failures == 3 and not Server.asked
    for line in outcomes(tmp_path / "data").values():
        assert "in your own network; allow that with --own-network" in line["reason"]


def test_downloads_from_one_host_wait_for_each_other(server, tmp_path):
    options = replace(OWN_NETWORK, pause_seconds=0.7, per_host=1)
    build_dataset([f"{server}/a.mp4", f"{server}/b.mp4"], tmp_path / "data", options)
    assert min(Server.asked["/b.mp4"]) - max(Server.asked["/a.mp4"]) >= 0.65


ADVICE = {
    "Sign in to confirm you’re not a bot": (["x"], "--cookies"),
    "HTTP Error 403: Forbidden (Cloudflare anti-bot challenge)": ([], "--cookies"),
    "Requested format is not available": (
        ["No supported JavaScript runtime could be found"],
        "install deno",
    ),
    "HTTP Error 404: Not Found": (["a warning"], ""),
}


@pytest.mark.parametrize("words", ADVICE)
def test_what_a_site_wants_is_said(words):
    warnings, expected = ADVICE[words]
    said = advice(words, warnings)
    assert expected in said if expected else not said


def test_nobody_waits_where_that_does_not_help():
    assert seconds_to_wait(FetchError("x", "gone"), 0) is None
