"""A download may not lead into the user's own network, unless the user named that place."""

import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from test_fetch import Ipv6Server, clip, quietly, serving, site
from yt_dlp.networking.common import _REQUEST_HANDLERS

from dancepipe.errors import FetchError
from dancepipe.media.downloader import Downloader
from dancepipe.media.own_network import is_public, outside_alone

assert clip and site  # fixtures


@pytest.fixture
def inner(clip):
    """A server of the user's own network that nobody named."""
    with serving() as running:
        offer(running, clip)
        yield running


def offer(server, clip):
    server.bodies["/secret.mp4"] = ("video/mp4", clip)
    server.bodies["/one.ts"] = ("video/mp2t", clip)
    server.bodies["/key"] = ("application/octet-stream", bytes(16))


def place_of(server) -> tuple[str, int]:
    return "127.0.0.1", int(server.address.rpartition(":")[2])


def connections_to(server) -> int:
    """How many were made; one of our own stands behind them in the queue, and is taken off."""
    before = len(server.requests)
    with socket.create_connection(place_of(server)) as connection:
        connection.sendall(b"GET /nothing HTTP/1.0\r\n\r\n")
        while connection.recv(4096):
            pass
    assert len(server.requests) == before + 1
    return server.connections - 1


def redirect(site, target: str) -> str:
    site.redirects["/clip.mp4"] = target
    return f"{site.address}/clip.mp4"


def page(site, text: str, kind: str = "text/html", name: str = "/page.html") -> str:
    site.bodies[name] = (kind, text.encode())
    return site.address + name


NAMED = "https://192.0.2.1/"  # of no network, for those who write about networks
PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n{}#EXTINF:1,\n{}/one.ts\n#EXT-X-ENDLIST\n"
HALF = "#EXTINF:1,\nlist.ts\n"
KEY = '#EXT-X-KEY:METHOD=AES-128,URI="{}/key"\n'


def playlist(site, segments: str, before: str = "") -> str:
    for name in ("/list.ts", "/one.ts"):
        site.bodies[name] = ("video/mp2t", bytes(1000))
    text = PLAYLIST.format(before, segments)
    return page(site, text, "application/vnd.apple.mpegurl", "/list.m3u8")


WAYS = {
    "another port": lambda site, to: redirect(site, f"{to}/secret.mp4"),
    "by another name": lambda site, to: redirect(
        site, f"{to.replace('127.0.0.1', 'localhost')}/secret.mp4"
    ),
    "in other digits": lambda site, to: redirect(
        site, f"{to.replace('127.0.0.1', '2130706433')}/secret.mp4"
    ),
    "a page that names it": lambda site, to: page(
        site, f"<html><body><video src='{to}/secret.mp4'></video></body></html>"
    ),
    "a playlist": lambda site, to: playlist(site, to),
    "the second half of a playlist": lambda site, to: playlist(site, to, HALF),
    "the key of a playlist": lambda site, to: playlist(site, site.address, KEY.format(to)),
    "a playlist of playlists": lambda site, to: page(
        site,
        f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\n{to}/low.m3u8\n",
        "application/vnd.apple.mpegurl",
        "/all.m3u8",
    ),
}


@pytest.fixture(params=[True, False], ids=["requests", "urllib"])
def with_requests(request, monkeypatch):
    """yt-dlp takes the package requests where it is installed, and Python's urllib elsewhere."""
    if not request.param:
        monkeypatch.delitem(_REQUEST_HANDLERS, "Requests")


@pytest.mark.usefixtures("with_requests")
@pytest.mark.parametrize("way", WAYS)
def test_ways_into_the_own_network_are_refused_before_a_connection(tmp_path, site, inner, way):
    source = WAYS[way](site, inner.address)
    with pytest.raises(FetchError, match="it leads on to .*, in your own network") as refused:
        quietly(source, tmp_path, retries=5)
    told = str(refused.value)
    assert "--own-network" in told and source in told and str(place_of(inner)[1]) in told
    assert "\n" not in told
    assert connections_to(inner) == 0
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".mp4"]


def test_the_same_holds_for_ipv6(tmp_path, site, clip):
    try:
        ipv6 = serving(Ipv6Server, "::1")
        other = ipv6.__enter__()
    except OSError:
        pytest.skip("this machine has no IPv6")
    try:
        offer(other, clip)
        source = redirect(site, f"{other.address}/secret.mp4")
        with pytest.raises(FetchError, match=r"it leads on to \[::1\]:\d+, in your own network"):
            quietly(source, tmp_path)
        assert other.connections == 0
        assert quietly(source, tmp_path, own_network=True).read_bytes() == clip
        assert quietly(f"{other.address}/secret.mp4", tmp_path / "named").read_bytes() == clip
    finally:
        ipv6.__exit__(None, None, None)


def test_a_name_may_not_change_its_meaning_on_the_way(tmp_path, site, inner, monkeypatch):
    meanings = ["93.184.216.34"]  # what the name means when it is looked at first, then 127.0.0.1
    find = socket.getaddrinfo

    def changing(host, *arguments, **more):
        if host == "rebinding.example":
            host = meanings.pop() if meanings else "127.0.0.1"
        return find(host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", changing)
    port = place_of(inner)[1]
    with pytest.raises(FetchError, match=f"it leads on to 127.0.0.1:{port}"):
        quietly(f"http://rebinding.example:{port}/secret.mp4", tmp_path)
    assert not meanings and connections_to(inner) == 0


def test_programs_are_not_started_with_addresses(tmp_path, site, inner, monkeypatch):
    program, log = tmp_path / "ffmpeg", tmp_path / "log"
    program.write_text(f'#!/bin/sh\necho "$@" >> {log}\necho ffmpeg version 7.0\n')
    program.chmod(0o755)
    monkeypatch.setenv("DANCEPIPE_FFMPEG", str(program))
    # yt-dlp leaves this kind of encryption to ffmpeg.
    encrypted = f'#EXT-X-KEY:METHOD=SAMPLE-AES,URI="{inner.address}/key"\n'
    source = playlist(site, site.address, encrypted)
    with pytest.raises(FetchError, match="needs the program ffmpeg, which would connect by itself"):
        quietly(source, tmp_path / "out")
    assert not log.exists() or "://" not in log.read_text()
    with pytest.raises(FetchError):
        quietly(source, tmp_path / "out", own_network=True)
    assert "://" in log.read_text()


def test_libraries_that_connect_past_python_are_left_out(monkeypatch):
    class CurlCFFIRH(_REQUEST_HANDLERS["Urllib"]):
        pass

    monkeypatch.setitem(_REQUEST_HANDLERS, "CurlCFFI", CurlCFFIRH)
    for own_network in (False, True):
        with Downloader({"quiet": True}, own_network=own_network) as downloader:
            assert ("CurlCFFI" in downloader._request_director.handlers) is own_network
            assert "Urllib" in downloader._request_director.handlers


@pytest.mark.parametrize("host", ["169.254.169.254", "10.0.0.1", "[::1]", "[::ffff:10.0.0.1]"])
def test_nothing_is_sent_to_such_places(tmp_path, site, host):
    with pytest.raises(FetchError, match="it leads on to"):
        quietly(redirect(site, f"http://{host}/latest/meta-data"), tmp_path)


def test_the_named_place_itself_may_be_anywhere(tmp_path, site, clip):
    site.bodies["/there.mp4"] = ("video/mp4", clip)
    assert quietly(redirect(site, "/there.mp4"), tmp_path).read_bytes() == clip


def test_whoever_wants_it_can_have_it(tmp_path, site, inner, clip):
    source = redirect(site, f"{inner.address}/secret.mp4")
    assert quietly(source, tmp_path, own_network=True).read_bytes() == clip


def through(proxy, monkeypatch, kind="http", **more):
    monkeypatch.setenv("no_proxy", "")
    for name, value in {f"{kind}_proxy": proxy, **more}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("with_requests")
def test_a_proxy_of_the_user_may_be_in_the_own_network(tmp_path, site, clip, monkeypatch):
    site.bodies["http://192.0.2.1/clip.mp4"] = ("video/mp4", clip)
    site.redirects["http://192.0.2.1/moved.mp4"] = "http://93.184.216.34/clip.mp4"
    site.bodies["http://93.184.216.34/clip.mp4"] = ("video/mp4", clip)
    through(site.address, monkeypatch)
    for name in ("clip", "moved"):
        assert quietly(f"http://192.0.2.1/{name}.mp4", tmp_path).read_bytes() == clip


@pytest.mark.usefixtures("with_requests")
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", ["10.0.0.1", "localhost", "2130706433", "[::1]"])
def test_a_proxy_is_not_asked_for_the_own_network(tmp_path, site, monkeypatch, scheme, host):
    site.redirects["http://192.0.2.1/clip.mp4"] = f"{scheme}://{host}/secret.mp4"
    through(site.address, monkeypatch, https_proxy=site.address)
    with pytest.raises(FetchError, match="it leads on to .*, in your own network"):
        quietly("http://192.0.2.1/clip.mp4", tmp_path)
    assert {path for _, path, _ in site.requests} == {"http://192.0.2.1/clip.mp4"}


def test_a_proxy_may_be_named_by_a_name(site, monkeypatch):
    port = place_of(site)[1]
    through(f"socks5://localhost:{port}", monkeypatch, "all")
    with outside_alone(NAMED), socket.socket() as connection:
        connection.connect(("localhost", port))
    with pytest.raises(FetchError), outside_alone(NAMED):
        socket.create_connection(("127.0.0.1", port - 1))


def test_hosts_that_need_no_proxy_are_no_proxies(inner, monkeypatch):
    monkeypatch.setenv("no_proxy", inner.address.removeprefix("http://"))
    with pytest.raises(FetchError), outside_alone(NAMED):
        socket.create_connection(place_of(inner))
    assert connections_to(inner) == 0


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_no_way_to_send_goes_past(inner, kind):
    def connect(connection):
        connection.connect(place_of(inner))

    def connect_ex(connection):
        connection.connect_ex(place_of(inner))

    def by_name(connection):
        connection.connect(("localhost", place_of(inner)[1]))

    def send(connection):
        connection.sendto(b"x", place_of(inner))

    for way in (connect, connect_ex, by_name, send):
        with socket.socket(socket.AF_INET, kind) as connection:
            with pytest.raises(FetchError, match="it leads on to"), outside_alone(NAMED):
                way(connection)
    assert connections_to(inner) == 0


def test_threads_that_a_download_starts_are_held_to_it_too(inner):
    def connect():
        socket.create_connection(place_of(inner)).close()

    # The threads of the download may get the numbers of these, which end meanwhile.
    go = threading.Event()
    before = [threading.Thread(target=go.wait) for _ in range(4)]
    for thread in before:
        thread.start()
    with pytest.raises(FetchError, match="it leads on to"), outside_alone(NAMED):
        go.set()
        for thread in before:
            thread.join()
        with ThreadPoolExecutor(4) as pool, pytest.raises(BaseException, match="it leads on to"):
            # From a thread that a thread has started.
            pool.submit(lambda: ThreadPoolExecutor(1).submit(connect).result()).result()
    assert connections_to(inner) == 0


def test_other_threads_and_later_connections_are_left_alone(site):
    place = place_of(site)
    go, done = threading.Event(), []

    def connect():
        go.wait()
        socket.create_connection(place).close()
        done.append(True)

    def start_another():
        go.wait()
        another = threading.Thread(target=connect)
        another.start()
        another.join()

    others = [threading.Thread(target=connect), threading.Thread(target=start_another)]
    for other in others:
        other.start()
    with outside_alone(NAMED):
        go.set()
        for other in others:
            other.join()
    assert len(done) == 2
    with pytest.raises(FetchError), outside_alone(NAMED):
        socket.create_connection(place)
    socket.create_connection(place).close()


def test_a_refusal_that_a_library_swallows_is_told_all_the_same(inner):
    with pytest.raises(FetchError, match="it leads on to"), outside_alone(NAMED):
        try:
            socket.create_connection(place_of(inner))
        except BaseException:
            pass


def test_whoever_stops_a_download_is_obeyed(inner):
    with pytest.raises(KeyboardInterrupt), outside_alone(NAMED):
        try:
            socket.create_connection(place_of(inner))
        except BaseException:
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(5)


ADDRESSES = {
    "93.184.216.34": True,
    "2606:2800:220:1::1": True,
    "127.0.0.1": False,
    "0.0.0.0": False,
    "10.1.2.3": False,
    "172.16.0.1": False,
    "192.168.1.1": False,
    "100.64.0.1": False,
    "169.254.169.254": False,
    "224.0.0.1": False,
    "255.255.255.255": False,
    "::": False,
    "::1": False,
    "fe80::1%eth0": False,
    "fd00::1": False,
    "ff02::1": False,
    "::ffff:192.168.1.1": False,
    "::ffff:93.184.216.34": True,
    "64:ff9b::a00:1": False,
    "64:ff9b::5db8:d822": True,
    "64:ff9b:1::a00:1": False,
    "2002:a00:1::": False,
    "2002:5db8:d822::": True,
    "::127.0.0.1": False,
    "::ffff:0:127.0.0.1": False,
    "fec0::1": False,
    "2001::1": False,
    "2001:db8::1": False,
    "100::1": False,
    "192.0.2.1": False,
    "198.18.0.1": False,
    "240.0.0.1": False,
    "127.1": False,
    "2130706433": False,
    "no address": False,
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_is_public(address):
    assert is_public(address) is ADDRESSES[address]
