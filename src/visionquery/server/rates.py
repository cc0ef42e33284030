"""How often an address may ask, counted in a moving minute."""

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from visionquery.server.problems import RefusedError

__all__ = ["Rates"]

_WRONG_TOKENS_PER_MINUTE = 10
_LIGHT = 10
"""A thumbnail costs far less than a search, and a screen holds fifty."""


class Rates:
    """Limits on what one address asks: searches and their like, all else, and wrong tokens."""

    def __init__(self, searches_per_minute: int) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._limits = {
            True: RateLimitItemPerMinute(searches_per_minute) if searches_per_minute else None,
            False: RateLimitItemPerMinute(_LIGHT * searches_per_minute)
            if searches_per_minute
            else None,
        }
        self._wrong = RateLimitItemPerMinute(_WRONG_TOKENS_PER_MINUTE)

    def count(self, address: str, *, is_search: bool) -> None:
        """Count a request. Raises RefusedError when it is one too many."""
        limit = self._limits[is_search]
        if limit is not None and not self._limiter.hit(limit, str(is_search), address):
            raise _too_many("requests")

    def count_wrong_token(self, address: str) -> None:
        """Count a wrong token."""
        self._limiter.hit(self._wrong, "wrong", address)

    def check_wrong_tokens(self, address: str) -> None:
        """Raise RefusedError for an address that has tried too many wrong tokens."""
        if not self._limiter.test(self._wrong, "wrong", address):
            raise _too_many("wrong tokens")


def _too_many(what: str) -> RefusedError:
    return RefusedError(
        429, "TooMany", f"Too many {what} came from this address; wait a minute.", retry_after=60
    )
