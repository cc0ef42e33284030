"""What indexing says while it runs and when it is done."""

from dataclasses import dataclass, field

__all__ = ["IndexReport", "Progress", "Skipped", "Stages"]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or folder that could not be indexed, and why, for a person; of a file that holds
    several pictures the `fragment` that could not."""

    path: str
    reason: str
    fragment: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands: files dealt with out of `total`, images encoded, seconds so far."""

    done: int
    total: int
    encoded: int
    seconds: float


@dataclass(slots=True)
class Stages:
    """Seconds spent in each stage. Stages overlap, and reading and decoding run on several
    threads, so the sum is larger than the run."""

    scan: float = 0.0
    read: float = 0.0
    decode: float = 0.0
    encode: float = 0.0
    write: float = 0.0


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What a run did.

    `added`: images encoded from files not known before; `updated`: images encoded from known
    files whose content changed; `reused`: new, renamed or changed files whose image was known
    already, at no encoding; `unchanged`: files as they were; `removed`: images that no file
    holds any more; `images`: images in the library afterwards; `images_per_second`: encoded
    images by the whole run's time; `notes`: sentences for a person.
    """

    added: int
    updated: int
    reused: int
    unchanged: int
    removed: int
    skipped: tuple[Skipped, ...]
    images: int
    seconds: float
    stages: Stages
    notes: tuple[str, ...] = field(default=())

    @property
    def encoded(self) -> int:
        """Number of images that went through the encoder."""
        return self.added + self.updated

    @property
    def images_per_second(self) -> float:
        """Encoded images per second of the run, 0 when nothing was encoded."""
        return self.encoded / self.seconds if self.encoded and self.seconds > 0 else 0.0
