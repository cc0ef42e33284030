"""A page and an HTTP API over a library (extra `server`): `create_app(library, settings)`."""

from visionquery.errors import InputError

try:
    from visionquery.server.app import create_app
except ModuleNotFoundError as error:
    if (error.name or "").startswith("visionquery"):
        raise
    raise InputError(
        "Serving needs packages that are not installed. Install them with: "
        "pip install 'visionquery[server]'"
    ) from error
from visionquery.server.settings import ServerSettings

__all__ = ["ServerSettings", "create_app"]
