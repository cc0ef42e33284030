"""Writing a model's `model.toml`: the other way round of `visionquery.models.description`."""

import json
from collections.abc import Iterator

from visionquery.models.spec import Artifact, ModelSpec, Tower
from visionquery.types import Calibration, Curve, Line

__all__ = ["describe"]


def describe(spec: ModelSpec) -> str:
    """Return the `model.toml` of a folder model. Reading it gives the model again."""
    return "\n".join([*_top(spec), *_towers(spec), *_preparation(spec), *_calibration(spec), ""])


def _top(spec: ModelSpec) -> Iterator[str]:
    yield _line("name", spec.name)
    yield _line("summary", spec.summary)
    if spec.aliases:
        yield _line("aliases", spec.aliases)
    yield _line("embed_dim", spec.embed_dim)
    yield _line("logit_scale", spec.logit_scale)
    yield _line("logit_bias", spec.logit_bias)
    yield _line("languages", spec.languages)
    yield _line("license", spec.license)


def _towers(spec: ModelSpec) -> Iterator[str]:
    yield from ("", "[image]", *_file(spec.image.artifact))
    yield _line("input", spec.image.inputs[0])
    yield from _tower(spec.image)
    yield from ("", "[text]", *_file(spec.text.artifact))
    yield _line("inputs", spec.text.inputs)
    yield from _tower(spec.text)


def _tower(tower: Tower) -> Iterator[str]:
    yield _line("output", tower.output)
    yield _line("normalized", tower.normalized)
    if tower.max_batch:
        yield _line("max_batch", tower.max_batch)


def _file(artifact: Artifact) -> Iterator[str]:
    yield _line("file", artifact.file)
    yield _line("sha256", str(artifact.sha256))


def _preparation(spec: ModelSpec) -> Iterator[str]:
    preprocess, tokenizer = spec.preprocess, spec.tokenizer
    yield from ("", "[preprocess]", _line("size", preprocess.size))
    yield _line("resize", preprocess.resize)
    yield _line("interpolation", preprocess.interpolation)
    if preprocess.rounding:
        yield _line("rounding", preprocess.rounding)
    yield _line("mean", preprocess.mean)
    yield _line("std", preprocess.std)
    yield from ("", "[tokenizer]", *_file(tokenizer.artifact))
    yield _line("context_length", tokenizer.context_length)
    yield _line("padding", tokenizer.padding)
    yield _line("lowercase", tokenizer.lowercase)
    yield _line("template", tokenizer.template)
    if tokenizer.pad_token:
        yield _line("pad_token", tokenizer.pad_token)


def _calibration(spec: ModelSpec) -> Iterator[str]:
    fitted: Calibration | None = spec.calibration
    if fitted is None:
        return
    yield from ("", "[calibration]", _line("exclusion", fitted.exclusion))
    yield _line("words", fitted.words)
    for name, curve in (("text", fitted.text), ("picture", fitted.picture)):
        yield from ("", f"[calibration.{name}]", *_curve(curve))


def _curve(curve: Curve) -> Iterator[str]:
    yield f"match = {{ {_slope(curve.match)} }}"
    if curve.presence is not None:
        yield f"presence = {{ {_slope(curve.presence)}, {_line('tail', curve.tail)} }}"


def _slope(line: Line) -> str:
    return f"{_line('slope', line.slope)}, {_line('midpoint', line.midpoint)}"


def _line(key: str, value: str | float | tuple[str, ...] | tuple[float, ...]) -> str:
    """Return `key = value`. JSON's texts, numbers, flags and lists are TOML's as well, but for
    the one control character that JSON leaves as it is."""
    shown = json.dumps(value, ensure_ascii=False)
    return f"{key} = {shown}".replace("\x7f", "\\u007f")
