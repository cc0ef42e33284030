"""A client of `visionquery serve` with the answers of a library beside it (extra `client`)."""

from visionquery.errors import InputError

try:
    from visionquery.client.client import Client
except ModuleNotFoundError as error:
    if error.name != "httpx2":
        raise
    raise InputError(
        "The client needs httpx2, which is not installed. Install it with: "
        "pip install 'visionquery[client]'"
    ) from error

__all__ = ["Client"]
