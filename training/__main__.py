"""The command line: `python -m training all --material DIR --teacher DIR --dev DIR`."""

import argparse
import os
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch

from .augment import as_input
from .curve import plot_curve
from .data import load_pictures
from .export import export
from .image_tower import ImageTower
from .measure import measure
from .settings import ImageRecipe, Places, TextRecipe
from .start import image_tower_from, text_tower_from
from .text_tower import TextTower
from .train_image import ImageTraining
from .train_text import TextTraining

_ROOT = Path(__file__).parents[1]
_GPU_BATCH = 1024
_REFIT_PICTURES = 512
_say = partial(print, flush=True)


def main() -> None:
    """Run the stages that the command names, in order."""
    options = _options()
    places = Places(options.material, options.teacher, options.dev, options.work, options.output)
    places.work.mkdir(parents=True, exist_ok=True)
    stages = ("text", "image", "export", "curve") if options.stage == "all" else (options.stage,)
    for stage in stages:
        _run(stage, places, options)


def _run(stage: str, places: Places, options: argparse.Namespace) -> None:
    device = torch.device(options.device)
    image, text = ImageRecipe(), TextRecipe()
    if device.type == "cuda":
        image, text = replace(image, batch=_GPU_BATCH), replace(text, batch=_GPU_BATCH)
    replicas = options.replicas or _replicas(device)
    if stage == "text":
        first_text = _first_text(places, text, options.init_from)
        minutes = options.text_minutes
        TextTraining(
            places, text, minutes=minutes, device=device, replicas=replicas, start=first_text
        ).run(_say)
    elif stage == "image":
        first_image = _first_image(places, image, options.init_from)
        minutes = options.minutes
        ImageTraining(
            places, image, minutes=minutes, device=device, replicas=replicas, start=first_image
        ).run(_say)
    elif stage == "export":
        export(places, image, text)
    elif stage == "measure":
        _say(measure(places))
    else:
        images = _ROOT / "docs" / "images"
        table = Path(__file__).with_name("curve.csv")
        plot_curve(places.work / "curve.csv", table, images / "pocket-curve.png")


def _first_image(places: Places, recipe: ImageRecipe, folder: Path | None) -> ImageTower | None:
    if folder is None:
        return None
    pixels = load_pictures(places).pixels[:_REFIT_PICTURES]
    return image_tower_from(folder, recipe, as_input(pixels, recipe.sides[-1][1]))


def _first_text(places: Places, recipe: TextRecipe, folder: Path | None) -> TextTower | None:
    if folder is None:
        return None
    shutil.copy(folder / "tokenizer.json", places.work / "tokenizer.json")
    return text_tower_from(folder, recipe)


def _replicas(device: torch.device) -> int:
    return 1 if device.type == "cuda" else max(1, os.cpu_count() or 1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("stage", choices=["all", "text", "image", "export", "measure", "curve"])
    parser.add_argument("--material", type=Path, required=True, help="shards, targets, sentences")
    parser.add_argument("--teacher", type=Path, required=True, help="the teacher's model folder")
    parser.add_argument("--dev", type=Path, required=True, help="judging photos and captions")
    parser.add_argument("--work", type=Path, default=Path("build/pocket"), help="checkpoints")
    output = _ROOT / "src" / "visionquery" / "models" / "pocket"
    parser.add_argument("--output", type=Path, default=output, help="model folder to write")
    parser.add_argument("--minutes", type=float, default=75, help="budget of the image tower")
    parser.add_argument("--text-minutes", type=float, default=15, help="budget of the text tower")
    parser.add_argument("--init-from", type=Path, help="exported model folder to start from")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--replicas", type=int, default=0, help="threads; 0: one a core")
    return parser.parse_args()


if __name__ == "__main__":
    main()
