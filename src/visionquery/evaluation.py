"""Measure a model on one's own captioned pictures: every caption must find its picture."""

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import ImageError, InputError
from visionquery.evaluate import ranking
from visionquery.images import content, workers
from visionquery.images.limits import Limits
from visionquery.indexing.ahead import ordered_map
from visionquery.indexing.report import Progress
from visionquery.models.encoder import Encoder
from visionquery.types import Matrix

__all__ = ["CaptionedImage", "Evaluation", "evaluate", "read_captions"]

_CUTOFFS = (1, 5, 10)
_IMAGES_AT_ONCE = 16
_CAPTIONS_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class CaptionedImage:
    """A picture and the captions that should find it."""

    path: Path
    captions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How well captions find their pictures; rates are fractions, ranks count from 1.

    `hit_rate[k]`: share of captions whose own picture is among the first k. `recall[k]`: mean
    share, among the first k, of all pictures that carry the very same caption; it differs only
    where several do. MRR and median rank are those of the own picture.
    """

    images: int
    captions: int
    hit_rate: dict[int, float]
    recall: dict[int, float]
    mrr: float
    median_rank: float


def read_captions(file: Path, *, images: Path | None = None) -> list[CaptionedImage]:
    """Read JSON lines `{"file": …, "captions": […]}`; `file` is relative to `images`, by
    default the folder of the lines' file.

    Raises InputError for a missing file or a malformed line, naming the line.
    """
    try:
        text = file.read_text("utf-8-sig")
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8 text; JSON lines are expected.") from error
    base = images if images is not None else file.parent
    lines = [
        _entry(line, base, f"{file}, line {number}")
        for number, line in enumerate(text.split("\n"), start=1)  # JSON may hold other line ends
        if line.strip()
    ]
    if not lines:
        raise InputError(f"{file} has no lines; each should name a file and its captions.")
    return _merged(lines)


def _merged(lines: Sequence[CaptionedImage]) -> list[CaptionedImage]:
    """Join lines of one picture: as two pictures they would compete with each other."""
    captions: dict[Path, list[str]] = {}
    for line in lines:
        captions.setdefault(line.path, []).extend(line.captions)
    return [CaptionedImage(path, tuple(found)) for path, found in captions.items()]


def _entry(line: str, base: Path, where: str) -> CaptionedImage:
    try:
        match json.loads(line):
            case {"file": str(name), "captions": [*captions]} if captions:
                if _is_text(name) and all(map(_is_text, captions)):
                    return CaptionedImage(base / name, tuple(captions))
    except (json.JSONDecodeError, RecursionError):
        pass
    raise InputError(f'{where}: expected {{"file": "a.jpg", "captions": ["words", …]}}.')


def _is_text(value: object) -> bool:
    """Whether a value is text with something in it, which a file system and a tokenizer take."""
    return (
        isinstance(value, str)
        and value.strip() != ""
        and "\0" not in value
        and not any("\ud800" <= character <= "\udfff" for character in value)
    )


def evaluate(
    entries: Sequence[CaptionedImage],
    encoder: Encoder,
    *,
    threads: int,
    on_progress: Callable[[Progress], None],
) -> Evaluation:
    """Encode every picture and caption and rank all pictures for each caption.

    `threads` decode pictures. Raises InputError for a picture that cannot be used, since leaving
    it out would flatter the figures.
    """
    images = _encode_pictures(entries, encoder, threads, on_progress)
    captions = [caption for entry in entries for caption in entry.captions]
    own = np.repeat(np.arange(len(entries)), [len(entry.captions) for entry in entries])
    right = _right_images(entries)
    texts = encoder.encode_texts(captions)
    best: list[ranking.Ranks] = []
    of_all: list[ranking.Ranks] = []
    for start in range(0, len(captions), _CAPTIONS_AT_ONCE):
        block = slice(start, start + _CAPTIONS_AT_ONCE)
        scores = texts[block] @ images.T
        relevant = np.zeros(scores.shape, dtype=np.bool_)
        for row, caption in enumerate(captions[block]):
            relevant[row, right[caption]] = True
        best.append(ranking.ranks(scores, own[block]))
        of_all += ranking.ranks_of_all(scores, relevant)
    own_ranks = np.concatenate(best)
    return Evaluation(
        images=len(entries),
        captions=len(captions),
        hit_rate={k: ranking.hit_rate_at_k(own_ranks, k) for k in _CUTOFFS},
        recall={k: ranking.recall_at_k(of_all, k) for k in _CUTOFFS},
        mrr=ranking.mrr(own_ranks),
        median_rank=ranking.median_rank(own_ranks),
    )


def _right_images(entries: Sequence[CaptionedImage]) -> dict[str, list[int]]:
    """Which pictures carry a caption: more than one where people wrote the same words."""
    right: dict[str, list[int]] = {}
    for number, entry in enumerate(entries):
        for caption in dict.fromkeys(entry.captions):
            right.setdefault(caption, []).append(number)
    return right


def _encode_pictures(
    entries: Sequence[CaptionedImage],
    encoder: Encoder,
    threads: int,
    on_progress: Callable[[Progress], None],
) -> Matrix:
    def ready(entry: CaptionedImage) -> NDArray[np.float32]:
        limits = Limits()
        try:
            data = content.load(entry.path, limits=limits)
            picture = workers.decode(data, min_side=2 * encoder.image_side, limits=limits)
        except ImageError as error:
            raise InputError(f"The picture {entry.path} cannot be used: {error}.") from error
        return encoder.prepare(picture)

    started = time.perf_counter()
    rows: list[Matrix] = []
    done = 0
    with ThreadPoolExecutor(threads) as pool:
        pictures = ordered_map(pool, ready, entries, ahead=2 * _IMAGES_AT_ONCE)
        while batch := list(islice(pictures, _IMAGES_AT_ONCE)):
            rows.append(encoder.encode_images(np.stack(batch)))
            done += len(batch)
            seconds = time.perf_counter() - started
            on_progress(Progress(done, len(entries), done, seconds))
    return np.concatenate(rows)
