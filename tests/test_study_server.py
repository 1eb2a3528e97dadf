"""The server gives its page and the pictures of the study, by number, to browsers on this
machine, and nothing else to anybody."""

import http.client
import io
import json
import re
import socket
import sqlite3
import threading
from contextlib import contextmanager

import numpy as np
import pytest
from hearing import hearing
from PIL import Image
from study_pictures import REAL_RGB, draw_flat, is_real, write_folders

from dancepipe.errors import BadImageError, StudyError
from dancepipe.study.options import StudyOptions
from dancepipe.study.study import open_study
from dancepipe.study.votes_file import read_votes


class Client:
    """Requests as a browser on this machine sends them."""

    def __init__(self, port: int):
        self.port = port

    def ask(self, method, path, body=None, headers=None, host=None):
        """(status, body bytes, headers). body: a value for JSON, or bytes as they are."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        sent = (
            {"Host": host or f"127.0.0.1:{self.port}"}
            | ({"Content-Type": "application/json"} if data is not None else {})
            | (headers or {})
        )
        try:
            connection.request(
                method, path, data, {key: value for key, value in sent.items() if value is not None}
            )
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers
        finally:
            connection.close()

    def post(self, path, **body):
        status, data, _ = self.ask("POST", path, body)
        return status, json.loads(data)

    def vote(self, token, number, side="left", **changes):
        values = {"response_seconds": 0.8, "shown_seconds": 0.5, "picture_width_px": 200} | changes
        return self.post("/vote", volunteer=token, number=number, side=side, **values)

    def picture(self, token, number, side):
        status, data, _ = self.ask("GET", f"/picture/{token}/{number}/{side}")
        return np.asarray(Image.open(io.BytesIO(data))) if status == 200 else status


@contextmanager
def running(
    folder,
    count=6,
    methods=("ours",),
    folders=None,
    host="127.0.0.1",
    **options,
):
    real, fakes = folders or write_folders(folder, count, methods)
    server = open_study(
        real, fakes, folder / "votes.sqlite", StudyOptions(port=0, host=host, **options)
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Client(server.server_port), server
    finally:
        server.shutdown()
        thread.join()
        server.close()


def test_a_whole_study_by_its_requests(tmp_path):
    with running(tmp_path, count=6, methods=("ours", "other"), pictures=2, checks=1) as (
        client,
        server,
    ):
        status, me = client.post("/start", name="  Ann   Lee ")
        assert status == 200
        token = me.pop("volunteer")
        assert me == {
            "name": "Ann Lee",
            "answered": 0,
            "total": 5,
            "show_seconds": 1.0,
            "enlarge": 2.0,
            "rest_after": 100,
        }
        real_sides = []
        for number in range(5):
            status, progress = client.post("/trial", volunteer=token)
            assert (status, progress["answered"]) == (200, number)
            left, right = (
                client.picture(token, number, "left"),
                client.picture(token, number, "right"),
            )
            assert left.shape == right.shape == (60, 40, 3)
            assert (
                is_real(left) != is_real(right)
                or server.store.current_trial(token, number).method is None
            )
            real_sides.append(server.store.current_trial(token, number).real_side)
            status, progress = client.vote(token, number, real_sides[-1])
            assert (status, progress["answered"]) == (200, number + 1)
        assert client.post("/trial", volunteer=token)[1]["answered"] == 5
    (ann,) = read_votes(tmp_path / "votes.sqlite")[1]
    assert all(vote.right for vote in ann.votes) and len(ann.votes) == 5


def test_pictures_are_the_ones_of_the_trial_to_the_pixel(tmp_path):
    with running(tmp_path, count=12, pictures=10, checks=2) as (client, server):
        token = client.post("/start", name="ann")[1]["volunteer"]
        for number in range(12):
            client.post("/trial", volunteer=token)
            trial = server.store.current_trial(token, number)
            made_side = "left" if trial.real_side == "right" else "right"
            index = int(trial.picture.removeprefix("p"))
            assert (
                client.picture(token, number, trial.real_side) == draw_flat(REAL_RGB, index)
            ).all()
            made = client.picture(token, number, made_side)
            if trial.method is None:
                assert is_real(made) and (made != draw_flat(REAL_RGB, index)).any()
            else:
                assert (made == draw_flat((220, 30, 30), index)).all()
            client.vote(token, number)


def test_nothing_in_an_answer_tells_which_picture_is_real(tmp_path):
    real, fakes = write_folders(tmp_path, 2)
    for path in real.iterdir():  # photographs carry what made pictures do not
        exif = Image.Exif()
        exif[0x010F] = "SecretCamera"
        Image.open(path).save(path.with_suffix(".jpg"), exif=exif.tobytes(), quality=100)
        path.unlink()
    with running(tmp_path, folders=(real, fakes), pictures=2, checks=0) as (client, _):
        token = client.post("/start", name="ann")[1]["volunteer"]
        answers = [client.post("/trial", volunteer=token)[1]]
        seen = [client.ask("GET", f"/picture/{token}/0/{side}") for side in ("left", "right")]
    for _, data, headers in seen:
        assert data.startswith(b"\x89PNG") and b"SecretCamera" not in data
        assert headers["Content-Type"] == "image/png" and headers["Cache-Control"] == "no-store"
    assert {
        key: value for key, value in seen[0][2].items() if key not in ("Content-Length", "Date")
    } == {key: value for key, value in seen[1][2].items() if key not in ("Content-Length", "Date")}
    assert set(answers[0]) == {"volunteer", "name", "answered", "total"}


def test_a_name_is_gone_on_with_by_its_token_and_by_nothing_else(tmp_path):
    with running(tmp_path, pictures=3, checks=0) as (client, _):
        status, ann = client.post("/start", name="Ann Lee")
        token = ann["volunteer"]
        client.post("/trial", volunteer=token)
        client.vote(token, 0)
        bob = client.post("/start", name="Bob")[1]["volunteer"]
        shown = [{}] + [{"volunteer": wrong} for wrong in ("", bob, "0" * 32, token[:-1], "\ud800")]
        answers = [client.ask("POST", "/start", {"name": "ann LEE"} | extra) for extra in shown]
        (refused,) = {(status, body) for status, body, _ in answers}  # alike, whatever was tried
        assert refused[0] == 409 and token.encode() not in refused[1]
        words = json.loads(refused[1])
        assert set(words) == {"error"} and "another name" in words["error"]
        assert "personal link" in words["error"] and "browser where you began" in words["error"]
        for proof in ({"name": "ANN  lee", "volunteer": token}, {"volunteer": token}):
            status, again = client.post("/start", **proof)
            assert (status, again) == (200, ann | {"answered": 1})
        assert client.post("/start", volunteer="0" * 32)[0] == 404
        for wrong in (5, None, [token]):
            assert client.post("/start", name="Ann Lee", volunteer=wrong)[0] == 400
    assert [len(one.votes) for one in read_votes(tmp_path / "votes.sqlite")[1]] == [1, 0]


def test_who_asks_again_because_the_answer_got_lost_keeps_the_name(tmp_path):
    own = "ab" * 16
    with running(tmp_path, pictures=3, checks=0) as (client, _):
        for _ in range(2):
            status, me = client.post("/start", name="Ann", volunteer=own)
            assert (status, me["volunteer"], me["name"]) == (200, own, "Ann")
        bob = client.post("/start", name="Bob", volunteer=own)[1]
        assert bob["volunteer"] != own and bob["name"] == "Bob"


def test_the_page_names_the_study_for_the_browser_to_keep_its_volunteers_apart(tmp_path):
    def named(client):
        page = client.ask("GET", "/")[1]
        return re.search(rb'<html lang="en" data-study="([0-9a-f]{16})">', page)[1]

    folders = write_folders(tmp_path, 3)
    with running(tmp_path, folders=folders, pictures=3) as (client, _):
        first = named(client)
    with running(tmp_path, folders=folders, pictures=3) as (client, _):
        assert named(client) == first, "the same study, served anew"
    (tmp_path / "votes.sqlite").unlink()
    with running(tmp_path, folders=folders, pictures=3) as (client, _):
        assert named(client) != first, "the same pictures, voted on anew"


def test_only_the_current_pair_can_be_seen(tmp_path):
    with running(tmp_path, pictures=3, checks=0) as (client, _):
        token = client.post("/start", name="ann")[1]["volunteer"]
        assert client.picture(token, 1, "left") == 409
        client.post("/trial", volunteer=token)
        client.vote(token, 0)
        assert client.picture(token, 0, "left") == 409
        assert client.picture("0" * 32, 0, "left") == 404


@pytest.mark.parametrize(
    "path",
    [
        "/../votes.sqlite",
        "/votes.sqlite",
        "/picture/../../votes.sqlite",
        "/picture/{token}/0/left/../../../../etc/passwd",
        "/picture/{token}/0/p000.png",
        "/picture/{token}/-1/left",
        "/picture/{token}/0/%6ceft",
        "/picture/%2e%2e/0/left",
        "//etc/passwd",
        "/page.html",
        "/picture/{token}/٣/left",
    ],
)
def test_paths_are_never_files(tmp_path, path):
    with running(tmp_path, pictures=3) as (client, _):
        token = client.post("/start", name="ann")[1]["volunteer"]
        with socket.create_connection(
            ("127.0.0.1", client.port), 10
        ) as raw:  # http.client would tidy some of these
            raw.sendall(
                f"GET {path.format(token=token)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
            )
            answer = raw.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 404 ")
        assert answer.endswith(b'{"error": "there is nothing here"}')


def test_a_double_submission_counts_once_and_the_first_stands(tmp_path):
    with running(tmp_path, pictures=3, checks=0) as (client, server):
        token = client.post("/start", name="ann")[1]["volunteer"]
        assert client.vote(token, 0) == (409, {"error": "pair 0 was not shown yet"})
        client.post("/trial", volunteer=token)
        first = client.vote(token, 0, "left")
        assert first[0] == 200 and client.vote(token, 0, "right") == first
        assert client.vote(token, 2, "left")[0] == 409
    assert [vote.side for vote in read_votes(tmp_path / "votes.sqlite")[1][0].votes] == ["left"]


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "",
        "[::1",
        "8.8.8.8",
        "user@evil.example",
    ],
)
def test_foreign_names_in_the_host_header_are_refused(tmp_path, host):
    """DNS rebinding: a page of evil.example that resolves its own name to 127.0.0.1 still sends
    its own name."""
    with running(tmp_path, pictures=3) as (client, _):
        with socket.create_connection(("127.0.0.1", client.port), 10) as raw:
            raw.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert raw.makefile("rb").read().startswith(b"HTTP/1.1 403 ")


def test_own_names_in_the_host_header(tmp_path):
    with running(tmp_path, pictures=3) as (client, _):
        for host in (
            "localhost",
            "LOCALHOST:9000",
            "127.0.0.1",
            f"127.0.0.1:{client.port}",
            "[::1]:8000",
        ):
            assert client.ask("GET", "/", host=host)[0] == 200, host
    with running(tmp_path / "open", pictures=3, host="0.0.0.0") as (client, server):
        assert server.address == f"http://127.0.0.1:{client.port}/"
        for host in ("192.168.1.7:8000", "10.0.0.1", socket.gethostname(), "127.0.0.1"):
            assert client.ask("GET", "/", host=host)[0] == 200, host
        assert client.ask("GET", "/", host="evil.example")[0] == 403


def test_serving_others_is_said_and_needs_to_be_asked_for(tmp_path):
    said = []
    with hearing(said.append):
        with running(tmp_path, pictures=3) as (_, server):
            assert server.server_address[0] == "127.0.0.1" and server.is_local
    assert not any("everybody" in words for words in said)
    with hearing(said.append):
        with running(tmp_path / "open", pictures=3, host="0.0.0.0"):
            assert said[-1].startswith("served on 0.0.0.0: everybody who reaches this machine")


@pytest.mark.parametrize(
    "path, body, headers, status",
    [
        ("/start", {"name": "ann"}, {"Origin": "http://evil.example"}, 403),
        ("/start", {"name": "ann"}, {"Origin": "null"}, 403),
        (
            "/start",
            {"name": "ann"},
            {"Content-Type": "text/plain"},
            415,
        ),  # what a foreign form may send unasked
        ("/start", {"name": "ann"}, {"Content-Type": None}, 415),
        ("/start", b"x" * 5000, {}, 413),
        ("/start", b"", {"Content-Length": "-5"}, 411),
        ("/start", b"", {"Content-Length": "99999999999999"}, 411),
        ("/start", b"{", {}, 400),
        ("/start", b"[" * 4000, {}, 400),
        ("/start", b"\xff\xfe", {}, 400),
        ("/start", [1], {}, 400),
        ("/start", {"name": 5}, {}, 400),
        ("/start", {"name": " "}, {}, 400),
        ("/start", {"name": "x" * 41}, {}, 400),
        ("/start", {"name": "\ud800"}, {}, 400),
        ("/trial", {"volunteer": "\ud800"}, {}, 404),
        ("/trial", {"volunteer": "' OR 1=1 --"}, {}, 404),
        ("/trial", {}, {}, 400),
        ("/elsewhere", {}, {}, 404),
    ],
)
def test_requests_that_are_refused(tmp_path, path, body, headers, status):
    with running(tmp_path, pictures=3) as (client, _):
        assert client.ask("POST", path, body, headers)[0] == status
        assert client.post("/start", name="still here")[0] == 200
    assert [volunteer.name for volunteer in read_votes(tmp_path / "votes.sqlite")[1]] == [
        "still here"
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"side": "up"},
        {"side": None},
        {"response_seconds": -1},
        {"response_seconds": "1"},
        {"response_seconds": True},
        {"response_seconds": float("nan")},
        {"response_seconds": float("inf")},
        {"response_seconds": 10**400},
        {"shown_seconds": None},
        {"picture_width_px": 1e9},
    ],
)
def test_votes_that_make_no_sense(tmp_path, changes):
    with running(tmp_path, pictures=3) as (client, _):
        token = client.post("/start", name="ann")[1]["volunteer"]
        client.post("/trial", volunteer=token)
        assert client.vote(token, 0, **changes)[0] == 400
        assert client.vote(token, True)[0] == 400
        assert client.post("/trial", volunteer=token)[1]["answered"] == 0


def test_methods_that_are_not_offered(tmp_path):
    with running(tmp_path, pictures=3) as (client, _):
        for method in ("PUT", "DELETE", "OPTIONS", "HEAD", "TRACE"):
            assert client.ask(method, "/")[0] == 501, method


def test_the_page_asks_for_nothing_from_elsewhere(tmp_path):
    with running(tmp_path, pictures=3) as (client, _):
        status, page, headers = client.ask("GET", "/")
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    assert b"http://" not in page and b"https://" not in page and b"src=" not in page
    policy = headers["Content-Security-Policy"]
    assert (
        "default-src 'none'" in policy
        and "frame-ancestors 'none'" in policy
        and "unsafe" not in policy
    )
    assert (
        headers["X-Content-Type-Options"] == "nosniff"
        and headers["Cross-Origin-Resource-Policy"] == "same-origin"
    )


def test_a_picture_that_is_taken_away_is_a_trouble_that_passes(tmp_path, capsys):
    real, fakes = write_folders(tmp_path, 1)
    with running(tmp_path, folders=(real, fakes), pictures=1, checks=0) as (client, _):
        token = client.post("/start", name="ann")[1]["volunteer"]
        client.post("/trial", volunteer=token)
        (fakes["ours"] / "p000.png").rename(tmp_path / "aside.png")
        assert client.picture(token, 0, "left") == 503
        assert "ours/p000.png: no such file" in capsys.readouterr().err
        (tmp_path / "aside.png").rename(fakes["ours"] / "p000.png")
        assert client.picture(token, 0, "left").shape == (60, 40, 3)


def test_a_port_in_use_is_told_before_anything_is_written(tmp_path):
    real, fakes = write_folders(tmp_path, 2)
    with running(tmp_path / "first", pictures=2) as (client, _):
        with pytest.raises(
            StudyError,
            match=rf"cannot serve on 127.0.0.1 port {client.port} \(Address already in use\); "
            r".*--port",
        ):
            open_study(
                real,
                fakes,
                tmp_path / "votes.sqlite",
                StudyOptions(port=client.port),
            )
    assert not (tmp_path / "votes.sqlite").exists()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"port": 70000}, "no port 70000"),
        ({"host": "203.0.113.9"}, "address of this machine"),
        ({"show_seconds": float("inf")}, "show_seconds is inf; at most 3600"),
        ({"enlarge": float("inf")}, "enlarge is inf; it needs a finite number"),
        ({"check_share": float("nan")}, "check_share is nan; it needs a finite number"),
        ({"checks": 10**9}, "each volunteer would see 1000000002 pairs; at most 10000 fit"),
    ],
)
def test_options_that_do_not_fit(tmp_path, options, message):
    real, fakes = write_folders(tmp_path, 2)
    with pytest.raises(StudyError, match=message):
        open_study(
            real,
            fakes,
            tmp_path / "votes.sqlite",
            StudyOptions(**({"port": 0} | options)),
        )


def test_a_study_that_cannot_be_held_leaves_no_database_and_no_open_port(tmp_path):
    real, fakes = write_folders(tmp_path, 2)
    (real / "p001.png").write_bytes(b"no picture")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(
        BadImageError, match="real/p001.png"
    ) as caught:  # kept: it holds the server, which must not wait for its end
        open_study(real, fakes, tmp_path / "votes.sqlite", StudyOptions(port=port))
    assert not (tmp_path / "votes.sqlite").exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)
    assert caught.value.reason.startswith("it is not a picture")


def test_damaged_votes_are_told_before_the_pictures_are_read(tmp_path):
    folders = write_folders(tmp_path, 3)
    with running(tmp_path, folders=folders, pictures=3, checks=0) as (client, _):
        client.post("/start", name="ann")
    for path in folders[0].iterdir():
        path.unlink()
    for script, message in (
        ("UPDATE trial SET picture = 'x' WHERE number = 1", "no pictures in"),
        ("UPDATE trial SET real_side = 'up' WHERE number = 1", "number 1: real_side is 'up'"),
    ):
        with sqlite3.connect(tmp_path / "votes.sqlite") as connection:
            connection.execute(script)
        connection.close()
        with pytest.raises(StudyError, match=message), running(tmp_path, folders=folders):
            pass


def test_a_trial_of_a_picture_that_is_not_shown_is_told_before_anybody_comes(tmp_path):
    folders = write_folders(tmp_path, 3)
    with running(tmp_path, folders=folders, pictures=3, checks=0) as (client, _):
        client.post("/start", name="ann")
    with sqlite3.connect(tmp_path / "votes.sqlite") as connection:
        connection.execute("UPDATE trial SET picture = '/etc/passwd' WHERE number = 1")
    connection.close()
    message = "table trial, row volunteer 1, number 1: picture '/etc/passwd' is not of this study"
    with (
        pytest.raises(StudyError, match=message),
        running(tmp_path, folders=folders, pictures=3, checks=0),
    ):
        pass


def test_what_is_short_is_said(tmp_path):
    said = []
    with hearing(said.append):
        with running(tmp_path, count=4, methods=("ours", "other"), pictures=9, checks=2):
            pass
    assert "only 4 pictures are there: each volunteer sees 4 pairs of each method, not 9" in said
    assert any(
        "the same real picture with several methods, far apart (20 pictures would avoid it)"
        in words
        for words in said
    )


def test_a_study_is_gone_on_with_and_other_pictures_are_refused(tmp_path):
    folders = write_folders(tmp_path, 4)
    with running(tmp_path, folders=folders, pictures=3, checks=0) as (client, _):
        token = client.post("/start", name="ann")[1]["volunteer"]
        client.post("/trial", volunteer=token)
        client.vote(token, 0)
    with running(tmp_path, folders=folders, pictures=3, checks=0, rest_after=5) as (client, _):
        me = client.post("/start", name="ann", volunteer=token)[1]
        assert (me["volunteer"], me["answered"], me["rest_after"]) == (token, 1, 5)
    with (
        pytest.raises(StudyError, match="checks is 0 there, 2 here"),
        running(tmp_path, folders=folders, pictures=3, checks=2),
    ):
        pass
    with (
        pytest.raises(StudyError, match="enlarge is 2.0 there, 3.0 here"),
        running(tmp_path, folders=folders, pictures=3, checks=0, enlarge=3.0),
    ):
        pass
    for path in folders[1]["ours"].iterdir():
        Image.fromarray(draw_flat((9, 9, 9), 1)).save(path)
    with (
        pytest.raises(StudyError, match="3 of 6 picture files are not the same"),
        running(tmp_path, folders=folders, pictures=3, checks=0),
    ):
        pass
