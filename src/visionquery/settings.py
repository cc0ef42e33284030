"""Settings: defaults < settings file < VISIONQUERY_* variables < flags.

The file is `config.toml` in the platform's configuration folder, or where VISIONQUERY_CONFIG
points; its keys are the field names of `Settings`.
"""

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from visionquery.errors import SettingsError

__all__ = ["Settings", "load_settings", "look_folder", "thumbnail_folder"]

_PREFIX = "VISIONQUERY_"
_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a person may set once instead of with every command.

    `library`: folder or address of it; `model`: catalog name, alias or folder, None for the
    library's own or, for a new one, the automatic choice; `offline`: never touch the network;
    `threads`: for decoding and encoding, 0 for one per core; `on`: a Ray
    cluster that indexes; `host`, `port`: where
    `visionquery serve` listens, None for its own choice; `token`: what a caller of it must know.
    """

    library: str
    model: str | None = None
    offline: bool = False
    threads: int = 0
    on: str | None = None
    host: str | None = None
    port: int | None = None
    token: str | None = dataclasses.field(default=None, repr=False)


def load_settings(
    environment: Mapping[str, str], *, library: str | None = None, model: str | None = None
) -> Settings:
    """Merge all sources; `library` and `model` are flags, None where not given.

    Raises SettingsError for a file or variable that has no meaning.
    """
    values = _from_file(environment) | _from_environment(environment)
    values |= {key: v for key, v in (("library", library), ("model", model)) if v is not None}
    if "library" not in values:
        values["library"] = str(_default_library())
    return Settings(**values)  # type: ignore[arg-type]


def thumbnail_folder() -> Path:
    """Return where thumbnails are kept: a folder of the platform's cache."""
    from platformdirs import user_cache_path

    return user_cache_path("visionquery", appauthor=False) / "thumbnails"


def look_folder() -> Path:
    """Return where what second looks see is kept: a folder of the platform's cache."""
    from platformdirs import user_cache_path

    return user_cache_path("visionquery", appauthor=False) / "looks"


def _default_library() -> Path:
    from platformdirs import user_data_path

    return user_data_path("visionquery", appauthor=False) / "library"


def _from_file(environment: Mapping[str, str]) -> dict[str, object]:
    named = environment.get(_PREFIX + "CONFIG")
    path = Path(named) if named else _default_file()
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        if named:
            raise SettingsError(f"The settings file {path} does not exist.") from error
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"The settings file {path} cannot be read: {error}.") from error
    return {key: _checked(key, value, f"settings file {path}") for key, value in table.items()}


def _default_file() -> Path:
    from platformdirs import user_config_path

    return user_config_path("visionquery", appauthor=False) / "config.toml"


def _from_environment(environment: Mapping[str, str]) -> dict[str, object]:
    values: dict[str, object] = {}
    for field in dataclasses.fields(Settings):
        name = _PREFIX + field.name.upper()
        if text := environment.get(name):
            values[field.name] = _checked(field.name, _parsed(field.name, text), name)
    return values


def _parsed(key: str, text: str) -> object:
    if key == "offline" and text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    if key in ("threads", "port") and text.isdecimal():
        return int(text)
    return text


def _checked(key: str, value: object, where: str) -> object:
    kinds: dict[str, type] = {
        "library": str, "model": str, "offline": bool, "threads": int, "on": str,
        "host": str, "port": int, "token": str,
    }  # fmt: skip
    kind = kinds.get(key)
    if kind is None:
        raise SettingsError(f"{where}: there is no setting {key!r}; there are {', '.join(kinds)}.")
    if type(value) is not kind:
        wanted = {str: "text", bool: "true or false", int: "a whole number"}[kind]
        raise SettingsError(f"{where}: {key} must be {wanted}, not {value!r}.")
    if key == "threads" and isinstance(value, int) and value < 0:
        raise SettingsError(f"{where}: threads must be 0 (one per core) or more, not {value}.")
    return value
