"""What a server is told: where it listens, who may ask, and how much it takes."""

import ipaddress
import socket
from dataclasses import dataclass, field
from pathlib import Path

from visionquery.errors import SettingsError

__all__ = ["NEW_TOKEN", "ServerSettings"]

_MAKE = 'python3 -c "import secrets; print(secrets.token_urlsafe())"'
NEW_TOKEN = f"export VISIONQUERY_TOKEN=$({_MAKE})"
"""The line that makes a token, for a shell."""

_SHORTEST_TOKEN = 16
_REQUESTS_PER_MINUTE = 1200
_LOCAL_NAMES = ("localhost", "localhost.localdomain")


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How a library is served. The defaults serve one person on one machine.

    `host`, `port`: where the server listens; without `token`, which a caller must know, on this
    machine only. `allowed_hosts`: names under which it may be asked, besides addresses and the
    machine's own name. `new_folders`: whether a caller may have any folder of the machine indexed;
    None is yes without a token, no with one. `requests_per_minute`: searches of one address, ten
    times as many of all else; 0 is no limit, None is none without a token and 1,200 with one.
    `max_upload_bytes`, `max_upload_pixels`, `upload_seconds`: the largest and slowest picture
    taken as a query. `thumbnails`: the folder that keeps them, None for the platform's cache, and
    `thumbnails_max_bytes` its size. `threads` search at a time, 0 for one per core;
    `max_waiting` requests wait for them. `rerank`: the model, a name or a folder, that looks at
    answers once more where a caller wants that; None lets none.

    Raises SettingsError for settings that are unsafe or have no meaning.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    token: str | None = field(default=None, repr=False)
    allowed_hosts: tuple[str, ...] = ()
    new_folders: bool | None = None
    requests_per_minute: int | None = None
    max_upload_bytes: int = 20 * 2**20
    max_upload_pixels: int = 50_000_000
    upload_seconds: float = 30.0
    thumbnails: Path | None = None
    thumbnails_max_bytes: int = 2 * 2**30
    threads: int = 0
    max_waiting: int = 256
    rerank: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise SettingsError(f"The port is {self.port}: give one from 0 (any) to 65535.")
        if self.token is None and not _is_loopback(self.host):
            raise SettingsError(
                f"{self.host or 'This address'} can be reached from other machines, so a token is "
                f"needed. Make one and start again:\n  {NEW_TOKEN}"
            )
        if self.token is not None and len(self.token) < _SHORTEST_TOKEN:
            raise SettingsError(
                f"The token has fewer than {_SHORTEST_TOKEN} characters, so that it could be "
                f"guessed. Make a better one:\n  {NEW_TOKEN}"
            )
        if (self.requests_per_minute or 0) < 0 or self.max_waiting < 1:
            raise SettingsError("A limit on requests is 0 (none) or more, and one may wait.")

    @property
    def may_index_new_folders(self) -> bool:
        """Whether callers may have folders indexed that are not in the library."""
        return self.token is None if self.new_folders is None else self.new_folders

    @property
    def limit_per_minute(self) -> int:
        """Searches that one address may make in a minute, 0 for any number."""
        if self.requests_per_minute is None:
            return 0 if self.token is None else _REQUESTS_PER_MINUTE
        return self.requests_per_minute

    def allows_host(self, name: str) -> bool:
        """Tell whether a server may be asked under a name, that of the Host header without port.

        A page of another site reaches a server only under a name of that site (DNS rebinding),
        so addresses are safe; without a token only this machine's own are.
        """
        name = name.lower().rstrip(".")
        if name in _LOCAL_NAMES or name in (allowed.lower() for allowed in self.allowed_hosts):
            return True
        if self.token is None:
            return _is_loopback(name)
        return _is_address(name) or name in _own_names()


def _is_loopback(host: str) -> bool:
    """Tell whether an address or name is this machine's own, out of the reach of all others."""
    if host.lower() in _LOCAL_NAMES:
        return True
    return _is_address(host) and ipaddress.ip_address(host.strip("[]")).is_loopback


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _own_names() -> set[str]:
    name = socket.gethostname().lower()  # asks no name server, which every request would wait for
    return {name, f"{name}.local"}
