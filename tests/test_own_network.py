"""A download may not lead into the user's own network, unless the user named that place."""

import socket
import threading

import pytest
from test_fetch import clip, quietly, serving, site

from dancepipe.errors import FetchError
from dancepipe.media.own_network import is_public, outside_alone

assert clip and site  # fixtures


@pytest.fixture
def inner(clip):
    """A server of the user's own network that nobody named."""
    with serving() as running:
        running.bodies["/secret.mp4"] = ("video/mp4", clip)
        running.bodies["/one.ts"] = ("video/mp2t", clip)
        yield running


def redirect(site, target: str) -> str:
    site.redirects["/clip.mp4"] = target
    return f"{site.address}/clip.mp4"


def page(site, text: str, kind: str = "text/html", name: str = "/page.html") -> str:
    site.bodies[name] = (kind, text.encode())
    return site.address + name


PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}/one.ts\n#EXT-X-ENDLIST\n"
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
    "a playlist": lambda site, to: page(
        site, PLAYLIST.format(to), "application/vnd.apple.mpegurl", "/list.m3u8"
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_ways_into_the_own_network_are_refused_before_a_connection(tmp_path, site, inner, way):
    source = WAYS[way](site, inner.address)
    with pytest.raises(FetchError, match="it leads on to .*, in your own network") as refused:
        quietly(source, tmp_path)
    assert "--own-network" in str(refused.value) and source in str(refused.value)
    assert inner.requests == []
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".mp4"]


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


def test_a_proxy_of_the_user_may_be_in_the_own_network(tmp_path, site, clip, monkeypatch):
    site.bodies["http://somewhere.example/clip.mp4"] = ("video/mp4", clip)
    monkeypatch.setenv("http_proxy", site.address)
    monkeypatch.setenv("no_proxy", "")
    assert quietly("http://somewhere.example/clip.mp4", tmp_path).read_bytes() == clip


def test_other_threads_and_later_connections_are_left_alone(site):
    place = ("127.0.0.1", int(site.address.rpartition(":")[2]))
    go, done = threading.Event(), []

    def connect():
        go.wait()
        socket.create_connection(place).close()
        done.append(True)

    other = threading.Thread(target=connect)
    other.start()
    with outside_alone("https://192.0.2.1/"):
        go.set()
        other.join()
    assert done
    with pytest.raises(FetchError), outside_alone("https://192.0.2.1/"):
        socket.create_connection(place)
    socket.create_connection(place).close()


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
    "2002:a00:1::": False,
    "no address": False,
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_is_public(address):
    assert is_public(address) is ADDRESSES[address]
