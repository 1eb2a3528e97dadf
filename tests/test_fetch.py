"""Sources to files, against a real server on the loopback interface."""

import socket
import threading
from contextlib import contextmanager
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from drawn import read_index, write_test_photo, write_test_video
from hearing import hearing

from dancepipe.errors import FetchError
from dancepipe.media.fetch import expand_sources, fetch, source_key
from dancepipe.media.read import VideoReader


class Site:
    """What the server serves and what it saw."""

    def __init__(self):
        self.bodies: dict[str, tuple[str, bytes]] = {}  # path: type, body
        self.status: dict[str, int] = {}
        self.redirects: dict[str, str] = {}
        self.requests: list[tuple[str, str, str | None]] = []  # method, path, Range
        self.drop_after: dict[
            str, int
        ] = {}  # path: bytes of each answer before the connection dies
        self.drops_left = 10**9
        self.hide_length: set[str] = set()
        self.connections = 0
        self.address = ""

    def gets(self, path):
        return [
            range_ for method, seen, range_ in self.requests if method == "GET" and seen == path
        ]


class Handler(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.answer(False)

    def do_GET(self):
        self.answer(True)

    def do_CONNECT(self):
        self.server.site.requests.append((self.command, self.path, None))
        self.send_error(502)

    def answer(self, with_body):
        site, path = self.server.site, self.path.split("?")[0]
        wanted = self.headers.get("Range")
        site.requests.append((self.command, path, wanted))
        if path in site.redirects:
            self.send_response(302)
            self.send_header("Location", site.redirects[path])
            self.end_headers()
            return
        if path in site.status or path not in site.bodies:
            self.send_error(site.status.get(path, 404))
            return
        kind, body = site.bodies[path]
        first = 0
        if wanted:
            first = int(wanted.removeprefix("bytes=").split("-")[0])
            if first >= len(body):
                self.send_error(416)
                return
        part = body[first:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Type", kind)
        self.send_header("Accept-Ranges", "bytes")
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        if path not in site.hide_length:
            self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        if not with_body:
            return
        if path in site.drop_after and site.drops_left > 0 and len(part) > site.drop_after[path]:
            site.drops_left -= 1
            part = part[: site.drop_after[path]]
        try:
            self.wfile.write(part)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client had enough

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def process_request(self, request, client_address):
        self.site.connections += 1
        super().process_request(request, client_address)


class Ipv6Server(Server):
    address_family = socket.AF_INET6


@contextmanager
def serving(kind=Server, host="127.0.0.1"):
    server = kind((host, 0), Handler)
    server.site = Site()
    server.site.address = f"http://{f'[{host}]' if ':' in host else host}:{server.server_port}"
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
    )
    thread.start()
    try:
        yield server.site
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def site(monkeypatch):
    for name in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> bytes:
    """About 200 kB."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    noise = np.random.default_rng(0).integers(0, 256, (20, 96, 128, 3), np.uint8)
    write_test_video(
        path, 20, size_wh=(128, 96), draw=lambda index, _: noise[index], options={"crf": "20"}
    )
    assert path.stat().st_size > 100_000
    return path.read_bytes()


def leftovers(folder):
    return sorted(entry.name for entry in folder.iterdir())


def quietly(source, folder, **options):
    options.setdefault("retries", 1)
    return fetch(source, folder, timeout_seconds=5, **options)


def test_a_file_is_fetched_under_its_key_and_only_once(tmp_path, site, clip):
    site.bodies["/dance.mp4"] = ("video/mp4", clip)
    url = site.address + "/dance.mp4"
    path = quietly(url, tmp_path / "new" / "folder")
    assert (
        path == tmp_path / "new" / "folder" / f"{source_key(url)}.mp4" and path.read_bytes() == clip
    )
    seen = len(site.requests)
    assert quietly(url, tmp_path / "new" / "folder") == path and len(site.requests) == seen
    assert leftovers(path.parent) == [path.name]


def test_same_names_on_different_hosts_do_not_collide(tmp_path, site, clip):
    write_test_video(tmp_path / "other.mp4", 3)
    site.bodies["/a/clip.mp4"] = ("video/mp4", clip)
    site.bodies["/b/clip.mp4"] = ("video/mp4", (tmp_path / "other.mp4").read_bytes())
    first, second = (quietly(f"{site.address}/{name}/clip.mp4", tmp_path / "out") for name in "ab")
    assert first != second and first.read_bytes() == clip != second.read_bytes()


def test_names_from_the_web_are_not_used(tmp_path, site, clip):
    site.bodies["/..%2F..%2Fevil;rm%20-rf.mp4"] = ("video/mp4", clip)
    url = site.address + "/..%2F..%2Fevil;rm%20-rf.mp4"
    assert quietly(url, tmp_path).name == f"{source_key(url)}.mp4" and len(leftovers(tmp_path)) == 1


def test_a_page_with_one_video(tmp_path, site, clip):
    site.bodies["/page"] = (
        "text/html",
        b"<html><title>x</title><body><video src='/v/clip.mp4'></video></body></html>",
    )
    site.bodies["/v/clip.mp4"] = ("video/mp4", clip)
    assert quietly(site.address + "/page", tmp_path).read_bytes() == clip


def test_a_dropped_connection_is_taken_up_where_it_broke(tmp_path, site, clip):
    site.bodies["/dance.mp4"] = ("video/mp4", clip)
    site.drop_after["/dance.mp4"], site.drops_left = len(clip) // 3, 3
    assert quietly(site.address + "/dance.mp4", tmp_path, retries=6).read_bytes() == clip
    starts = [
        int(range_.removeprefix("bytes=").split("-")[0])
        for range_ in site.gets("/dance.mp4")
        if range_
    ]
    assert max(starts) >= len(clip) // 3  # it went on in the middle, with a Range


def test_a_later_run_takes_up_what_an_earlier_one_left(tmp_path, site, clip):
    site.bodies["/dance.mp4"] = ("video/mp4", clip)
    url = site.address + "/dance.mp4"
    site.drop_after["/dance.mp4"] = len(clip) // 3
    with pytest.raises(FetchError, match="dance.mp4"):
        quietly(url, tmp_path, retries=0)
    (part,) = [entry for entry in tmp_path.iterdir() if entry.name.endswith(".part")]
    assert 0 < part.stat().st_size < len(clip)
    del site.drop_after["/dance.mp4"]
    site.requests.clear()
    path = quietly(url, tmp_path)
    assert path.read_bytes() == clip and leftovers(tmp_path) == [path.name]
    assert any(range_ and not range_.startswith("bytes=0-") for range_ in site.gets("/dance.mp4"))


def test_text_named_mp4_is_refused_and_removed(tmp_path, site):
    site.bodies["/a.mp4"] = ("video/mp4", b"I am no video\n" * 100)
    with pytest.raises(FetchError, match="what it sent is no video"):
        quietly(site.address + "/a.mp4", tmp_path)
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("status, words", [(403, "403"), (404, "404"), (500, "500")])
def test_http_errors_are_named(tmp_path, site, status, words):
    site.status["/a.mp4"] = status
    with pytest.raises(FetchError, match=words) as caught:
        quietly(site.address + "/a.mp4", tmp_path, retries=0)
    assert (
        site.address in str(caught.value)
        and "\n" not in str(caught.value)
        and leftovers(tmp_path) == []
    )


def test_other_failures_are_named(tmp_path, site):
    site.bodies["/page"] = ("text/html", b"<html><body>nothing to see</body></html>")
    site.bodies["/empty.mp4"] = ("video/mp4", b"")
    with serving() as gone:
        refused = gone.address + "/a.mp4"
    for url, words in (
        (site.address + "/page", "Unsupported URL|no video"),
        (site.address + "/empty.mp4", "."),
        (refused, "refused"),
        ("http://[bad/a.mp4", "Invalid"),
        ("http://no-such-host.invalid/a.mp4", "resolve|Name or service|name resolution"),
    ):
        with pytest.raises(FetchError, match=words):
            quietly(url, tmp_path, retries=0)
        assert leftovers(tmp_path) == []


PASSWORD, SECRETS = "hunter2%21", ("hunter2", "session77", "t0ken", "kenken", "sig88", "frag99")
WITH_SECRETS = (
    "/a;jsessionid=session77/b.mp4?url=http%3A%2F%2Fbob%3Ahunter2%40h%2F%3Fsig%3Dsig88"
    "&token=t0ken%20kenken.t0ken&X-Amz-Signature=sig88#access_token=frag99"
)


def answer_with_a_file(site, path):
    site.bodies[path] = ("video/mp4", b"I am no video\n" * 100)


def answer_with_a_page(site, path):
    site.bodies[path] = ("text/html", f"<title>{site.address}{WITH_SECRETS}</title>".encode())


def answer_with_a_broken_playlist(site, path):
    listing = b"#EXTM3U\n#EXTINF:2,\nx.ts\n#EXT-X-ENDLIST\n"
    site.bodies[path] = ("application/vnd.apple.mpegurl", listing)


def answer_with_a_loop(site, path):
    site.redirects[path] = WITH_SECRETS


def answer_with_another_scheme(site, path):
    site.redirects[path] = "ftp://bob:hunter2@127.0.0.1" + WITH_SECRETS


def answer_in_the_own_network(site, path):
    site.redirects[path] = "http://bob:hunter2@10.0.0.1" + WITH_SECRETS


@pytest.mark.parametrize(
    "answer",
    [
        *(
            lambda site, path, status=status: site.status.update({path: status})
            for status in (401, 403, 404, 500)
        ),
        answer_with_a_file,
        answer_with_a_page,
        answer_with_a_broken_playlist,
        answer_with_a_loop,
        answer_with_another_scheme,
        answer_in_the_own_network,
    ],
)
def test_no_failure_tells_the_secrets_of_an_address(tmp_path, site, answer):
    answer(site, WITH_SECRETS.partition("?")[0])
    address = site.address.replace("//", f"//ann:{PASSWORD}@") + WITH_SECRETS
    said = []
    with pytest.raises(FetchError) as caught:
        with hearing(said.append):
            fetch(address, tmp_path, retries=0)
    error = caught.value
    told = [str(error), repr(error), error.source, error.reason, *said]
    told += [path.name + path.read_bytes().decode("latin-1") for path in tmp_path.iterdir()]
    assert site.requests and site.address in str(error)
    assert not [(secret, words) for secret in SECRETS for words in told if secret in words]


def test_what_was_fetched_is_told_without_secrets(tmp_path, site, clip):
    site.bodies[WITH_SECRETS.partition("?")[0]] = ("video/mp4", clip)
    said = []
    with hearing(said.append):
        fetch(site.address.replace("//", "//ann:hunter2@") + WITH_SECRETS, tmp_path)
    assert len(said) == 1 and site.address in said[0]
    assert not [secret for secret in SECRETS if secret in said[0]]


def test_lists_with_mistyped_addresses_do_not_tell_their_secrets(tmp_path):
    for line in ("http:/ann:hunter2@h/a.mp4", "//ann:hunter2@h/a.mp4", "ftp://ann:hunter2@h/a.mp4"):
        (tmp_path / "list.txt").write_text(line + "\n")
        with pytest.raises(FetchError) as caught:
            expand_sources([str(tmp_path / "list.txt")])
        assert "hunter2" not in str(caught.value) and "h/a.mp4" in str(caught.value)


def test_other_schemes_are_refused(tmp_path, site, clip):
    (tmp_path / "secret.mp4").write_bytes(clip)
    for source in (
        f"file://{tmp_path}/secret.mp4",
        "FILE:///etc/passwd",
        "ftp://127.0.0.1/a.mp4",
        "rtsp://127.0.0.1/a",
    ):
        with pytest.raises(FetchError, match="is not fetched; give an http"):
            quietly(source, tmp_path / "out")
    site.redirects["/a.mp4"] = f"file://{tmp_path}/secret.mp4"
    with pytest.raises(FetchError):
        quietly(site.address + "/a.mp4", tmp_path / "out", retries=0)
    assert leftovers(tmp_path / "out") == []


@pytest.mark.parametrize("own_network", [False, True])
@pytest.mark.parametrize(
    "target",
    ["ftp://127.0.0.1:{}/a.mp4", "rtmp://127.0.0.1:{}/a/b", "data:video/mp4;base64,AAAA"],
)
def test_nothing_on_the_way_may_be_of_another_scheme(tmp_path, site, target, own_network):
    with serving() as other:
        target = target.format(other.address.rpartition(":")[2])
        page = f"<title>x</title><video src='{target}'></video>"
        site.bodies["/page"] = ("text/html", page.encode())
        site.redirects["/a.mp4"] = target
        for name, words in (("/page", "and only http.s. is fetched"), ("/a.mp4", ".")):
            with pytest.raises(FetchError, match=words):
                quietly(site.address + name, tmp_path / "out", retries=0, own_network=own_network)
        assert other.connections == 0 and leftovers(tmp_path / "out") == []


@pytest.mark.parametrize("declared", [True, False])
def test_what_is_too_large_is_refused_and_removed(tmp_path, site, clip, declared):
    site.bodies["/a.mp4"] = ("video/mp4", clip)
    if not declared:
        site.hide_length.add("/a.mp4")
    with pytest.raises(FetchError, match="larger than the limit of 50000 bytes"):
        quietly(site.address + "/a.mp4", tmp_path, max_bytes=50_000)
    assert leftovers(tmp_path) == []


def test_pages_with_several_videos_are_refused(tmp_path, site, clip):
    site.bodies["/page"] = (
        "text/html",
        b"<video src='/a.mp4'></video><video src='/b.mp4'></video>",
    )
    for name in ("/a.mp4", "/b.mp4"):
        site.bodies[name] = ("video/mp4", clip)
    with pytest.raises(FetchError, match="list of several videos"):
        quietly(site.address + "/page", tmp_path)


def serve_playlist(site, tmp_path, name, level, ending="#EXT-X-ENDLIST\n"):
    rng = np.random.default_rng(
        0
    )  # a little noise: ffmpeg does not know a stream of two kilobytes for what it is
    write_test_video(
        tmp_path / f"{name}.ts",
        10,
        size_wh=(64, 48),
        draw=lambda _, wh: rng.integers(level, level + 50, (wh[1], wh[0], 3), np.uint8),
    )
    site.bodies[f"/{name}.ts"] = ("video/mp2t", (tmp_path / f"{name}.ts").read_bytes())
    listing = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{name}.ts\n{ending}"
    site.bodies[f"/{name}.m3u8"] = ("application/vnd.apple.mpegurl", listing.encode())


def test_the_smaller_of_two_heights_is_taken(tmp_path, site):
    playlist = "#EXTM3U\n"
    for name, level, width, height in (("big", 0, 1920, 1080), ("small", 200, 640, 480)):
        serve_playlist(site, tmp_path, name, level)
        playlist += (
            f"#EXT-X-STREAM-INF:BANDWIDTH={width * 1000},RESOLUTION={width}x{height}\n{name}.m3u8\n"
        )
    site.bodies["/all.m3u8"] = ("application/vnd.apple.mpegurl", playlist.encode())
    with VideoReader(
        quietly(site.address + "/all.m3u8", tmp_path / "out", max_height_px=720)
    ) as video:
        assert next(iter(video)).image.mean() > 150
    with pytest.raises(FetchError, match="no video of at most 240 pixels height"):
        quietly(site.address + "/all.m3u8", tmp_path / "low", max_height_px=240)


def test_live_broadcasts_are_refused(tmp_path, site):
    serve_playlist(site, tmp_path, "live", 0, ending="")
    with pytest.raises(FetchError, match="live broadcast"):
        quietly(site.address + "/live.m3u8", tmp_path / "out")


def test_a_limited_rate_is_kept(tmp_path, site, clip):
    import time

    site.bodies["/a.mp4"] = ("video/mp4", clip)
    start = time.monotonic()
    quietly(site.address + "/a.mp4", tmp_path, rate_limit_bytes_per_second=len(clip))
    assert time.monotonic() - start > 0.5


def test_local_paths_come_back_as_they_are(tmp_path):
    write_test_video(tmp_path / "a.mp4", 3)
    assert (
        fetch(str(tmp_path / "a.mp4"), tmp_path / "unused") == tmp_path / "a.mp4"
        and not (tmp_path / "unused").exists()
    )
    write_test_photo(tmp_path / "photo.png")
    (tmp_path / "text.mp4").write_text("x" * 500)
    for name, words in (
        ("none.mp4", "no such file"),
        ("photo.png", "picture"),
        ("text.mp4", "not a video"),
        (".", "folder"),
    ):
        with pytest.raises(FetchError, match=words):
            fetch(str(tmp_path / name), tmp_path / "unused")


def test_folders_that_cannot_be_made(tmp_path, site, clip):
    site.bodies["/a.mp4"] = ("video/mp4", clip)
    (tmp_path / "file").touch()
    with pytest.raises(FetchError, match="cannot be made"):
        quietly(site.address + "/a.mp4", tmp_path / "file" / "folder")


def test_keys_tell_sources_apart_and_paths_alike(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert source_key("a.mp4") == source_key(str(tmp_path / "a.mp4")) == source_key("./x/../a.mp4")
    keys = {
        source_key(source)
        for source in ("a.mp4", "b.mp4", "http://h/a.mp4", "http://h/a.mp4?b=1", "https://h/a.mp4")
    }
    assert len(keys) == 5 and all(
        len(key) == 16 and set(key) <= set("0123456789abcdef") for key in keys
    )


def test_who_logs_in_is_no_part_of_a_key_but_all_else_is():
    users = ("", "ann@", "ann:pw@", "bob:p%40w@", "a:b@c@")
    keys = {source_key(f"http://{user}h/a.mp4?token=1") for user in users}
    assert len(keys) == 1
    others = ("h/a.mp4?token=2", "h/a.mp4", "h/a.mp4?token=1#t=3", "h:81/a.mp4?token=1")
    assert len(keys | {source_key(f"http://{other}") for other in others}) == 5


def test_sources_expand_in_order_without_repeats(tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("b.mp4", "A.MOV", "c.webm", "notes.md", "x.part"):
        (folder / name).touch()
    (folder / "inner.mp4").mkdir()
    (tmp_path / "list.txt").write_bytes(
        "\ufeff# all of them\r\nhttp://h/x.mp4#t=3  # the best\r\n\r\nclips/b.mp4\r\n  clips  "
        "\r\nhttp://h/x.mp4#t=3\r\n".encode()
    )
    said = []
    with hearing(said.append):
        found = expand_sources([str(folder / "c.webm"), str(tmp_path / "list.txt"), "https://h/y"])
    assert found == [
        str(folder / "c.webm"),
        "http://h/x.mp4#t=3",
        str(folder / "b.mp4"),
        str(folder / "A.MOV"),
        "https://h/y",
    ]
    assert len(said) == 3 and all("twice" in words for words in said)


def test_sources_that_give_nothing_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.txt").write_text("# nothing\n\n")
    (tmp_path / "broken.txt").write_text("ok.mp4\nmissing.mp4\n")
    (tmp_path / "ok.mp4").touch()
    (tmp_path / "nested.txt").write_text("empty.txt\n")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00\x80")
    (tmp_path / "scheme.txt").write_text("file:///etc/passwd\n")
    for name, words in (
        ("none.mp4", "no such file"),
        ("empty", "holds no video"),
        ("empty.txt", "names no source"),
        ("broken.txt", "line 2 of .*missing.mp4"),
        ("nested.txt", "another list"),
        ("binary.txt", "UTF-8"),
        ("scheme.txt", "not fetched"),
    ):
        with pytest.raises(FetchError, match=words):
            expand_sources([str(tmp_path / name)])
    with pytest.raises(FetchError, match="file:// is not fetched"):
        expand_sources(["file:///etc/passwd"])


def test_a_fetched_video_reads(tmp_path, site):
    write_test_video(tmp_path / "a.mp4", 5, Fraction(25))
    site.bodies["/a"] = ("video/mp4", (tmp_path / "a.mp4").read_bytes())
    with VideoReader(quietly(site.address + "/a", tmp_path / "out")) as video:
        assert [read_index(frame.image) for frame in video] == list(range(5))
