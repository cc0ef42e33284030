"""Every figure of the model card, taken from the exported files."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .data import Pictures, load_dev, load_pictures, load_texts, read_lines, squashed
from .evaluate import Rates, retrieval
from .exported import ExportedModel, resized
from .settings import Places
from .teacher import embed_texts
from .train_text import is_held_out

Floats = npt.NDArray[np.float32]
LABELLED = "tiny-imagenet"
_FIDELITY_PICTURES = 500
_COMPARED_PICTURES = 300
_LEAST_COSINE = 0.99
_MOST_LOST = 0.005


@dataclass(frozen=True)
class ZeroShot:
    """Naming held-out pictures of the labelled source."""

    pictures: int
    labels: int
    top1: float
    top5: float
    teacher_top1: float
    teacher_top5: float


@dataclass(frozen=True)
class Figures:
    """What the card reports. Rates and accuracies are fractions."""

    exported: Rates
    exact: Rates
    fidelity_cosine: float
    zero_shot: ZeroShot
    text_cosine: float
    seen_cosine: float
    """Mean cosine to the teacher on captioned photos that were trained on."""
    unseen_cosine: float
    """The same on captioned photos that were held out."""
    size_bytes: dict[str, int]
    milliseconds: dict[str, float]


def measure(places: Places) -> Figures:
    """Take all figures, keep them in the work folder, and refuse a lossy quantization."""
    exact_file = (places.work / "image-fp32.onnx").absolute()
    model = ExportedModel(places.output)
    exact = ExportedModel(places.output, image_file=str(exact_file))
    paths, captions = load_dev(places)
    pictures = [squashed(path, model.side) for path in paths]
    ours, full = model.embed_images(pictures), exact.embed_images(pictures)
    texts = model.embed_texts([caption for group in captions for caption in group])
    answers = [row for row, group in enumerate(captions) for _ in group]
    names = ("image.onnx", "text.onnx", "tokenizer.json")
    figures = Figures(
        exported=retrieval(texts, ours, answers),
        exact=retrieval(texts, full, answers),
        fidelity_cosine=float((ours * full)[:_FIDELITY_PICTURES].sum(1).mean()),
        zero_shot=_zero_shot(model, places),
        text_cosine=_text_cosine(model, places),
        seen_cosine=_image_cosine(model, places, held_out=False),
        unseen_cosine=_image_cosine(model, places, held_out=True),
        size_bytes={name: (places.output / name).stat().st_size for name in names},
        milliseconds=_latencies(places.output, exact_file),
    )
    (places.work / "figures.json").write_text(json.dumps(asdict(figures), indent=2))
    _gate(figures)
    return figures


def fit_logit_scale(places: Places) -> float:
    """Return the scale of cosines under which held-out training captions are likeliest.

    The pictures are those captioned ones that were held out; the choice is among all of them.
    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks" (temperature scaling).
    """
    model, pictures = ExportedModel(places.output), load_pictures(places)
    rows = np.flatnonzero(pictures.held_out & (pictures.caption_rows >= 0))
    sets = read_lines(places.material / "captions.jsonl")
    groups = [sets[pictures.caption_rows[row]]["captions"] for row in rows]
    texts = model.embed_texts([caption for group in groups for caption in group])
    scores = texts @ _embed_rows(model, pictures, rows).T
    answers = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    scales = np.linspace(5, 60, 221)
    return float(scales[np.argmin([_surprise(scores * scale, answers) for scale in scales])])


def _surprise(logits: Floats, answers: npt.NDArray[np.int64]) -> float:
    """Return the mean negative log-likelihood of the answers, in nats."""
    shifted = logits - logits.max(1, keepdims=True)
    likely = shifted[np.arange(len(answers)), answers] - np.log(np.exp(shifted).sum(1))
    return float(-likely.mean())


def _gate(figures: Figures) -> None:
    lost = figures.exact.hit_rate[10] - figures.exported.hit_rate[10]
    if figures.fidelity_cosine < _LEAST_COSINE or lost > _MOST_LOST:
        raise ValueError(
            f"quantization costs too much: cosine {figures.fidelity_cosine:.4f} "
            f"(at least {_LEAST_COSINE}), hit_rate@10 lost {lost:.4f} (at most {_MOST_LOST})"
        )


def _zero_shot(model: ExportedModel, places: Places) -> ZeroShot:
    """Name the held-out pictures of the labelled source among all its labels."""
    pictures = load_pictures(places)
    ours = np.array([source == LABELLED for source in pictures.sources])
    labels = sorted({str(pictures.labels[row]) for row in np.flatnonzero(ours)})
    rows = np.flatnonzero(ours & pictures.held_out)
    truth = np.array([labels.index(str(pictures.labels[row])) for row in rows])
    prompts = [f"a photo of a {label}" for label in labels]
    scores = _embed_rows(model, pictures, rows) @ model.embed_texts(prompts).T
    named = embed_texts(prompts, places.teacher).astype(np.float32)
    guide = pictures.targets[rows].numpy() @ named.T
    accuracies = [_top(array, truth, k) for array in (scores, guide) for k in (1, 5)]
    return ZeroShot(len(rows), len(labels), *accuracies)


def _top(scores: Floats, truth: npt.NDArray[np.int64], k: int) -> float:
    best = np.argsort(-scores, axis=1)[:, :k]
    return float((best == truth[:, None]).any(1).mean())


def _embed_rows(model: ExportedModel, pictures: Pictures, rows: npt.NDArray[np.int64]) -> Floats:
    return model.embed_images([resized(pictures.pixels[row].numpy(), model.side) for row in rows])


def _text_cosine(model: ExportedModel, places: Places) -> float:
    """Return the mean cosine to the teacher on held-out sentences."""
    part = load_texts(places)["sentences"]
    rows = [row for row, text in enumerate(part.texts) if is_held_out(text)]
    ours = model.embed_texts([part.texts[row] for row in rows])
    return float((ours * part.embeds[rows].numpy()).sum(1).mean())


def _image_cosine(model: ExportedModel, places: Places, *, held_out: bool) -> float:
    """Return the mean cosine to the teacher on captioned photos, at most 300."""
    pictures = load_pictures(places)
    known = (pictures.caption_rows >= 0) & (pictures.held_out == held_out)
    rows = np.flatnonzero(known)[:_COMPARED_PICTURES]
    ours = _embed_rows(model, pictures, rows)
    return float((ours * pictures.targets[rows].numpy()).sum(1).mean())


def _latencies(folder: Path, exact_file: Path) -> dict[str, float]:
    """Return milliseconds for one picture or one query, by tower, form and threads."""
    result: dict[str, float] = {}
    for threads in (1, 2):
        model = ExportedModel(folder, threads=threads)
        exact = ExportedModel(folder, threads=threads, image_file=str(exact_file))
        result[f"image int8, {threads} threads"] = model.image_milliseconds()
        result[f"image fp32, {threads} threads"] = exact.image_milliseconds()
        result[f"text, {threads} threads"] = model.text_milliseconds("a dog runs on a beach")
    return result
