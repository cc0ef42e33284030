"""Which models there are, and which one a name means."""

import difflib
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from visionquery.errors import UnknownModelError
from visionquery.models.description import read_spec
from visionquery.models.spec import ModelSpec

__all__ = ["catalog", "resolve"]

_HERE = Path(__file__).parent
_DESCRIPTION = "model.toml"
_BUILT_IN = "pocket"


def resolve(name_or_folder: str) -> ModelSpec:
    """Return the model of a catalog name or alias (in any case), or of a folder with a model.toml.

    Raises UnknownModelError where there is neither, with close names and the whole catalog, and
    ModelError for a description that cannot be used.
    """
    wanted = name_or_folder.casefold()
    # What a library says of its model is a name or an absolute folder, which is no name.
    for spec in () if Path(name_or_folder).is_absolute() else _entries():
        if wanted in (spec.name.casefold(), *(alias.casefold() for alias in spec.aliases)):
            return spec
    # os.path leaves "~name" of no user as it is, where pathlib would fail.
    folder = Path(os.path.expanduser(name_or_folder))  # noqa: PTH111
    if (folder / _DESCRIPTION).is_file():
        folder = folder.resolve()
        return read_spec(folder / _DESCRIPTION, source=str(folder))
    raise UnknownModelError(_unknown(name_or_folder, folder))


def catalog() -> list[ModelSpec]:
    """Return the models known by name, the one in the box first."""
    return list(_entries())


def _entries() -> Iterator[ModelSpec]:
    """Yield the models known by name, each read only when it is come to: a search needs one."""
    built_in = _HERE / _BUILT_IN / _DESCRIPTION
    if built_in.is_file():
        yield _read(built_in, _BUILT_IN)
    for file in sorted((_HERE / "catalog").glob("*.toml"), key=lambda file: file.stem):
        yield _read(file, file.stem)


@cache
def _read(file: Path, source: str) -> ModelSpec:
    return read_spec(file, source=source)


def _unknown(name: str, folder: Path) -> str:
    if folder.is_dir():
        return f"The folder {name} holds no {_DESCRIPTION}, so it is not a model."
    specs = catalog()
    names = [label for spec in specs for label in (spec.name, *spec.aliases)]
    close = difflib.get_close_matches(name.casefold(), names, n=2, cutoff=0.5)
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    known = ", ".join(spec.name for spec in specs)
    return (
        f"There is no model '{name}'.{hint} Known models: {known}; "
        f"or give a folder with a {_DESCRIPTION}."
    )
