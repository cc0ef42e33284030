"""Who may ask: a token, in a header or exchanged for a cookie that scripts cannot read."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

from itsdangerous import BadSignature, TimestampSigner

__all__ = ["COOKIE", "SESSION_SECONDS", "Access", "bearer"]

COOKIE = "visionquery_session"
SESSION_SECONDS = 30 * 24 * 3600


class Access:
    """Checks callers against a token; without one everybody who reaches the server may ask."""

    def __init__(self, token: str | None) -> None:
        self._token = None if token is None else token.encode()
        # Without a token nobody is asked for a session, and none that is made lasts.
        self._signer = TimestampSigner(
            self._token or secrets.token_bytes(), salt=COOKIE, digest_method=hashlib.sha256
        )

    @property
    def is_open(self) -> bool:
        """Whether no token is needed."""
        return self._token is None

    def knows(self, token: str) -> bool:
        """Tell whether a token is the right one, in a time that says nothing about it."""
        if self._token is None:
            return True
        given, wanted = hashlib.sha256(token.encode()), hashlib.sha256(self._token)
        return hmac.compare_digest(given.digest(), wanted.digest())

    def has_session(self, headers: Mapping[str, str]) -> bool:
        """Tell whether a request's headers (lower case) hold a session that is still good."""
        try:
            self._signer.unsign(_cookie(headers.get("cookie", "")), max_age=SESSION_SECONDS)
        except BadSignature:
            return False
        return True

    def session(self) -> str:
        """Return a new session: the time, signed with the token, so that another token ends all
        sessions."""
        return self._signer.sign("session").decode()


def bearer(headers: Mapping[str, str]) -> str | None:
    """Return the token in a request's headers (lower case), None where there is none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _cookie(header: str) -> str:
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value
