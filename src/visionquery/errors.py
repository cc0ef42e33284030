"""Every error that a caller can meet, and the one table of what each means to a program.

A message says what happened, to what, and what to do next. Facts that a program may want
(a path, two hashes, a position) are attributes, never only words.
"""

from dataclasses import dataclass

__all__ = [
    "ChecksumMismatchError",
    "DownloadBrokenError",
    "EngineError",
    "ImageError",
    "ImageMemoryError",
    "ImageNotFoundError",
    "ImageTooLargeError",
    "ImageUnavailableError",
    "InputError",
    "LibraryBusyError",
    "LibraryNotFoundError",
    "LibraryReadOnlyError",
    "LibraryReplacedError",
    "ModelError",
    "ModelMismatchError",
    "Outcome",
    "QueryError",
    "SchemaTooNewError",
    "SettingsError",
    "StoreError",
    "UnknownModelError",
    "UnreadableImageError",
    "VisionQueryError",
    "WeightsMissingError",
    "outcome_of",
]


class VisionQueryError(Exception):
    """Base of everything VisionQuery raises on purpose."""


class InputError(VisionQueryError):
    """The caller's input is wrong."""


class QueryError(InputError):
    """A query cannot be read; `position` is the 0-based character where reading stopped."""

    def __init__(self, message: str, *, position: int, expected: str) -> None:
        super().__init__(message)
        self.position = position
        self.expected = expected


class SettingsError(InputError):
    """A setting, from a flag, the environment or the settings file, has no meaning."""


class ImageNotFoundError(InputError):
    """No image of the library has this id."""


class ImageError(VisionQueryError):
    """One picture cannot be used. Skipped and counted when indexing, an error as a query."""


class UnreadableImageError(ImageError):
    """The bytes are not a picture that can be decoded."""


class ImageUnavailableError(UnreadableImageError):
    """The bytes of a picture could not be had, for a reason that may pass."""


class ImageMemoryError(UnreadableImageError):
    """Decoding a picture takes more memory than it may have."""

    def __init__(self) -> None:
        super().__init__("not a picture that can be read: memory does not suffice")


class ImageTooLargeError(ImageError):
    """The picture is above a limit on pixels or bytes."""


class ModelError(VisionQueryError):
    """A model is missing or broken."""


class UnknownModelError(ModelError):
    """No catalog entry, alias or model folder has this name."""


class WeightsMissingError(ModelError):
    """A model's files are not here and cannot be had."""


class DownloadBrokenError(WeightsMissingError):
    """A download began and broke off; what came of it is kept for the next time."""


class ChecksumMismatchError(ModelError):
    """A model file is not the one that its spec names."""

    def __init__(self, message: str, *, path: str, expected: str, actual: str) -> None:
        super().__init__(message)
        self.path = path
        self.expected = expected
        self.actual = actual


class StoreError(VisionQueryError):
    """A library cannot be used."""


class LibraryNotFoundError(StoreError):
    """There is no library at this place."""


class SchemaTooNewError(StoreError):
    """The library was written by a newer version of the program."""

    def __init__(self, message: str, *, found: int, supported: int) -> None:
        super().__init__(message)
        self.found = found
        self.supported = supported


class ModelMismatchError(StoreError):
    """The library's vectors come from another model than the one asked for."""

    def __init__(self, message: str, *, library_model: str, asked_model: str) -> None:
        super().__init__(message)
        self.library_model = library_model
        self.asked_model = asked_model


class LibraryBusyError(StoreError):
    """Another process is writing to the library: `pid`, of the machine `host`, `since` a time
    (ISO 8601), each None where that is not known."""

    def __init__(
        self,
        message: str,
        *,
        pid: int | None = None,
        host: str | None = None,
        since: str | None = None,
    ) -> None:
        super().__init__(message)
        self.pid = pid
        self.host = host
        self.since = since


class LibraryReplacedError(StoreError):
    """Another process has moved the library to another model, compacted or restored it, since it
    was opened here: open it again."""


class LibraryReadOnlyError(StoreError):
    """The library's folder may not be opened, or not be changed."""


class EngineError(VisionQueryError):
    """A remote engine failed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an error means outside Python: a process exit code and an HTTP status."""

    exit_code: int
    http_status: int


_OUTCOMES: dict[type[BaseException], Outcome] = {
    InputError: Outcome(2, 422),
    ImageNotFoundError: Outcome(2, 404),
    ImageError: Outcome(2, 422),
    ModelError: Outcome(3, 503),
    StoreError: Outcome(4, 500),
    LibraryNotFoundError: Outcome(4, 404),
    LibraryBusyError: Outcome(4, 409),
    EngineError: Outcome(5, 502),
    KeyboardInterrupt: Outcome(130, 499),
}


def outcome_of(error: BaseException) -> Outcome | None:
    """Return the outcome of the nearest class of `error` in the table; None for a defect."""
    for ancestor in type(error).__mro__:
        if ancestor in _OUTCOMES:
            return _OUTCOMES[ancestor]
    return None
