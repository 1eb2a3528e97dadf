"""What is a secret in an address never gets out, and what is none stays readable."""

import random
import string
import time

import pytest

from dancepipe.address import HIDDEN, public_address, without_secrets

SECRETS = {
    "https://ann:hunter2@host.org/dance.mp4": "https://host.org/dance.mp4",
    "HTTPS://ANN:HUNTER2@HOST.org:8443/a": "HTTPS://HOST.org:8443/a",
    "http://ann%40home:p%40ss@host/a": "http://host/a",
    "http://a@b@host/x@y": "http://host/x@y",
    "rtmp://ann:pw@host/live": "rtmp://host/live",
    "//ann:pw@host/x": "//host/x",
    "http://ann@[::1]:80/x": "http://[::1]:80/x",
    "http://ann:pw@[broken/x": "http://[broken/x",
    "http://h/x?token=abc&v=3": "http://h/x?token=***&v=3",
    "http://h?TOKEN=abc;page=2": "http://h?TOKEN=***;page=2",
    "http://h/?access_token=1&api-key=2&authToken=3": (
        "http://h/?access_token=***&api-key=***&authToken=***"
    ),
    "http://h/?X-Amz-Signature=1&X-Amz-Credential=2": (
        "http://h/?X-Amz-Signature=***&X-Amz-Credential=***"
    ),
    "http://h/?sv=2024&se=2&sp=r&sr=b&sig=abc%3D": "http://h/?sv=***&se=***&sp=***&sr=***&sig=***",
    "http://h/?Key-Pair-Id=K1&Policy=e30&Signature=x": (
        "http://h/?Key-Pair-Id=***&Policy=***&Signature=***"
    ),
    "http://h/?password=&pass=1&pwd[]=2&code=3": "http://h/?password=&pass=***&pwd[]=***&code=***",
    "http://h/?hdnts=exp=1~acl=/*~hmac=ab&hdnea=2&jwt=3&code=4": (
        "http://h/?hdnts=***&hdnea=***&jwt=***&code=***"
    ),
    "http://h/?AWSAccessKeyId=A&Expires=1&user[password]=4": (
        "http://h/?AWSAccessKeyId=***&Expires=1&user[password]=***"
    ),
    "http://h/?ASP.NET_SessionId=2&connect.sid=3": (
        "http://h/?ASP.NET_SessionId=***&connect.sid=***"
    ),
    "http://h/?tOkEn=1&SiG=2&token2=3&X-GOOG-Date=4&a&amp;auth=5": (
        "http://h/?tOkEn=***&SiG=***&token2=***&X-GOOG-Date=***&a&amp;auth=***"
    ),
    "http://h/?to%6ben=abc": "http://h/?to%6ben=***",
    "http://h/?%2574oken=abc": "http://h/?%2574oken=***",
    "http://h/x;jsessionid=1F?a=1": "http://h/x;jsessionid=***?a=1",
    "http://h/x;jsessionid=1F/b?a=1": "http://h/x;jsessionid=***/b?a=1",
    "http://h/hdnts=exp=1/v.m3u8": "http://h/hdnts=***/v.m3u8",
    "http://h/manifest/sig/AE0F1B2C3D4E5F6A7B8C/v.m3u8": "http://h/manifest/sig/***/v.m3u8",
    "http://h/x#access_token=abc&t=3": "http://h/x#access_token=***&t=3",
    "http://h/#/route?token=abc": "http://h/#/route?token=***",
    "http://h/?x=Zm9vYmFy0QzR9kLm3PqT8w": "http://h/?x=***",
    "http://h/?q=d41d8cd98f00b204e9800998ecf8427e": "http://h/?q=***",
    "http://h/eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbg/v.mp4": "http://h/***/v.mp4",
    "http://h/?id=eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbg": "http://h/?id=***",
    "http://h/eyJhbGciOiJkaXIi..aXY.Y2lwaGVy.dGFn/v": "http://h/***/v",
    # addresses inside of addresses
    "http://h/?url=http://ann:pw@x/?token=1": "http://h/?url=http://x/?token=***",
    "http://h/?url=http%3A%2F%2Fann%3Apw%40x%2F%3Ftoken%3D1%26a%3D2&b=1": (
        "http://h/?url=http://x/%3Ftoken%3D***%26a%3D2&b=1"
    ),
    "http://h/?url=http%253A%252F%252Fann%253Apw%2540x": "http://h/?url=http://x",
    "http://h/?next=%2Fwatch%3Ftoken%3Dabc%26v%3D3": "http://h/?next=/watch%3Ftoken%3D***%26v%3D3",
    "http://proxy/http://ann:pw@x/y?sig=1": "http://proxy/http://x/y?sig=***",
    "http://proxy/http%3A%2F%2Fann%3Apw%40x%2F/z": "http://proxy/http://x//z",
    "http://h/\ud800?u=%2F%3Ftoken%3D\ud800": "http://h/\ud800?u=/%3Ftoken%3D***",
    "http://h/?a=%ff\udcff&token=\udcfe": "http://h/?a=%ff\udcff&token=***",
    # what is mistyped is shown like the rest
    "http:///ann:pw@h/x": "http:///h/x",
    "http:/ann:pw@h/x": "http:/h/x",
    "HTTP:ann:pw@h/x": "HTTP:h/x",
    "folder/http:/ann:pw@h/x": "folder/http:/h/x",
    "http:\\\\ann:pw@h/x": "http:\\\\h/x",
    "://ann:pw@h/x": "://h/x",
    "http://ann:p/w@h/x@y": "http://h/x@y",
    "http://ann:p#w@h/x": "http://h/x",
    "http://ann:p?w@h/x": "http://h/x",
}
HARMLESS = [
    "https://www.youtube.com/watch?v=dQw4w9WgXcQ&list=PLrAXtmErZgOeiKm4sgNOknGvNjby9efdf&t=10s",
    "https://example.org/watch/slug-of-many-words-1234567?id=12345&keyword=dance&monkey=1",
    "https://example.org/a%20b.mp4?date=2026-11-27T15:41:10Z&title=summerdance2026finalcut#t=30",
    "https://example.org/?author=a&design=b&compass=c&hockey=d&sidebar=e&country_code=de&passage=f",
    "https://example.org/?title=TheBestDanceVideoEver&file=take1_part2_cut3_final.mp4&sp=1&se=2",
    "https://example.org/100%.mp4?x=50%&y=50%25&empty=&flag#",
    "https://example.org/a=b.mp4?path=/videos/Dance2026/HD1080/clip3&time=20261127T154110123456Z",
    "https://example.org/d41d8cd98f00b204e9800998ecf8427e.mp4?id=d41d8cd98f00b204e9800998ecf8427e",
    "https://www.tiktok.com/@ann/video/7123456789012345678",
    "https://example.org:8000/@ann/x",
    "http://[::1]/@ann",
    "http://[::1",
    "//example.org/x@y",
    "http://127.0.0.1:8000/dance.mp4",
    "/home/ann/videos/a;token=1?key=2.mp4",
    "videos/ann@home.mp4",
    "",
    "\udcff\udcfe.mp4",
]


@pytest.mark.parametrize("address", SECRETS)
def test_secrets_go(address):
    assert public_address(address) == SECRETS[address]
    assert public_address(SECRETS[address]) == SECRETS[address]  # twice does no harm


@pytest.mark.parametrize("address", HARMLESS)
def test_what_is_no_secret_stays(address):
    assert public_address(address) == address


def test_addresses_inside_a_text_lose_theirs_too():
    text = "cannot fetch 'http://ann:pw@h/x?token=1': see (https://h/y?sig=2), or http://h/z?a=1."
    assert without_secrets(text) == (
        "cannot fetch 'http://h/x?token=***': see (https://h/y?sig=***), or http://h/z?a=1."
    )


def test_pairs_that_were_torn_from_an_address_lose_theirs_too():
    assert without_secrets("[generic] x?token=abc&a=1: is it ok? key=3") == (
        "[generic] x?token=***&a=1: is it ok? key=3"
    )


def test_the_secrets_of_one_address_are_removed_wherever_they_stand():
    address = "http://bob:secr%65t99@h/x?token=hunter%2022&a=1"
    text = "no such hunter 22 (hunter%2022) of bob:secr%65t99, secret99; a=1"
    assert without_secrets(text, of=address) == "no such *** (***) of ***, ***; a=1"
    assert without_secrets(text, of="/hunter 22") == text


def test_random_values_are_told_from_words():
    """Keys as servers make them; 1 of 20 may be missed."""
    draw = random.Random(0)
    for letters in (string.ascii_letters + string.digits, string.hexdigits.lower()[:16]):
        values = ["".join(draw.choices(letters, k=32)) for _ in range(500)]
        kept = [value for value in values if value in public_address(f"http://h/?x={value}")]
        assert len(kept) < 25


MILLION = 10**6
LONG = [
    "http://" + "a" * MILLION,
    "a" * MILLION,
    "http://h?" + "a=1&" * (MILLION // 4),
    "http://h?" + "&".join(f"A{number}b=b" for number in range(MILLION // 10)),
    "http://h?x=" + "aB1" * (MILLION // 3),
    "://" * (MILLION // 3),
    "http://h/" + ";" * MILLION,
    "http://h/" + "eyJ" * (MILLION // 3),
    "http://h/" + "eyJaaaaa." * (MILLION // 9),
    "http://" + "@" * MILLION,
    "http://h?" + "a=" * (MILLION // 2),
    "http://h?a=" + "%25" * (MILLION // 3),
    "http://a:b/" + "#" * MILLION,
    "/" * MILLION,
    "/http:" * (MILLION // 6),
    "//a@ " * (MILLION // 5),
    "?a=1 " * (MILLION // 5),
    "a://?b=1 " * (MILLION // 9),
]


@pytest.mark.parametrize("text", LONG, ids=[text[:12] for text in LONG])
def test_no_address_takes_long(text):
    started = time.process_time()
    public_address(text)
    without_secrets(text, of=text[:1000])
    assert time.process_time() - started < 3  # some tenths of a second on a quiet machine


def test_long_addresses_tell_nothing_of_their_ends():
    for start in ("http://h/", "http://h/?a=", "http://h/x?url=http://ann:"):
        told = public_address(start + "a" * 70_000 + "hunter2@h/?token=hunter2")
        assert told.endswith(HIDDEN) and "hunter2" not in told
    assert public_address("http://ann:" + "a" * 70_000 + "@h/x") == "http://h/x"
