"""What a server that gives no video wants: more time, a browser's cookies, or JavaScript."""

import email.utils
import re
import time
from collections.abc import Iterable, Iterator

_LATER = (429, 503)  # too many requests; not available now
_FOR_NOW = (408, 425, 500, 502, 504, *_LATER)  # another time may help
_MOST_SECONDS = 120.0  # who asks for more is left alone in this run
_FIRST_SECONDS = 2.0  # where no time is named; doubled each time
_ROBOT = re.compile(
    r"not a (?:ro)?bot|sign in to confirm|captcha|unusual traffic|cloudflare|anti-bot|"
    r"confirm you.re human",
    re.IGNORECASE,
)
_JAVASCRIPT = re.compile(r"javascript runtime|js runtime|jsc? challenge|nsig", re.IGNORECASE)


def seconds_to_wait(error: BaseException, attempt: int) -> float | None:
    """After which time to ask again; None when that would not help, or takes too long.

    error: with the answer of the server among what caused it. attempt: how often it was asked
    again already.
    """
    answer = next((one for one in _causes(error) if getattr(one, "status", None) in _LATER), None)
    if answer is None:
        return None
    headers = getattr(getattr(answer, "response", None), "headers", None) or {}
    wait = _parsed(headers.get("Retry-After"))
    wait = _FIRST_SECONDS * 2**attempt if wait is None else wait
    return wait if wait <= _MOST_SECONDS else None


def may_pass(error: BaseException) -> bool:
    """Whether another time may help: the server was busy or broken, or the connection failed.

    error: with what caused it. A host whose name is not found counts, as the network may be away.
    """
    from yt_dlp.networking.exceptions import CertificateVerifyError, TransportError

    causes = list(_causes(error))
    if any(isinstance(one, CertificateVerifyError) for one in causes):
        return False
    return any(
        isinstance(one, (TransportError, TimeoutError, ConnectionError))
        or getattr(one, "status", None) in _FOR_NOW
        for one in causes
    )


def advice(words: str, warnings: Iterable[str]) -> str:
    """What to add to an error's words, of what the user can do; empty where nothing is known."""
    if _ROBOT.search(words):
        return (
            "; the site takes this for a robot: give the cookies file of a browser that is signed "
            "in there with --cookies, ask less often with --pause-seconds, or try another day"
        )
    if any(_JAVASCRIPT.search(line) for line in (words, *warnings)):
        return (
            "; this site needs a JavaScript runtime, and yt-dlp found none: install deno or Node.js"
        )
    return ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """All that led to an error; yt-dlp keeps some of it in attributes."""
    waiting, seen = [error], set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        info = getattr(one, "exc_info", None)
        waiting += [one.__cause__, one.__context__, getattr(one, "cause", None)]
        waiting += [info[1]] if isinstance(info, tuple) and len(info) == 3 else []


def _parsed(retry_after: str | None) -> float | None:
    """Seconds of a Retry-After header: a number, or a date."""
    if not retry_after:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
