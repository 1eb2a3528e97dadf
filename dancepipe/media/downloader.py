"""yt-dlp, held to http(s), and to connections that own_network.py sees."""

import re
import urllib.request

import yt_dlp
from yt_dlp.networking.exceptions import RequestError
from yt_dlp.utils import DownloadError

from dancepipe.address import public_address

# Those that connect by Python's own sockets. curl_cffi, which yt-dlp takes for some sites where it
# is installed, does not.
_SEEN_HANDLERS = {"Requests", "Urllib"}
_SCHEME = re.compile(r"\s*([a-zA-Z][a-zA-Z0-9+.-]*):")


class Downloader(yt_dlp.YoutubeDL):
    """Raises YoutubeDLError for an address that a site names, or leads to, that is not http(s)."""

    def __init__(self, options: dict, *, own_network: bool):
        self._own_network = own_network
        # The stubs want a TypedDict of every option.
        super().__init__(options)  # pyright: ignore[reportArgumentType]

    def build_request_director(self, handlers, preferences=None):
        if not self._own_network:
            handlers = [handler for handler in handlers if handler.RH_KEY in _SEEN_HANDLERS]
        return super().build_request_director(handlers, preferences)

    def urlopen(self, req):
        if isinstance(req, str):
            address = req
        elif isinstance(req, urllib.request.Request):
            address = req.full_url
        else:
            address = req.url
        if wrong := _other_scheme(address):
            raise RequestError(wrong)
        response = super().urlopen(req)
        if wrong := _other_scheme(response.url):
            response.close()
            raise RequestError(wrong)
        return response

    def dl(self, name, info, *arguments, **more):
        for part in info.get("requested_formats") or [info]:
            if wrong := _other_scheme(part.get("url") or ""):
                raise DownloadError(wrong)
        return super().dl(name, info, *arguments, **more)


def _other_scheme(address: str) -> str | None:
    """What is wrong with an address that is not http(s)."""
    scheme = _SCHEME.match(address)
    if scheme is None or scheme[1].lower() in ("http", "https"):
        return None
    place = public_address(address.partition("#")[0])[:200]
    return f"it leads on to {place}, and only http(s) is fetched"
