"""Addresses for screens and files: what logs in, signs or names a session is left out of them.

A user name and a password stand before the host; keys stand in the query, in the fragment, and
behind semicolons. They are known by the names that servers give them, or by their looks.
"""

import re
from urllib.parse import unquote

HIDDEN = "***"

# One of these as a word of the name is enough: access_token, auth-key, X-Amz-Signature, authToken.
_SECRET_WORDS = {
    "apikey", "assertion", "auth", "authorization", "bearer", "cookie", "credential", "credentials",
    "hdnea", "hdntl", "hdnts", "hmac", "jsessionid", "jwt", "key", "keys", "login", "nonce", "oauth",
    "otp", "passcode", "passphrase", "passwd", "password", "phpsessid", "pwd", "saml", "secret",
    "sessid", "session", "sessionid", "sid", "sig", "sign", "signature", "ticket", "token", "tokens",
}  # fmt: skip
_SECRET_NAMES = {"code", "hash", "lsig", "pass", "pin", "policy", "pw", "tok"}  # the whole name
_SECRET_STARTS = ("x-amz-", "x-goog-", "x-oss-", "x-cos-", "q-sign", "q-ak", "q-signature")
_SECRET_ENDS = ("token", "secret", "password", "passwd", "pwd", "signature", "key", "sessionid")
_HARMLESS_ENDS = ("monkey", "turkey", "donkey", "hockey", "jockey", "whiskey", "disney")
# Names of what is shown, not of who may see it: of any length, and as random as a key.
_HARMLESS_NAMES = {"id", "list", "v", "vid", "video", "video_id", "videoid"}

_JWT = re.compile(r"(?<![\w-])eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?")
_ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]{0,30}://\S+")
_USER_INFO = re.compile(r"(?:[a-zA-Z][a-zA-Z0-9+.-]*:)?//([^/?#]*)@")
_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_RANDOM = re.compile(r"[A-Za-z0-9+/=]{20,}")
_CHANGES_OF_RANDOM = 4  # between capitals, small letters and digits: words with a number have fewer
_AFTER_AN_ADDRESS = ".,;:!?)]}>'\""


def public_address(address: str) -> str:
    """The address without its secrets; anything else, such as a path, comes back as it is.

    What logs in is removed, values that look secret are replaced by `***`.
    """
    if "://" not in address and not address.startswith("//"):
        return address
    address = without_user(address)
    address, hash_sign, fragment = address.partition("#")
    path, question_mark, query = address.partition("?")
    path, *parameters = path.split(";")
    path = "".join([_JWT.sub(HIDDEN, path), *(";" + _public_pair(one) for one in parameters)])
    return path + question_mark + _public_pairs(query) + hash_sign + _public_pairs(fragment)


def without_user(address: str) -> str:
    """The address without user name and password."""
    user = _USER_INFO.match(address)
    return address[: user.start(1)] + address[user.end() :] if user else address


def without_secrets(text: str) -> str:
    """A message or a line in which every address is public."""
    return _ADDRESS.sub(_public_match, text)


def _public_match(found: re.Match) -> str:
    address = found[0].rstrip(_AFTER_AN_ADDRESS)
    return public_address(address) + found[0][len(address) :]


def _public_pairs(text: str) -> str:
    """name=value&name=value ..., as queries and some fragments have them."""
    return "".join(
        part if part in "&;" else _public_pair(part) for part in re.split("([&;])", text)
    )


def _public_pair(pair: str) -> str:
    name, equals, value = pair.partition("=")
    if not equals:
        return HIDDEN if _is_random(name) else name
    plain = unquote(name).strip().removesuffix("[]")
    if value and (_is_secret_name(plain) or (plain.lower() not in _HARMLESS_NAMES and _is_random(value))):
        value = HIDDEN
    return name + equals + _JWT.sub(HIDDEN, value)


def _is_secret_name(name: str) -> bool:
    lower = name.lower()
    if lower in _SECRET_NAMES or lower.startswith(_SECRET_STARTS):
        return True
    if any(word.lower() in _SECRET_WORDS for word in _WORD.findall(name)):
        return True
    return lower.endswith(_SECRET_ENDS) and not lower.endswith(_HARMLESS_ENDS)


def _is_random(value: str) -> bool:
    """Whether a piece of it is long and changes between kinds of letters as no word does."""
    value = unquote(value)
    if _JWT.search(value):
        return True
    for piece in _RANDOM.findall(value):
        kinds = ["0" if one.isdigit() else "A" if one.isupper() else "a" for one in piece]
        if sum(one != other for one, other in zip(kinds, kinds[1:])) >= _CHANGES_OF_RANDOM:
            return True
    return False
