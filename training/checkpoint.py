"""Checkpoints that a kill at any moment leaves whole, and the clock of a training run."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` beside `path`, then put it in place in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    torch.save(state, fresh)
    fresh.replace(path)


def load_checkpoint(path: Path, device: torch.device) -> dict[str, Any] | None:
    """Return the state in `path`, or None where there is none yet."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return state


@dataclass
class Clock:
    """The wall-clock budget of a run; survives a restart, and time between runs is not counted."""

    budget_seconds: float
    spent_before: float = 0.0

    def __post_init__(self) -> None:
        self._started = time.monotonic()

    @property
    def spent_seconds(self) -> float:
        """Seconds of training so far, earlier runs included."""
        return self.spent_before + time.monotonic() - self._started

    @property
    def fraction(self) -> float:
        """Part of the budget that is spent, 0..1."""
        return min(1.0, self.spent_seconds / self.budget_seconds)


class Every:
    """Says yes once in so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last = time.monotonic()

    def due(self) -> bool:
        """Return whether the time has come, and start anew if so."""
        if time.monotonic() - self._last < self._seconds:
            return False
        self._last = time.monotonic()
        return True
