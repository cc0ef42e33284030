"""Reaching a Ray cluster: a connection, and whether every node of it can do its part."""

import logging
import os
import socket
import warnings
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from visionquery.errors import EngineError, InputError, ModelError
from visionquery.images.kinds import readers
from visionquery.indexing.on_node import Task

__all__ = ["check_address", "check_nodes", "connected", "in_short", "own_version"]

_LOCAL = "ray"
_SCHEME = "ray://"
_CLIENT_PORT = 10001
_TRIES = 3
"""Now and then the server for clients fails to start one of its processes, which shows late."""
_SECONDS_TO_ANSWER = 10.0
_SECONDS_TO_COME_BACK = "15"
"""How long Ray tries to have a broken connection again; it does that twice."""


def check_address(on: str) -> None:
    """Raise InputError where `on` names no cluster, or the extra `ray` is not installed."""
    if on != _LOCAL and not (on.startswith(_SCHEME) and urlsplit(on).hostname):
        raise InputError(
            f"{on} names no cluster: give ray://HOST:{_CLIENT_PORT}, or ray for the cluster that "
            "RAY_ADDRESS names or else for one on this machine."
        )
    try:
        import ray.data  # noqa: F401
    except ImportError as error:
        raise InputError(
            "To index on a cluster, the extra ray is needed: pip install 'visionquery[ray]'. "
            "Without it the work is done here: leave --on and VISIONQUERY_ON out."
        ) from error


def connected(on: str) -> tuple[ModuleType, bool]:
    """Return Ray, connected, and whether that was done here: a program may be connected already."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_CLIENT_RECONNECT_GRACE_PERIOD", _SECONDS_TO_COME_BACK)
    import ray

    if ray.is_initialized():
        return ray, False
    address = on if on != _LOCAL else os.environ.get("RAY_ADDRESS", "local")
    options: dict[str, Any] = {"logging_level": "CRITICAL", "log_to_driver": False}
    if address == "local":
        options["include_dashboard"] = False
    elif address.startswith(_SCHEME):
        _check_listening(address)
    logging.getLogger("ray").setLevel(logging.CRITICAL)  # What goes wrong is said here.
    for tries_left in reversed(range(_TRIES)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ray.init(address, **options)
            break
        except Exception as error:  # Ray raises many kinds
            if not tries_left:
                raise EngineError(
                    f"The cluster {address} cannot be used: {in_short(error)}. Look whether it "
                    "runs (ray status), and with the same versions of Python and Ray as here."
                ) from error
    return ray, True


def _check_listening(address: str) -> None:
    """Ray waits half a minute for somebody who is not there, and says so in many words."""
    try:
        parts = urlsplit(address)
        where = (parts.hostname or "", parts.port or _CLIENT_PORT)
        socket.create_connection(where, timeout=_SECONDS_TO_ANSWER).close()
    except ValueError as error:  # a port that is no number
        raise InputError(f"{address} names no cluster: {error}.") from error
    except OSError as error:
        raise EngineError(
            f"No cluster answers at {address} ({error.strerror or error}): start its head with ray "
            f"start --head --ray-client-server-port={where[1]}, or correct the address."
        ) from error


def own_version() -> str:
    """Return the version of this program. No room may import the package itself, which names the
    façade."""
    return str(import_module("visionquery").__version__)


def check_nodes(ray: Any, task: Task) -> None:
    """Raise EngineError or ModelError unless every node can do its part."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    look = ray.remote(num_cpus=0, max_retries=1)(_looking())
    pickled = ray.cloudpickle.dumps(task)
    ours = own_version()
    answers = [
        look.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=True)
        ).remote(ours, pickled, readers())
        for node in ray.nodes()
        if node["Alive"]
    ]
    for name, version, problem in ray.get(answers):
        if version != ours:
            has = f"visionquery {version}" if version else "no visionquery"
            raise EngineError(
                f"The node {name} has {has}, and this machine {ours}: install the same "
                "version on all nodes, the head too."
            )
        if problem:
            kind = ModelError if "the model" in problem else EngineError
            raise kind(f"The node {name} {problem}")


def _looking() -> Callable[[str, bytes, str], tuple[str, str, str]]:
    """Return what a node is asked first. It is sent as code, since nobody knows yet whether the
    node has this package."""

    def look(version: str, task: bytes, readers: str) -> tuple[str, str, str]:
        import pickle
        from importlib import import_module
        from socket import gethostname

        try:
            found = str(import_module("visionquery").__version__)
        except ImportError:
            return gethostname(), "", ""
        if found != version:
            return gethostname(), found, ""
        from visionquery.indexing.on_node import lack

        return gethostname(), found, lack(pickle.loads(task), readers)

    return look


def in_short(error: BaseException) -> str:
    """Return what a long message of Ray comes to."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__).rstrip(".")[:200]
