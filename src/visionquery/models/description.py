"""Reading a model's `model.toml`, strictly: every key known, every value of its kind.

The form is the same for a folder that a person made and for a catalog entry; an entry of the
catalog also says where each file is to be had (`repo`, `revision`, `path`, `size_bytes`).
"""

import math
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from visionquery.errors import ModelError
from visionquery.models.spec import (
    Artifact,
    Interpolation,
    ModelSpec,
    Padding,
    Preprocess,
    Resize,
    Rounding,
    Tokenizer,
    Tower,
    artifacts,
)
from visionquery.types import Calibration, Curve, Line

__all__ = ["read_spec"]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_REVISION = re.compile(r"[0-9a-f]{40}")
_LARGEST = 2**53
"""Whole numbers up to here pass through JSON as they are; no size or count of a model is larger."""


def read_spec(file: Path, *, source: str) -> ModelSpec:
    """Read a model's TOML description.

    Raises ModelError for a file that cannot be read, and for a key that is unknown, missing or of
    the wrong kind, naming the file, the key and what is expected.
    """
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    # Beside its own ValueErrors the parser lets those of int() pass, and nests without bound.
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file} cannot be read as a model description: {error}.") from error
    table = _Table(file, "", data)
    with table.all_read():
        return _model(table, source=source)


@dataclass(slots=True)
class _Table:
    """A TOML table being read: what was taken, so that what is left over can be refused."""

    file: Path
    name: str
    data: dict[str, object]
    read: set[str] = field(default_factory=set)

    @contextmanager
    def all_read(self) -> Iterator[None]:
        yield
        unknown = sorted(set(self.data) - self.read)
        if unknown:
            raise self.wrong(unknown[0], f"one of {', '.join(sorted(self.read))}")

    def wrong(self, key: str, expected: str) -> ModelError:
        place = f"[{self.name}] {key}" if self.name else key
        if key not in self.data:
            found = "it is missing"
        elif key not in self.read:
            found = "it is not a known key"
        else:
            found = f"it is {_shown(self.data[key])}"
        return ModelError(f"{self.file}: {place} should be {expected}, but {found}.")

    def take(self, key: str) -> object:
        self.read.add(key)
        return self.data.get(key)

    def table(self, key: str) -> "_Table":
        value = self.take(key)
        if not isinstance(value, dict):
            raise self.wrong(key, "a table")
        return _Table(self.file, f"{self.name}.{key}" if self.name else key, value)

    def text(self, key: str, default: str | None = None) -> str:
        value = self.take(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or not value:
            raise self.wrong(key, "a text")
        return value

    def choice(self, key: str, *allowed: str, default: str | None = None) -> str:
        value = self.text(key, default)
        if value not in allowed:
            raise self.wrong(key, " or ".join(f'"{name}"' for name in allowed))
        return value

    def flag(self, key: str, default: bool | None = None) -> bool:
        value = self.take(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def whole(self, key: str, default: int | None = None) -> int:
        value = self.take(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _LARGEST:
            raise self.wrong(key, "a whole number above 0")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        value = self.take(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.wrong(key, "a number")
        if not _is_finite(value):
            raise self.wrong(key, "a finite number")
        return float(value)

    def texts(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        value = self.take(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
            raise self.wrong(key, "a list of texts")
        return tuple(value)

    def channels(self, key: str) -> tuple[float, float, float]:
        value = self.take(key)
        numbers = isinstance(value, list) and all(
            type(part) in (int, float) and _is_finite(part) for part in value
        )
        if not numbers or len(cast(list[float], value)) != 3:
            raise self.wrong(key, "three numbers, for red, green and blue")
        red, green, blue = cast(list[float], value)
        return float(red), float(green), float(blue)

    def matching(self, key: str, pattern: re.Pattern[str], expected: str) -> str | None:
        value = self.take(key)
        if value is not None and not (isinstance(value, str) and pattern.fullmatch(value)):
            raise self.wrong(key, expected)
        return value


def _is_finite(number: float) -> bool:
    """Whether a number is one as a float, too; whole numbers of TOML may have any length."""
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def _shown(value: object) -> str:
    try:
        return repr(value)
    except ValueError:  # Python writes no numbers of more than some thousand digits
        return "a number with too many digits"


def _model(table: _Table, *, source: str) -> ModelSpec:
    image, text = table.table("image"), table.table("text")
    preprocess, tokenizer = table.table("preprocess"), table.table("tokenizer")
    with image.all_read(), text.all_read(), preprocess.all_read(), tokenizer.all_read():
        towers = _tower(image, (image.text("input"),)), _tower(text, _text_inputs(text))
        parts = _preprocess(preprocess), _tokenizer(tokenizer)
    spec = ModelSpec(
        name=table.text("name"),
        summary=table.text("summary"),
        aliases=table.texts("aliases", ()),
        embed_dim=table.whole("embed_dim"),
        logit_scale=table.number("logit_scale"),
        logit_bias=table.number("logit_bias", 0.0),
        languages=table.texts("languages"),
        license=table.text("license"),
        image=towers[0],
        text=towers[1],
        preprocess=parts[0],
        tokenizer=parts[1],
        source=source,
        folder=None if towers[0].artifact.repo else table.file.parent.absolute(),
        calibration=_calibration(table),
    )
    if len({artifact.repo is None for artifact in artifacts(spec)}) > 1:
        raise ModelError(f"{table.file}: either all files or none should name a repo.")
    return spec


def _artifact(table: _Table) -> Artifact:
    artifact = Artifact(
        file=table.text("file"),
        sha256=table.matching("sha256", _SHA256, "64 lower-case hexadecimal digits"),
        size_bytes=table.whole("size_bytes", 0) or None,
        repo=table.text("repo", "") or None,
        revision=table.matching("revision", _REVISION, "a full commit hash, 40 digits"),
        path=table.text("path", "") or None,
    )
    if artifact.repo is None:
        for key in ("revision", "path", "size_bytes"):
            if key in table.data:
                raise table.wrong(key, "left out where there is no repo")
        if artifact.sha256 is None:
            raise table.wrong("sha256", "the file's hash, 64 lower-case hexadecimal digits")
        if Path(artifact.file).name != artifact.file:
            raise table.wrong("file", "the name of a file beside this description")
        return artifact
    if artifact.revision is None:
        raise table.wrong("revision", "the full commit hash that pins the file")
    if artifact.path is None:
        raise table.wrong("path", "the file's place in the repository")
    return artifact


def _text_inputs(table: _Table) -> tuple[str, ...]:
    inputs = table.texts("inputs")
    if len(inputs) not in (1, 2):
        raise table.wrong("inputs", "the name of the token ids, then perhaps of the mask")
    return inputs


def _tower(table: _Table, inputs: tuple[str, ...]) -> Tower:
    return Tower(
        artifact=_artifact(table),
        inputs=inputs,
        output=table.text("output"),
        normalized=table.flag("normalized"),
        max_batch=table.whole("max_batch", 0),
    )


def _preprocess(table: _Table) -> Preprocess:
    resize = cast(Resize, table.choice("resize", "shortest", "squash", "crop"))
    if resize == "squash":
        rounding: Rounding | Literal[""] = ""
    else:
        rounding = cast(Rounding, table.choice("rounding", "half_even", "floor", "truncate"))
    std = table.channels("std")
    if min(std) <= 0:
        raise table.wrong("std", "three numbers above 0")
    return Preprocess(
        size=table.whole("size"),
        resize=resize,
        interpolation=cast(
            Interpolation, table.choice("interpolation", "bicubic", "bilinear", "lanczos")
        ),
        rounding=rounding,
        mean=table.channels("mean"),
        std=std,
    )


def _tokenizer(table: _Table) -> Tokenizer:
    template = table.text("template", "{}")
    if template.count("{}") != 1:
        raise table.wrong("template", "a text with one {} where the query goes")
    return Tokenizer(
        artifact=_artifact(table),
        context_length=table.whole("context_length"),
        padding=cast(Padding, table.choice("padding", "longest", "max")),
        lowercase=table.flag("lowercase", False),
        template=template,
        pad_token=table.text("pad_token", "") or None,
    )


def _calibration(table: _Table) -> Calibration | None:
    if "calibration" not in table.data:
        return None
    part = table.table("calibration")
    with part.all_read():
        return Calibration(
            text=_curve(part.table("text")),
            picture=_curve(part.table("picture")),
            exclusion=part.number("exclusion"),
            words=part.number("words"),
        )


def _curve(table: _Table) -> Curve:
    with table.all_read():
        part = table.table("match")
        with part.all_read():
            match = _line(part)
        if "presence" not in table.data:
            return Curve(match)
        presence = table.table("presence")
        with presence.all_read():
            return Curve(match, _line(presence), presence.number("tail"))


def _line(table: _Table) -> Line:
    line = Line(table.number("slope"), table.number("midpoint"))
    if line.slope <= 0:
        raise table.wrong("slope", "a number above 0")
    return line
