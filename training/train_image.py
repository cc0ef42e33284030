"""Distil the teacher's image tower into ours, by the clock."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .augment import augment
from .checkpoint import Clock, Every, load_checkpoint, save_checkpoint
from .data import Pictures, load_pictures, load_texts
from .evaluate import DevSet, curve_row
from .image_tower import ImageTower
from .losses import bank_loss, contrast_loss, cosine_loss
from .optimizer import Average, Optimizer, rate_scale
from .replicas import Replicas
from .settings import ImageRecipe, Places, TextRecipe
from .train_text import student_embeddings

_CONTRAST_TEMPERATURE = 25.0


class ImageTraining:
    """One run of the image tower."""

    def __init__(
        self,
        places: Places,
        recipe: ImageRecipe,
        *,
        minutes: float,
        device: torch.device,
        replicas: int,
        start: ImageTower | None = None,
    ) -> None:
        self.places, self.recipe, self.device = places, recipe, device
        self.pictures = load_pictures(places).to(device)
        self.banks = [bank.to(device) for bank in _banks(places)]
        self.dev = DevSet(places)
        self.tower = start or ImageTower(recipe)
        self.tower.to(device=device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.replicas = Replicas(self.tower, replicas)
        self.optimizer = Optimizer(
            self.tower,
            self.replicas.pool,
            matrix_rate=recipe.matrix_rate,
            vector_rate=recipe.vector_rate,
        )
        self.average = Average(self.tower)
        self.clock = Clock(minutes * 60)
        self.step = 0
        self.seen = 0
        self._odds = np.cumsum(_odds(self.pictures, recipe))
        self._random = np.random.default_rng()

    def run(self, say: Callable[[str], None]) -> None:
        """Train until the budget is spent; checkpoint and judge every few minutes."""
        self._resume()
        checkpoint, judge = Every(200), Every(300)
        loss = 0.0
        while self.clock.fraction < 1:
            loss += 0.02 * (self._advance() - loss)
            if checkpoint.due():
                self._save()
            if judge.due():
                say(self._judge(loss))
        self._save()
        say(self._judge(loss))

    @property
    def side(self) -> int:
        """Input side in pixels at this point of the budget."""
        spent = self.clock.fraction
        return next(side for until, side in self.recipe.sides if spent <= until)

    def _advance(self) -> float:
        draws = self._random.random(self.recipe.batch)
        rows = np.minimum(np.searchsorted(self._odds, draws), len(self._odds) - 1)
        shares = [torch.from_numpy(part) for part in np.array_split(rows, len(self.replicas))]
        loss = self.replicas.accumulate(
            [partial(self._inputs, share, self.side) for share in shares],
            partial(self._loss, rows=torch.from_numpy(rows)),
        )
        warmup, hold = self.recipe.warmup_steps, self.recipe.hold
        scale = rate_scale(self.step, self.clock.fraction, warmup_steps=warmup, hold=hold)
        self.optimizer.step(scale)
        self.step += 1
        self.seen += len(rows)
        self.average.update(self.tower, self.step)
        return loss

    def _inputs(self, rows: Tensor, side: int) -> tuple[Tensor]:
        pixels = self.pictures.pixels[rows.to(self.device)]
        return (augment(pixels, side, self.recipe.crop_area),)

    def _loss(self, images: Tensor, rows: Tensor) -> Tensor:
        sets = torch.from_numpy(self.pictures.caption_rows[rows.numpy()])
        answers = torch.nonzero(sets >= 0)[:, 0]
        chosen = sets[answers] * 5 + torch.randint(5, (len(answers),))
        own = self.banks[0][chosen.to(self.device)]
        drawn = [
            bank[torch.randint(len(bank), (count,), device=self.device)]
            for bank, count in zip(self.banks, self.recipe.bank, strict=True)
        ]
        ours, theirs = torch.cat([own, *drawn]).unbind(1)
        truth = self.pictures.targets[rows.to(self.device)]
        near = self.recipe.cosine_weight * cosine_loss(images, truth)
        like = bank_loss(images, truth, (ours, theirs), self.recipe.temperature)
        apart = contrast_loss(images, own[:, 0], answers.to(self.device), _CONTRAST_TEMPERATURE)
        return near + like + self.recipe.contrast_weight * apart

    def _judge(self, loss: float) -> str:
        tower = averaged_image_tower(self.recipe, self.average.state).to(self.device)
        minutes = self.clock.spent_seconds / 60
        rates = self.dev.rates(tower, self.side)
        epochs = self.seen / len(self.pictures.sources)
        return curve_row(
            self.places, minutes=minutes, epochs=epochs, side=self.side, loss=loss, rates=rates
        )

    def _save(self) -> None:
        state: dict[str, Any] = {
            "tower": self.tower.state_dict(),
            "average": self.average.state,
            "optimizer": self.optimizer.state_dict(),
            "spent_seconds": self.clock.spent_seconds,
            "step": self.step,
            "seen": self.seen,
        }
        save_checkpoint(self.places.work / "image.pt", state)

    def _resume(self) -> None:
        state = load_checkpoint(self.places.work / "image.pt", self.device)
        if state is None:
            return
        self.tower.load_state_dict(state["tower"])
        self.average.state = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.clock = Clock(self.clock.budget_seconds, state["spent_seconds"])
        self.step, self.seen = state["step"], state["seen"]


def averaged_image_tower(recipe: ImageRecipe, state: dict[str, Tensor]) -> ImageTower:
    """Return a tower in evaluation mode with the given parameters, channels last."""
    tower = ImageTower(recipe)
    tower.load_state_dict(state)
    return tower.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _banks(places: Places) -> list[Tensor]:
    """Return captions, sentences and photo prompts as (texts, 2, 256): our rows, the teacher's.

    Until our text tower is trained, the teacher's rows stand in for ours.
    """
    texts = load_texts(places)
    students = student_embeddings(places, TextRecipe())
    banks: list[Tensor] = []
    for name in ("captions", "sentences", "photos"):
        theirs = texts[name].embeds
        ours = theirs if students is None else students[name]
        banks.append(torch.stack([ours, theirs], dim=1))
    return banks


def _odds(pictures: Pictures, recipe: ImageRecipe) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return how likely each picture is drawn; held-out pictures never are."""
    raw = np.array([recipe.emphasis.get(source, 1.0) for source in pictures.sources])
    raw[pictures.held_out] = 0.0
    result: np.ndarray[Any, np.dtype[np.float64]] = raw / raw.sum()
    return result
