"""Distil the teacher's text tower into ours: cosine, and similarities to a bank of pictures."""

import zlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .checkpoint import Clock, Every, load_checkpoint, save_checkpoint
from .data import Texts, load_pictures, load_texts
from .losses import bank_loss, cosine_loss
from .optimizer import Average, Optimizer, rate_scale
from .replicas import Replicas
from .settings import EMBED_DIM, Places, TextRecipe
from .text_tower import TextTower
from .tokenizer import TokenTable, load_tokenizer, train_tokenizer
from .words import fit_word_vectors

_POOL = 16
_HELD_OUT_EVERY = 50
Rows = npt.NDArray[np.int64]


class TextSampler:
    """Draws batches of like-long texts from all parts of the corpus, each with its share."""

    def __init__(self, table: TokenTable, parts: Sequence[Rows], recipe: TextRecipe) -> None:
        self._table = table
        self._parts = parts
        self._recipe = recipe
        self._random = np.random.default_rng()
        self._queue: list[Rows] = []

    def next(self) -> Rows:
        """Return the rows of the next batch."""
        if not self._queue:
            self._queue = self._refill()
        return self._queue.pop()

    def _refill(self) -> list[Rows]:
        size = self._recipe.batch * _POOL
        counts = self._random.multinomial(size, self._recipe.emphasis)
        drawn = [self._random.choice(p, n) for p, n in zip(self._parts, counts, strict=True)]
        rows = np.concatenate(drawn)
        jitter = self._random.uniform(-1, 1, size)
        ordered = rows[np.argsort(self._table.lengths[rows] + jitter)]
        batches = np.split(ordered, _POOL)
        return [batches[place] for place in self._random.permutation(_POOL)]


def is_held_out(text: str) -> bool:
    """Say whether a sentence is kept for judging the text tower; one in fifty, by its checksum."""
    return zlib.crc32(text.encode()) % _HELD_OUT_EVERY == 0


class TextTraining:
    """One run of the text tower against the clock."""

    def __init__(
        self,
        places: Places,
        recipe: TextRecipe,
        *,
        minutes: float,
        device: torch.device,
        replicas: int,
        start: TextTower | None = None,
    ) -> None:
        self.places, self.recipe, self.device = places, recipe, device
        texts = load_texts(places)
        every = [text for part in texts.values() for text in part.texts]
        path = places.work / "tokenizer.json"
        if not path.exists():
            train_tokenizer(every, recipe.vocabulary, path)
        self.table = TokenTable(load_tokenizer(path, recipe.context_length), every)
        self.targets = torch.cat([part.embeds for part in texts.values()]).to(device)
        pictures = load_pictures(places)
        self.bank = pictures.targets[torch.from_numpy(~pictures.held_out)].to(device)
        self.parts, self.judged = _split(texts)
        self.sampler = TextSampler(self.table, self.parts, recipe)
        self.tower = (start or self._fresh_tower()).to(device).train()
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

    def run(self, say: Callable[[str], None]) -> None:
        """Train until the budget is spent; checkpoint every four minutes."""
        self._resume()
        checkpoint, report = Every(200), Every(60)
        loss = 0.0
        while self.clock.fraction < 1:
            loss += 0.02 * (self._advance() - loss)
            if report.due():
                spent = self.clock.spent_seconds / 60
                say(f"text {spent:.1f} min, step {self.step}, loss {loss:.3f}, {self.judge():.4f}")
            if checkpoint.due():
                self._save()
        self._save()
        say(f"text tower: cosine to the teacher on held-out sentences {self.judge():.4f}")

    def _fresh_tower(self) -> TextTower:
        tower = TextTower(self.recipe)
        if self.recipe.width == EMBED_DIM:
            rows = np.concatenate(self.parts)
            guess = fit_word_vectors(self.table, rows, self.targets.cpu(), self.recipe.vocabulary)
            tower.start_from_words(guess)
        return tower

    def _advance(self) -> float:
        rows = self.sampler.next()
        shares = np.array_split(rows, len(self.replicas))
        loss = self.replicas.accumulate(
            [partial(self._inputs, share) for share in shares],
            partial(self._loss, rows=torch.from_numpy(rows)),
        )
        warmup, hold = self.recipe.warmup_steps, self.recipe.hold
        scale = rate_scale(self.step, self.clock.fraction, warmup_steps=warmup, hold=hold)
        self.optimizer.step(scale)
        self.step += 1
        self.average.update(self.tower, self.step)
        return loss

    def _inputs(self, rows: Rows) -> tuple[Tensor, Tensor]:
        ids, mask = self.table.batch(rows)
        return ids.to(self.device), mask.to(self.device)

    def _loss(self, texts: Tensor, rows: Tensor) -> Tensor:
        truth = self.targets[rows.to(self.device)]
        chosen = torch.randint(len(self.bank), (self.recipe.bank,), device=self.device)
        near = self.recipe.cosine_weight * cosine_loss(texts, truth)
        bank = self.bank[chosen]
        return near + bank_loss(texts, truth, (bank, bank), self.recipe.temperature)

    def judge(self) -> float:
        """Return the averaged tower's mean cosine to the teacher on held-out sentences."""
        tower = averaged_text_tower(self.recipe, self.average.state).to(self.device)
        guess = embed_rows(tower, self.table, self.judged)
        return float((guess * self.targets[torch.from_numpy(self.judged)].cpu()).sum(1).mean())

    def _save(self) -> None:
        state: dict[str, Any] = {
            "tower": self.tower.state_dict(),
            "average": self.average.state,
            "optimizer": self.optimizer.state_dict(),
            "spent_seconds": self.clock.spent_seconds,
            "step": self.step,
            "finished": self.clock.fraction >= 1,
        }
        save_checkpoint(self.places.work / "text.pt", state)

    def _resume(self) -> None:
        state = load_checkpoint(self.places.work / "text.pt", self.device)
        if state is None:
            return
        self.tower.load_state_dict(state["tower"])
        self.average.state = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.clock = Clock(self.clock.budget_seconds, state["spent_seconds"])
        self.step = state["step"]


@torch.no_grad()
def embed_rows(tower: TextTower, table: TokenTable, rows: Rows) -> Tensor:
    """Embed rows of the table as float32 (len(rows), 256) on the CPU."""
    device = next(tower.parameters()).device
    by_length = np.argsort(table.lengths[rows], kind="stable")
    result = torch.zeros(len(rows), EMBED_DIM)
    for places in np.array_split(by_length, max(1, len(rows) // 256)):
        ids, mask = table.batch(rows[places])
        with torch.autocast(device.type, dtype=torch.bfloat16):
            result[torch.from_numpy(places)] = tower(ids.to(device), mask.to(device)).cpu()
    return result


def student_embeddings(places: Places, recipe: TextRecipe) -> dict[str, Tensor] | None:
    """Embed every text of the corpus with our tower, or return None before it is trained.

    Returns float32 (texts, 256) for each part; cached in the work folder.
    """
    cache = places.work / "student-texts.pt"
    if cache.exists():
        stored: dict[str, Tensor] = torch.load(cache, weights_only=True)
        return stored
    state = load_checkpoint(places.work / "text.pt", torch.device("cpu"))
    if state is None or not state["finished"]:
        return None
    tower = averaged_text_tower(recipe, state["average"])
    tokenizer = load_tokenizer(places.work / "tokenizer.json", recipe.context_length)
    result: dict[str, Tensor] = {}
    for name, part in load_texts(places).items():
        table = TokenTable(tokenizer, part.texts)
        result[name] = embed_rows(tower, table, np.arange(len(part.texts)))
    torch.save(result, cache)
    return result


def averaged_text_tower(recipe: TextRecipe, state: dict[str, Tensor]) -> TextTower:
    """Return a tower in evaluation mode with the given parameters."""
    tower = TextTower(recipe)
    tower.load_state_dict(state)
    return tower.eval()


def _split(texts: dict[str, Texts]) -> tuple[list[Rows], Rows]:
    """Return the training rows of each part and the held-out rows of the sentences."""
    parts: list[Rows] = []
    start = 0
    judged: list[int] = []
    for name, part in texts.items():
        kept = np.array([not is_held_out(text) for text in part.texts])
        parts.append(start + np.flatnonzero(kept))
        if name == "sentences":
            judged = list(start + np.flatnonzero(~kept))
        start += len(part.texts)
    return parts, np.array(judged)
