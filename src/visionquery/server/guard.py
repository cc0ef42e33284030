"""The door: every request passes it before any other code, every response gets its headers here.

What it refuses: a Host that is not this server's, what another site's page sends, callers without
the token, and more requests than one address may make. See docs/explanation/security.md.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from visionquery.server.access import Access, bearer
from visionquery.server.problems import RefusedError, defect_of, problem_of
from visionquery.server.rates import Rates
from visionquery.server.settings import NEW_TOKEN, ServerSettings

__all__ = ["API", "Guard"]

API = "/api/v1"

_CONTENT_POLICY = "; ".join((
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob: data:",
    "media-src 'self'",
    "connect-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
))  # fmt: skip
_HEADERS = {
    "content-security-policy": _CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}

_FREE = ("/", "/health", "/favicon.ico", f"{API}/openapi.json", f"{API}/session")
"""What a caller may have without the token, `/static/` besides: nothing of the library."""

_SEARCHES = ("/search", "/similar", "/explanation")


class Guard:
    """An ASGI application around another one that it guards."""

    def __init__(
        self, app: ASGIApp, *, settings: ServerSettings, access: Access, rates: Rates
    ) -> None:
        self._app = app
        self._settings = settings
        self._access = access
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, refuse it, or answer for a defect."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        has_begun = False

        async def send_guarded(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            self._check(scope)
            await self._app(scope, receive, send_guarded)
        except RefusedError as refusal:
            await problem_of(refusal)(scope, receive, send_guarded)
        except Exception as error:
            if has_begun:
                raise
            await defect_of(scope, error)(scope, receive, send_guarded)

    def _check(self, scope: Scope) -> None:
        headers = dict(Headers(scope=scope))
        path = scope["path"]
        address = (scope.get("client") or ("unknown",))[0]
        _check_host(headers, self._settings)
        _check_site(headers, is_page=path == "/" and scope["method"] == "GET")
        is_login = path == f"{API}/session" and scope["method"] == "POST"
        if is_login:
            self._rates.check_wrong_tokens(address)
        elif not (path in _FREE or path.startswith("/static/")):
            self._check_caller(headers, address)
        self._rates.count(address, is_search=path.endswith(_SEARCHES))

    def _check_caller(self, headers: Mapping[str, str], address: str) -> None:
        if self._access.is_open or self._access.has_session(headers):
            return
        token = bearer(headers)
        if token is not None:
            self._rates.check_wrong_tokens(address)
            if self._access.knows(token):
                return
            self._rates.count_wrong_token(address)
        raise RefusedError(
            401,
            "TokenNeeded",
            "This library is for those who have its token: send it as 'Authorization: Bearer "
            "TOKEN', or enter it on the page.",
        )


def _check_host(headers: Mapping[str, str], settings: ServerSettings) -> None:
    """Refuse names that are not this server's: a site whose name was made to point here (DNS
    rebinding) is no stranger to the browser, which sends it what it would send us."""
    host = headers.get("host", "")
    if not settings.allows_host(_name(host)):
        raise RefusedError(
            421,
            "HostNotAllowed",
            f"This server does not answer to the name {host!r}. If it should, start it with "
            "--allow-host NAME"
            + ("." if settings.token else f" and a token, made with:\n  {NEW_TOKEN}"),
        )


def _check_site(headers: Mapping[str, str], *, is_page: bool) -> None:
    """Refuse what another site's page sends: writes, and reads too, whose time tells something.
    Programs send neither header; a link from elsewhere to the page itself is fine."""
    site = headers.get("sec-fetch-site", "none")
    is_foreign = site not in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is not None:
        # Compared as text: what is no origin is foreign.
        is_foreign |= origin.partition("://")[2].lower() != headers.get("host", "").lower()
    if is_foreign and not (is_page and headers.get("sec-fetch-mode") == "navigate"):
        raise RefusedError(
            403, "OtherSite", "This request comes from a page of another site and is refused."
        )


def _name(host: str) -> str:
    """Return a Host header without its port; "" for one that is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
