"""The command line's operations that are killed, and what a library holds before and after each.

They are done in turn, again and again, so that each begins where the one before it ended.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["OPERATIONS", "Operation", "World", "start"]


@dataclass(frozen=True)
class World:
    """Where things are: a library, folders of photographs in one folder, and two models. `of` has
    the file of every image, by its id, relative to that folder."""

    library: Path
    photographs: Path
    models: tuple[str, str]
    of: dict[str, str]

    def images(self, part: str = "") -> frozenset[str]:
        return frozenset(key for key, path in self.of.items() if path.startswith(part))


@dataclass(frozen=True)
class Operation:
    """A command; the images that there are once it is done, None for those before it; the model,
    by its place in `World.models`, None for the one before it; and its exit codes: one that was cut
    off may find nothing left to do."""

    name: str
    command: Callable[[World], list[object]]
    images: Callable[[World], frozenset[str]] | None
    model: int | None = None
    codes: tuple[int, ...] = (0,)


def _moved_to(model: int) -> Operation:
    return Operation(
        f"re-encode {model}",
        lambda world: ["index", "--reencode", "--model", world.models[model]],
        lambda world: world.images(),
        model,
    )


def _indexed(name: str) -> Operation:
    return Operation(
        name, lambda world: ["index", world.photographs], lambda world: world.images()
    )


def _removed(part: str) -> Operation:
    return Operation(
        f"remove {part}",
        lambda world: ["remove", world.photographs / part],
        lambda world: world.images() - world.images(part),
        codes=(0, 2),
    )


OPERATIONS = (
    _indexed("index"),
    _removed("odd"),
    Operation("compact", lambda _: ["compact"], None),
    _indexed("index again"),
    _moved_to(1),
    _removed("even"),
    Operation("compact by the other model", lambda _: ["compact"], None),
    _indexed("index by the other model"),
    _moved_to(0),
)


def start(operation: Operation, world: World) -> subprocess.Popen[bytes]:
    """Start a command as a person would."""
    made = world.library.exists()
    model = [] if made else ["--model", world.models[0]]
    command = [*operation.command(world), "--library", world.library, "--json", *model]
    return subprocess.Popen(
        [sys.executable, "-m", "visionquery", *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )
