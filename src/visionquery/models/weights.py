"""Where a model's files are: beside their description, or in huggingface_hub's cache.

Finding and checking files needs neither the network nor huggingface_hub. Only `pull` and the
module `visionquery.models.hub` beneath it go out.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from visionquery.errors import ChecksumMismatchError, WeightsMissingError
from visionquery.models.checksum import sha256_of
from visionquery.models.spec import Artifact, ModelSpec, artifacts

__all__ = [
    "Check",
    "Progress",
    "available",
    "download_bytes",
    "hub_cache",
    "missing",
    "pull",
    "require",
    "size_bytes",
    "verify",
]

Progress = Callable[[str, int, int], None]
"""Called now and then during a download: file, its bytes so far, its bytes in all."""


@dataclass(frozen=True, slots=True)
class Check:
    """A file compared with what it should be. `actual` is its SHA-256, "" when it is not here;
    `expected` is "" for a hub file whose hash is not known and was not recorded."""

    artifact: Artifact
    path: str
    expected: str
    actual: str

    @property
    def ok(self) -> bool:
        """Whether the file is here and right, as far as is known."""
        return self.actual != "" and self.expected in ("", self.actual)


def available(spec: ModelSpec) -> bool:
    """Return whether all files of a model are here."""
    return not missing(spec)


def missing(spec: ModelSpec) -> list[Artifact]:
    """Return the files of a model that are not here."""
    return [artifact for artifact in artifacts(spec) if not _place(spec, artifact).is_file()]


def download_bytes(spec: ModelSpec) -> int:
    """Return how many bytes of a model come from the hub: 0 for a folder model."""
    return sum(artifact.size_bytes or 0 for artifact in artifacts(spec))


def size_bytes(spec: ModelSpec) -> int:
    """Return how many bytes a model's files take, or will."""
    if spec.folder is None:
        return download_bytes(spec)
    places = [_place(spec, artifact) for artifact in artifacts(spec)]
    return sum(place.stat().st_size for place in places if place.is_file())


def require(spec: ModelSpec, *wanted: Artifact, verify: bool) -> list[Path]:
    """Return where the wanted files of a model are.

    With `verify`, the hash of a folder's file is compared first; hub files were compared when
    they were downloaded, and again by `verify`.
    Raises WeightsMissingError for a file that is not here, ChecksumMismatchError for another one.
    """
    places = [_place(spec, artifact) for artifact in wanted]
    absent = [place for place in places if not place.is_file()]
    if absent:
        raise WeightsMissingError(_absence(spec, absent))
    if verify and spec.folder is not None:
        for artifact, place in zip(wanted, places, strict=True):
            _compare(place, str(artifact.sha256))
    return places


def verify(spec: ModelSpec) -> list[Check]:
    """Compare every file of a model, byte for byte, with its hash."""
    checks = []
    for artifact in artifacts(spec):
        place = _place(spec, artifact)
        actual = sha256_of(place) if place.is_file() else ""
        checks.append(Check(artifact, str(place), _expected(artifact), actual))
    return checks


def pull(
    spec: ModelSpec,
    *,
    announce: Callable[[int], None] | None = None,
    progress: Progress | None = None,
) -> None:
    """Make all files of a model present and right: those that are here are compared with their
    hash and fetched anew when wrong, those that are not here are fetched and compared.

    `announce` is called once, with the bytes to come, when the hub has answered and before the
    first of them is fetched; not when there is nothing to come.
    Raises WeightsMissingError when a file cannot be had (no connection, offline mode, refused),
    DownloadBrokenError when one breaks off (what came is kept for the next time), and
    ChecksumMismatchError when what was sent is not the file, which is then removed.
    """
    if spec.folder is not None:
        require(spec, *artifacts(spec), verify=True)
        return
    wrong = [check for check in verify(spec) if not check.ok]
    for check in wrong:
        _remove(Path(check.path))
    if not wrong:
        return
    # A model that is here is not held up by the code that fetches others.
    from visionquery.models.hub import ask, bytes_left, download

    cache = hub_cache()
    offers = ask([check.artifact for check in wrong], model=spec.name)
    left = sum(bytes_left(offer, cache=cache) for offer in offers)
    if announce is not None and left > 0:
        announce(left)
    for offer in offers:
        place = download(offer, model=spec.name, cache=cache, progress=progress)
        if offer.artifact.sha256 is None:
            _write_record(offer.artifact, sha256_of(place))


def hub_cache() -> Path:
    """Return huggingface_hub's cache folder.

    Which variables decide, and in which order, is huggingface_hub's contract; it is followed here
    so that finding a file does not cost the third of a second of importing that library.
    Source: huggingface_hub.constants.
    """
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    home = os.environ.get("HF_HOME") or str(Path(home) / "huggingface")
    cache = os.environ.get("HUGGINGFACE_HUB_CACHE") or str(Path(home) / "hub")
    cache = os.environ.get("HF_HUB_CACHE") or cache
    return Path(os.path.expandvars(cache)).expanduser()


def _place(spec: ModelSpec, artifact: Artifact) -> Path:
    if spec.folder is not None:
        return spec.folder / artifact.file
    snapshots = _repo_folder(artifact) / "snapshots"
    return snapshots / str(artifact.revision) / str(artifact.path)


def _repo_folder(artifact: Artifact) -> Path:
    from visionquery.models.hub import repo_folder

    return repo_folder(artifact, cache=hub_cache())


def _record(artifact: Artifact) -> Path:
    """Return where the hash of a file is kept whose description does not know it."""
    records = _repo_folder(artifact) / ".visionquery"
    return records / str(artifact.revision) / f"{artifact.path}.sha256"


def _expected(artifact: Artifact) -> str:
    if artifact.sha256 is not None:
        return artifact.sha256
    record = _record(artifact)
    return record.read_text(encoding="ascii").strip() if record.is_file() else ""


def _write_record(artifact: Artifact, sha256: str) -> None:
    record = _record(artifact)
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(sha256 + "\n", encoding="ascii")


def _remove(place: Path) -> None:
    # In the cache a file is most often a link to a blob; what is bad is the blob.
    place.resolve().unlink(missing_ok=True)
    place.unlink(missing_ok=True)


def _compare(place: Path, expected: str) -> None:
    actual = sha256_of(place)
    if actual != expected:
        raise ChecksumMismatchError(
            f"{place} is not the file that the model names: its SHA-256 is {actual}, "
            f"expected {expected}. Copy the model again.",
            path=str(place),
            expected=expected,
            actual=actual,
        )


def _absence(spec: ModelSpec, absent: list[Path]) -> str:
    files = ", ".join(place.name for place in absent)
    if spec.folder is not None:
        return (
            f"The model folder {spec.folder} lacks {files}; copy the whole folder again, "
            "or choose another model with --model."
        )
    return (
        f"The files of the model '{spec.name}' are not on this machine ({files}); run "
        f"`visionquery models pull {spec.name}` with a connection, or choose another model "
        "with --model."
    )
