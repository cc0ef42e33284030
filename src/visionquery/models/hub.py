"""Fetching files from the Hugging Face hub, each at a pinned commit. The one user of its client.

The client keeps its own contract: HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE, proxies, the form of its
cache. Only the bytes are written here, since the client forgets what it has when it stops: what
came of a file lies beside its place in the cache, and the next try asks for the rest.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from visionquery.errors import (
    ChecksumMismatchError,
    DownloadBrokenError,
    VisionQueryError,
    WeightsMissingError,
)
from visionquery.models.checksum import hash_like
from visionquery.models.spec import Artifact

__all__ = ["CONNECT_SECONDS", "PARTIAL", "Offer", "ask", "bytes_left", "download", "repo_folder"]

CONNECT_SECONDS = 3
"""How long the hub may take to answer at all before a person is told that there is no network."""

PARTIAL = ".visionquery-partial"
"""What a file that is not whole yet has at the end of its name in the cache's folder of blobs."""

_TRIES = 3
"""How often in a row a download may break off without one new byte before it is given up."""

_SECONDS_BETWEEN_TRIES = 1.0


@dataclass(frozen=True, slots=True)
class Offer:
    """What the hub says about a file: `etag` names its content (the SHA-256 of a large file,
    git's hash of a small one)."""

    artifact: Artifact
    etag: str
    size_bytes: int


def repo_folder(artifact: Artifact, *, cache: Path) -> Path:
    """Return the folder of a file's repository in the client's cache."""
    return cache / f"models--{str(artifact.repo).replace('/', '--')}"


def ask(wanted: Sequence[Artifact], *, model: str) -> list[Offer]:
    """Return what the hub says about some files of a model, after CONNECT_SECONDS at most for
    all of them together; HF_HUB_ETAG_TIMEOUT, where it is set, counts instead.

    Raises WeightsMissingError when it does not answer, or refuses one of them.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise _cannot_be_had(model, "HF_HUB_OFFLINE is set")
    chosen = constants.HF_HUB_ETAG_TIMEOUT != constants.DEFAULT_ETAG_TIMEOUT
    seconds = constants.HF_HUB_ETAG_TIMEOUT if chosen else CONNECT_SECONDS
    with _quiet_client():
        offers, failures = _heads(wanted, seconds)
    if failures:
        raise _cannot_be_had(model, _reason(failures[0])) from failures[0]
    if len(offers) < len(wanted):
        raise _cannot_be_had(model, f"no answer within {seconds} seconds")
    return [offers[artifact] for artifact in wanted]


def bytes_left(offer: Offer, *, cache: Path) -> int:
    """Return how many bytes of a file are still to be fetched."""
    blob = _blob(offer, cache)
    if blob.is_file():
        return 0
    partial = blob.with_name(blob.name + PARTIAL)
    here = partial.stat().st_size if partial.is_file() else 0
    return offer.size_bytes - here if here <= offer.size_bytes else offer.size_bytes


def download(
    offer: Offer,
    *,
    model: str,
    cache: Path,
    progress: Callable[[str, int, int], None] | None,
) -> Path:
    """Fetch a file into the cache, going on from what is there of it, and return its place.

    `progress` is called with the file, its bytes so far and its bytes in all. Two processes do
    not fetch the same file at once: the second waits, and finds it.
    Raises DownloadBrokenError when it breaks off, ChecksumMismatchError when what came is not the
    file, which is removed then.
    """
    import huggingface_hub
    from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

    artifact, blob = offer.artifact, _blob(offer, cache)
    # The client's own lock of this blob, so that its other users wait as well.
    lock = cache / ".locks" / blob.parents[1].name / f"{offer.etag}.lock"
    try:
        blob.parent.mkdir(parents=True, exist_ok=True)
        lock.parent.mkdir(parents=True, exist_ok=True)
        with _quiet_client():
            with WeakFileLock(lock):
                _make_blob(offer, blob, model, progress)
            # With the blob there, the client only makes the name that leads to it.
            return Path(
                huggingface_hub.hf_hub_download(
                    str(artifact.repo),
                    str(artifact.path),
                    revision=artifact.revision,
                    cache_dir=cache,
                )
            )
    except VisionQueryError:
        raise
    except Exception as error:  # the client lets those of its HTTP library through
        raise DownloadBrokenError(
            f"The download of {artifact.file} for the model '{model}' broke off "
            f"({_reason(error)}); run `visionquery models pull {model}` to go on with it."
        ) from error


def _blob(offer: Offer, cache: Path) -> Path:
    return repo_folder(offer.artifact, cache=cache) / "blobs" / offer.etag


def _heads(
    wanted: Sequence[Artifact], seconds: float
) -> tuple[dict[Artifact, Offer], list[Exception]]:
    """Ask for all files at once; what has come when the time is over counts."""
    import huggingface_hub

    huggingface_hub.get_session()  # made here, as early clients make two for two threads
    offers: dict[Artifact, Offer] = {}
    failures: list[Exception] = []

    def head(artifact: Artifact) -> None:
        try:
            offers[artifact] = _head(artifact, seconds)
        except Exception as error:  # told by the caller
            failures.append(error)

    # In threads of their own because looking up a host name knows no time limit.
    threads = [threading.Thread(target=head, args=(one,), daemon=True) for one in wanted]
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0))
    return dict(offers), list(failures)


def _head(artifact: Artifact, seconds: float) -> Offer:
    import huggingface_hub

    facts = huggingface_hub.get_hf_file_metadata(_url(artifact), timeout=seconds)
    # The name becomes a file's name, and comes from outside.
    if not facts.etag or Path(facts.etag).name != facts.etag or facts.size is None:
        raise ValueError("it does not tell the file's content and length")
    return Offer(artifact, facts.etag, facts.size)


def _url(artifact: Artifact) -> str:
    import huggingface_hub

    return huggingface_hub.hf_hub_url(
        str(artifact.repo), str(artifact.path), revision=artifact.revision
    )


def _make_blob(
    offer: Offer, blob: Path, model: str, progress: Callable[[str, int, int], None] | None
) -> None:
    expected = offer.artifact.sha256 or offer.etag
    if blob.is_file():
        if hash_like(blob, expected) == expected:
            return
        blob.resolve().unlink()
    partial = blob.with_name(blob.name + PARTIAL)
    _fill(partial, offer, progress)
    actual = hash_like(partial, expected)
    if actual != expected:
        partial.unlink()
        raise ChecksumMismatchError(
            f"What came as {offer.artifact.file} of the model '{model}' is not that file: its "
            f"hash is {actual}, expected {expected}. It was removed; run "
            f"`visionquery models pull {model}` again.",
            path=str(partial),
            expected=expected,
            actual=actual,
        )
    partial.replace(blob)


def _fill(
    partial: Path, offer: Offer, progress: Callable[[str, int, int], None] | None
) -> None:
    """Append to a file until it is whole, asking again where a connection breaks."""
    with partial.open("ab") as stream:
        if stream.tell() > offer.size_bytes:
            _empty(stream)
        best, failures = stream.tell(), 0
        while stream.tell() < offer.size_bytes:
            try:
                _append(stream, offer, progress)
            except OSError:  # the disk's, or the hub's refusal: no use in asking again
                raise
            except Exception:  # the HTTP library's, whose name depends on the client's version
                failures = 0 if stream.tell() > best else failures + 1
                best = max(best, stream.tell())
                if failures == _TRIES:
                    raise
                time.sleep(_SECONDS_BETWEEN_TRIES)
        os.fsync(stream.fileno())


def _append(
    stream: BinaryIO, offer: Offer, progress: Callable[[str, int, int], None] | None
) -> None:
    from huggingface_hub import constants, get_session, hf_raise_for_status
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    # Places in a file are told of its own bytes, not of compressed ones.
    wanted = {"Accept-Encoding": "identity"}
    if stream.tell():
        wanted["Range"] = f"bytes={stream.tell()}-"
    headers = build_hf_headers(headers=wanted)
    seconds = constants.HF_HUB_DOWNLOAD_TIMEOUT
    url = _url(offer.artifact)
    with get_session().stream("GET", url, headers=headers, timeout=seconds) as response:
        hf_raise_for_status(response)
        if response.status_code != 206:
            _empty(stream)
        for chunk in response.iter_bytes():
            stream.write(chunk)
            stream.flush()  # so that nothing is lost when the process is killed
            if progress is not None:
                progress(offer.artifact.file, stream.tell(), offer.size_bytes)
    if stream.tell() < offer.size_bytes:
        raise EOFError("the connection closed too soon")


def _empty(stream: BinaryIO) -> None:
    stream.seek(0)
    stream.truncate()


@contextmanager
def _quiet_client() -> Iterator[None]:
    """Keep the client's own warnings from stderr, unless a person has set what it tells."""
    import logging

    from huggingface_hub.utils import logging as client_log

    level = client_log.get_verbosity()
    if level == logging.WARNING:
        client_log.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        client_log.set_verbosity(level)


def _cannot_be_had(model: str, reason: str) -> WeightsMissingError:
    from huggingface_hub import constants

    return WeightsMissingError(
        f"The files of the model '{model}' are not on this machine and cannot be had from "
        f"{constants.ENDPOINT} ({reason}); run `visionquery models pull {model}` with a "
        "connection, or choose another model with --model."
    )


def _reason(error: Exception) -> str:
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set"
    if isinstance(error, HfHubHTTPError):
        return f"it answered {error.response.status_code}"
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
