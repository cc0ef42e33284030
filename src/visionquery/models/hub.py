"""Fetching one file from the Hugging Face hub, at a pinned commit. The one user of its client.

The client keeps its own contract: HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE, proxies, and going on
where a broken connection left off.
"""

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

from visionquery.errors import WeightsMissingError
from visionquery.models.spec import Artifact

__all__ = ["CONNECT_SECONDS", "download", "matches_etag"]

CONNECT_SECONDS = 3
"""How long the hub may take to answer at all before a person is told that there is no network."""


def download(
    artifact: Artifact,
    *,
    model: str,
    cache: Path,
    progress: Callable[[str, int, int], None] | None,
) -> tuple[Path, str]:
    """Fetch a hub file into the cache; return its place and the hub's name for its content.

    `progress` is called with the file, its bytes so far and its bytes in all.

    Raises WeightsMissingError when there is no answer, a refusal, or the download breaks off.
    """
    import huggingface_hub

    etag, size = _ask(artifact, model)
    try:
        place = huggingface_hub.hf_hub_download(
            str(artifact.repo),
            str(artifact.path),
            revision=artifact.revision,
            cache_dir=cache,
            tqdm_class=_meter(artifact.file, size, progress),
        )
    except Exception as error:  # the client lets those of its HTTP library through
        raise WeightsMissingError(
            f"The download of {artifact.file} for the model '{model}' broke off "
            f"({_reason(error)}); run `visionquery models pull {model}` again."
        ) from error
    return Path(place), etag


def matches_etag(file: Path, etag: str, *, sha256: str) -> bool:
    """Return whether a file is the one that the hub calls `etag`: the SHA-256 of a large file,
    git's own hash of a small one.

    Source: Git Internals - Git Objects (header "blob <size>\\0", SHA-1).
    """
    if len(etag) == 64:
        return etag == sha256
    content = file.read_bytes()
    return etag == hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _ask(artifact: Artifact, model: str) -> tuple[str, int]:
    """Return the hub's name for a file's content and its bytes, or say quickly why it cannot."""
    import huggingface_hub
    from huggingface_hub import constants

    chosen = constants.HF_HUB_ETAG_TIMEOUT != constants.DEFAULT_ETAG_TIMEOUT
    seconds = constants.HF_HUB_ETAG_TIMEOUT if chosen else CONNECT_SECONDS
    url = huggingface_hub.hf_hub_url(
        str(artifact.repo), str(artifact.path), revision=artifact.revision
    )
    answer: list[tuple[str, int]] = []
    failure: list[Exception] = []

    def head() -> None:
        try:
            facts = huggingface_hub.get_hf_file_metadata(url, timeout=seconds)
            if facts.etag is None:
                raise ValueError("it does not name the file's content")
            answer.append((facts.etag, facts.size or artifact.size_bytes or 0))
        except Exception as error:  # told to the caller below
            failure.append(error)

    # In a thread of its own because looking up a host name knows no time limit.
    thread = threading.Thread(target=head, daemon=True)
    thread.start()
    thread.join(seconds + 1)
    if answer:
        return answer[0]
    reason = _reason(failure[0]) if failure else f"no answer within {seconds} seconds"
    raise WeightsMissingError(
        f"The files of the model '{model}' are not on this machine and cannot be had from "
        f"{constants.ENDPOINT} ({reason}); run `visionquery models pull {model}` with a "
        "connection, or choose another model with --model."
    ) from (failure[0] if failure else None)


def _reason(error: Exception) -> str:
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set"
    if isinstance(error, HfHubHTTPError):
        return f"it answered {error.response.status_code}"
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _meter(
    file: str, size: int, progress: Callable[[str, int, int], None] | None
) -> type["_Meter"]:
    class Meter(_Meter):
        def update(self, n: float | None = 1) -> None:
            self.done += int(n or 0)
            if progress is not None:
                progress(file, self.done, size)

    return Meter


class _Meter:
    """What the client takes for its progress bar: counts, and draws nothing."""

    def __init__(self, *, initial: int = 0, **_drawing: object) -> None:
        self.done = initial

    def __enter__(self) -> "_Meter":
        return self

    def __exit__(self, *_error: object) -> None:
        return None
