"""Addresses for screens and files: what logs in, signs or names a session is left out of them.

A user name and a password stand before the host; keys stand in the query, in the fragment, in the
path as name=value, behind semicolons, and in addresses inside of addresses. They are known by the
names that servers give them, or by their looks. A long random piece of a path without a name is
not told from the name of a file and stays, unless it is a JWT or stands behind such a name.
"""

import re
from functools import lru_cache
from urllib.parse import quote, unquote

HIDDEN = "***"

# One of these as a word of the name is enough: access_token, auth-key, X-Amz-Signature, authToken.
_SECRET_WORDS = (
    "apikey", "assertion", "auth", "authorization", "bearer", "cookie", "credential", "credentials",
    "csrf", "hdnea", "hdntl", "hdnts", "hmac", "jwt", "key", "keys", "login", "nonce", "oauth",
    "otp", "pass", "passcode", "passphrase", "passwd", "password", "pwd", "saml", "secret",
    "secrets", "sess", "sessid", "session", "sessionid", "sid", "sig", "sign", "signature",
    "ticket", "token", "tokens", "verifier", "xsrf",
)  # fmt: skip
_SECRET_NAMES = ("access_?code", "code", "hash", "invite_?code", "pin", "policy", "pw", "tok")
_SECRET_STARTS = ("x-amz-", "x-goog-", "x-oss-", "x-cos-", "q-sign", "q-ak", "q-signature")
_SECRET_ENDS = (
    "token", "secret", "password", "passwd", "pwd", "sig", "signature", "sessid", "sessionid",
    "(?<!mon)(?<!tur)(?<!don)(?<!hoc)(?<!joc)(?<!whis)key",
)  # fmt: skip
_SECRET_NAME = re.compile(
    rf"(?:^|[^a-z])(?:{'|'.join(_SECRET_WORDS)})(?:[^a-z]|$)"
    rf"|^(?:{'|'.join(_SECRET_NAMES)})$"
    rf"|^(?:{'|'.join(_SECRET_STARTS)})"
    rf"|(?:{'|'.join(_SECRET_ENDS)})\d*$"
)
# Azure signs with short names, which are secret beside a signature only.
_AZURE = {
    "se", "sip", "ske", "skoid", "sks", "skt", "sktid", "skv", "sp", "spr", "sr", "st", "sv",
}  # fmt: skip
_AZURE_SIGNATURE = re.compile(r"(?:^|[&;])sig=", re.IGNORECASE)
# Names of what is shown, not of who may see it: of any length, and as random as a key.
_HARMLESS_NAME = re.compile(r"(?:^|[^a-z])(?:id|guid|uuid|list|playlist|v|vid|video|videoid)$")

_WEB_SCHEMES = "https?|ftps?|rtmps?|rtsps?|wss?"
# With too few slashes it is no address, but shows what one would show.
_START = rf"(?:[a-zA-Z0-9+.-]*:[/\\]{{2,}}|//+|(?i:{_WEB_SCHEMES}):[/\\]?)"
_ADDRESS = re.compile(_START)
_USER = re.compile(rf"({_START})([^/?#]*)@")
# A password in which / ? or # were not encoded: what stands before them cannot be host and port.
_BROKEN_USER = re.compile(rf"({_START})([^/?#@:\[\]]+:(?!\d*(?:[/?#]|$))[^/?#@]*[/?#][^@]*)@")
# One with too few slashes that was joined to a folder, and is a path by now.
_MISTYPED_USER = re.compile(rf"(?<!\w)((?i:{_WEB_SCHEMES}):[/\\]?)[^/?#\s]{{0,300}}@")
_INNER_USER = re.compile(r"(:[/\\]{2,})([^/?#]*)@")
# Whole ones, those without a scheme, and pairs of one of which only the end is told.
_IN_TEXT = re.compile(
    r"(?<![a-zA-Z0-9+.-])[a-zA-Z0-9+.-]*:[/\\]{2}\S*|(?<![:/\w])//[^\s/?#]*@\S*"
    r"|[?&][^\s=?&]{1,100}=\S*"
)
_AFTER_AN_ADDRESS = ".,;:!?)]}>'\""

_JWT = re.compile(r"(?<![a-zA-Z0-9-])eyJ[\w-]{5,}(?:\.[\w-]{5,}|\.(?=\.))(?:\.[\w-]*){0,3}")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_LONG = re.compile(r"[A-Za-z0-9_+/=-]{20,}")
_DIGIT = re.compile(r"[0-9]")
_NO_LETTER_OR_DIGIT = re.compile(r"[^A-Za-z0-9]")
_CHANGE = re.compile(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])")
_RANDOM_FROM = 20
# Changes a letter or digit: 0.3 to 0.5 in random ones; below these in words, words with numbers.
_CHANGES_OF_LETTERS, _CHANGES_WITH_DIGITS = 0.25, 0.22
_BETWEEN_PAIRS, _BETWEEN_PIECES = re.compile("([&;])"), re.compile("([/;&])")
_MAY_HOLD_MORE = re.compile(r"[%=?#@;]|eyJ")
_DEEPEST = 6  # addresses inside of addresses; what is deeper is hidden whole
_LONGEST = 2**16  # no server takes longer ones; the rest is hidden unread, which would take long
_SHORTEST_TO_FIND = 4  # shorter secrets are found in words that have nothing to do with them


def public_address(address: str) -> str:
    """The address without its secrets; anything else, such as a path, comes back as it is.

    What logs in is removed, values that look secret are replaced by `***`.
    """
    if _ADDRESS.match(address):
        return _public(address, [], 0)
    return _MISTYPED_USER.sub(r"\1", address)


def without_user(address: str) -> str:
    """The address without user name and password."""
    return _without_user(address, [])


def without_secrets(text: str, of: str = "") -> str:
    """A message or a line in which every address is public.

    of: an address whose secrets are removed wherever else they stand, such as in a name that was
    made of it.
    """
    text = _MISTYPED_USER.sub(r"\1", _IN_TEXT.sub(_public_match, text))
    for secret in sorted(_secrets_of(of), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def _public_match(found: re.Match) -> str:
    address = found[0].rstrip(_AFTER_AN_ADDRESS)
    return _public(address, [], 0) + found[0][len(address) :]


def _secrets_of(address: str) -> set[str]:
    """What public_address leaves out: as it stands there, decoded, and encoded throughout."""
    found: list[str] = []
    if _ADDRESS.match(address):
        _public(address, found, 0)
    found += [unquote(secret) for secret in found]
    found += [quote(secret.encode("utf-8", "surrogatepass"), safe="") for secret in found]
    return {secret for secret in found if len(secret) >= _SHORTEST_TO_FIND and secret != HIDDEN}


# What is left out is added to `found`; `depth` counts addresses inside of addresses.


def _public(text: str, found: list[str], depth: int) -> str:
    text = _without_user(text, found)
    if len(text) > _LONGEST:
        end = max(text.rfind(mark, 0, _LONGEST) for mark in "/?#")  # no user begins before it
        return _public(text[: end + 1], found, depth) + HIDDEN
    if len(text) < _RANDOM_FROM and not _MAY_HOLD_MORE.search(text):
        return text
    body, hash_sign, fragment = text.partition("#")
    path, mark, query = body.partition("?")
    path = _INNER_USER.sub(lambda user: user[1] + _leave_out_user(user[2], found), path)
    text = _public_path(path, found, depth) + mark + _public_pairs(query, found, depth)
    text += hash_sign + _public_pairs(fragment, found, depth)
    return _JWT.sub(lambda jwt: _hide(jwt[0], found), text)


def _without_user(address: str, found: list[str]) -> str:
    user = _USER.match(address) or _BROKEN_USER.match(address)
    if user is None:
        return address
    return user[1] + _leave_out_user(user[2], found) + address[user.end() :]


def _leave_out_user(user: str, found: list[str]) -> str:
    found += [user, user.partition(":")[2]]
    return ""


def _hide(secret: str, found: list[str]) -> str:
    found.append(secret)
    return HIDDEN


def _public_path(path: str, found: list[str], depth: int) -> str:
    if not ("=" in path or "%" in path or _LONG.search(path)):
        return path
    pieces = _BETWEEN_PIECES.split(path)
    for place in range(0, len(pieces), 2):
        piece = pieces[place]
        before = pieces[place - 2] if place else ""
        if "=" in piece:
            pieces[place] = _public_pair(piece, found, depth)
        elif len(piece) >= _RANDOM_FROM and _is_secret_name(before) and _is_random(piece):
            pieces[place] = _hide(piece, found)
        elif "%" in piece and unquote(piece) != piece:
            pieces[place] = _public_inside(piece, found, depth)
    return "".join(pieces)


def _public_pairs(text: str, found: list[str], depth: int) -> str:
    """name=value&name=value ..., as queries and some fragments have them."""
    if not text:
        return text
    is_azure = _AZURE_SIGNATURE.search(text) is not None
    parts = _BETWEEN_PAIRS.split(text)
    parts[::2] = [part and _public_pair(part, found, depth, is_azure) for part in parts[::2]]
    return "".join(parts)


def _public_pair(pair: str, found: list[str], depth: int, is_azure: bool = False) -> str:
    name, equals, value = pair.partition("=")
    if not equals:
        return _hide(pair, found) if _is_random(pair) else _public_inside(pair, found, depth)
    if value and value != HIDDEN:
        if _is_secret_name(name) or (is_azure and name.lower() in _AZURE):
            value = _hide(value, found)
        elif _is_random(value) and not _HARMLESS_NAME.search(_CAMEL.sub("-", name).lower()):
            value = _hide(value, found)
        else:
            value = _public_inside(value, found, depth)
    return _public_inside(name, found, depth) + equals + value


def _public_inside(text: str, found: list[str], depth: int) -> str:
    """A value that may be, or hold, an address or pairs of its own, plain or encoded."""
    if not _MAY_HOLD_MORE.search(text):
        return text
    if depth == _DEEPEST:
        return _hide(text, found)
    plain = unquote(text)
    public = _public(plain, found, depth + 1)
    if public == plain:
        return text
    if plain == text:
        return public
    return quote(public.encode("utf-8", "surrogatepass"), safe="/:*")


@lru_cache(maxsize=4096)
def _is_secret_name(name: str) -> bool:
    while "%" in name and name != (plain := unquote(name)):
        name = plain
    name = name.strip().removesuffix("[]")
    if _SECRET_NAME.search(name.lower()):
        return True
    return not name.islower() and _SECRET_NAME.search(_CAMEL.sub("-", name).lower()) is not None


def _is_random(value: str) -> bool:
    """Whether a piece of it is long and changes between kinds of letters as no word does."""
    if len(value) < _RANDOM_FROM:
        return False
    for piece in _LONG.findall(unquote(value)):
        fewest = _CHANGES_WITH_DIGITS if _DIGIT.search(piece) else _CHANGES_OF_LETTERS
        fewest *= len(_NO_LETTER_OR_DIGIT.sub("", piece))
        if fewest and len(_CHANGE.findall(piece)) >= fewest:
            return True
    return False
