"""What Qdrant and the way to it complain about, said as one sentence that helps.

The exceptions are told apart by what they carry, not by their classes: those of REST, of gRPC and
of the mode without a server come from three libraries.
"""

import json
from contextlib import suppress

from visionquery.errors import EngineError, LibraryBusyError, VisionQueryError

__all__ = ["is_foreign", "is_passing", "translation"]

_FOREIGN = ("qdrant_client", "grpc", "httpx", "json", "pydantic_core")
"""Libraries whose errors mean that there was no answer, an error for one, or no answer of Qdrant's:
the client reads it with the last two, and asserts that there is something."""

_OF_A_FOLDER = (OSError, RuntimeError, LookupError, ValueError)
_NOT_FOUND = 404
_REFUSED = {401, 403}
_BUSY = {429, 502, 503, 504}
_OF_GRPC = {
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "INVALID_ARGUMENT": 400,
    "UNAVAILABLE": None,
    "DEADLINE_EXCEEDED": None,
}
_MOST = 300


def is_foreign(error: Exception, *, local: bool) -> bool:
    """Return whether an error is one of Qdrant or of the way to it, not a defect of this
    program."""
    library = type(error).__module__.partition(".")[0]
    of_a_folder = library == "sqlite3" or isinstance(error, _OF_A_FOLDER)
    if local:
        return library in _FOREIGN or of_a_folder
    return library in _FOREIGN or isinstance(error, AssertionError)


def _status(error: Exception) -> int | None:
    """Return the HTTP status that Qdrant answered with, or what is like it; None for no answer."""
    if type(error).__name__ == "ResourceExhaustedResponse":
        return 429
    code = getattr(error, "code", None)
    if callable(code):
        return _OF_GRPC.get(code().name, 500)
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else None


def is_passing(error: Exception) -> bool:
    """Return whether the same question may be answered a moment later."""
    status = _status(error)
    return status in _BUSY or (status is None and not _is_senseless(error))


def translation(error: Exception, place: str, *, local: bool, secret: str) -> VisionQueryError:
    """Return the error that a person sees for one about the library at `place`, which nowhere
    says what is secret."""
    status, said = _status(error), _said(error)
    if secret:
        said = said.replace(secret, "…")
    if local:
        if "already accessed" in said:
            return LibraryBusyError(
                f"Another process has the folder of the library {place} open, which only one can: "
                "close it there, or use a Qdrant server."
            )
        return EngineError(f"The library {place} cannot be used: {said}")
    if _is_senseless(error):
        return EngineError(
            f"What answers at {place} is no Qdrant server, or one of another kind: check the "
            "address."
        )
    if status is None:
        return EngineError(
            f"The Qdrant server of {place} does not answer ({said}): check that it runs and that "
            "the address is right, then try again."
        )
    if status in _REFUSED:
        return EngineError(
            f"The Qdrant server of {place} refuses this program ({said}): give a key that may read "
            "and write, as QDRANT_API_KEY."
        )
    if status == _NOT_FOUND:
        return EngineError(
            f"The Qdrant server of {place} does not have what was there before ({said}): open the "
            "library again."
        )
    if status in _BUSY:
        return EngineError(
            f"The Qdrant server of {place} is overloaded ({said}): try again in a while."
        )
    return EngineError(
        f"The Qdrant server of {place} failed ({status}: {said}): check that all its nodes run and "
        "have room, then try again; what was stored is kept."
    )


def _is_senseless(error: Exception) -> bool:
    """Return whether there was an answer, which says nothing to Qdrant's client."""
    return isinstance(getattr(error, "source", error), ValueError | AssertionError)


def _said(error: Exception) -> str:
    """Return the server's own words in one line, or else those of the error."""
    content = getattr(error, "content", None)
    text = content.decode("utf-8", "replace") if isinstance(content, bytes) else ""
    with suppress(ValueError, KeyError, TypeError):
        text = str(json.loads(text)["status"]["error"])
    details = getattr(error, "details", None)
    if callable(details):
        text = str(details())
    source = getattr(error, "source", None)
    said = text or str(source or error) or type(source or error).__name__
    return " ".join(said.split())[:_MOST]
