"""The model card, written from the figures that were taken."""

import csv
import textwrap

from .evaluate import CUTS, Rates
from .measure import LABELLED, Figures
from .settings import EMBED_DIM, ImageRecipe, Places, TextRecipe

_COMMAND = "python -m training"
_FOLDER = "src/visionquery/models/pocket"
_CARD = """\
# pocket

A small image-text encoder of our own, shipped with VisionQuery so that a search works in the first
minute, offline. Two towers meet in one {dim}-dimensional space: a residual convolutional network
for pictures ({side} x {side} pixels, whole picture squashed) and a {layers}-layer transformer for
English text, with its own lower-casing WordPiece tokenizer.

## Figures
Text finds its picture among the 1,000 Flickr8k dev photos; every one of the 5,000 captions is a
query; both towers are the shipped files. Those photos and captions were never trained on.

| | hit_rate@1 | hit_rate@5 | hit_rate@10 | MRR | median rank |
|---|---|---|---|---|---|
| shipped (int8) | {exported} |
| image tower in float32 | {exact} |
| the teacher, both its towers | 29.0 % | 58.6 % | 71.9 % | 0.429 | |
| chance | 0.1 % | 0.5 % | 1.0 % | 0.007 | 500 |

- **Fidelity of int8**: mean cosine to float32 {fidelity:.4f} on 500 dev photos (gate: at least
  0.99, and at most 0.5 point of hit_rate@10 lost).
- **Zero-shot**: {zero_pictures} held-out pictures of {labelled}, named among its {zero_labels}
  labels ("a photo of a ..."): top-1 {top1:.1%}, top-5 {top5:.1%} (teacher, which saw these
  pictures at their full size: {teacher1:.1%}, {teacher5:.1%}; chance {chance:.1%}).
- **Text tower alone**: mean cosine to the teacher {text_cosine:.4f} on held-out sentences.
- **Size**: {size}; together {total:.1f} MB.
- **Latency** of one item, onnxruntime, best of 200, on two cores of an AMD Zen 4 server that
  other work shared (which costs two threads most):

| tower | 1 thread | 2 threads |
|---|---|---|
{latency}

Taken by `{command} measure` after `{command} all` (options in
`training/README.md`). For the retrieval figures alone:
`visionquery eval captions.jsonl --images DIR --model pocket`.

## Method
Both towers start from random weights and learn to answer as a larger encoder does (ViT-Ti/16
pictures, MiniLM-L6 text, joined on Flickr8k captions). None of the teacher's weights are in these
files.

- **Text**, first: cosine to the teacher's text embedding, and KL divergence both ways between
  student's and teacher's similarities to 4,096 picture embeddings. Token vectors start from a
  least-squares fit of the teacher's embeddings by bags of words, which saves most of the time.
- **Pictures**, by the clock: cosine to the teacher's picture embedding, KL divergence both ways
  between student's and teacher's similarities to some 4,600 texts drawn anew each step, and, for
  captioned photos, a small contrastive term. Muon for kernels, AdamW for the rest, averaged
  weights; 64, then 96, then 128 pixels; random crops, mirror images, shifts of colour.
- **Export**: normalization folded into kernels; image tower in static int8, per channel, one bit of
  headroom for processors without VNNI, its first and last layers in float32; text weights in
  int8, arithmetic in float32.

{course}

## Data
38,138 pictures at 64 to 128 pixels: Flickr8k train 6,000, ImageNet samples 1,638, Imagenette 3,000,
mini-ImageNet 10,000, Tiny ImageNet 9,000, ADE20K validation 2,000, flowers 1,000, clothing (CC0)
1,500, dogs and cats 1,000, PACS 2,500, BSDS 500. One in twenty was held out. Text: 164,441 image
descriptions (Flickr8k train, COCO val2017, Multi30k train, without any sentence of Flickr8k's
dev and test photos) and 67,180 nouns (WordNet, ImageNet class names); one description in fifty was
held out.
Most of the pictures are under terms that allow research use; the clothing pictures are CC0.

## Limits and bias
- It is small and knows what {side} pixels show: no text in pictures, no counting, no small objects,
  no faces or identities, few proper names, English only. It tells scenes, animals, sports, clothes
  and common things apart; expect the right picture among ten for about {tenth} queries in ten on
  everyday photos, and less elsewhere. A larger model is one `--model` away.
- Everyday photos here come from Flickr, mostly of Western, English-speaking surroundings: people,
  dogs, sports and outdoor scenes are over-represented, and captions carry their writers' guesses
  about gender, age and origin. It inherits these and the teacher's own. Do not use it to decide
  about people.
- A cosine says which picture is nearer, not that it is right.

## Licence
Code and weights: Apache-2.0. The weights are statistics of pictures most of which are published for
research; whoever needs weights without that question should take another model from the catalog.
"""


def write_card(places: Places, figures: Figures) -> None:
    """Write `CARD.md` into the output folder from the figures and the training curve."""
    with (places.work / "curve.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    (places.output / "CARD.md").write_text(_card(figures, rows))


def _card(figures: Figures, curve: list[dict[str, str]]) -> str:
    zero = figures.zero_shot
    sizes = figures.size_bytes
    return _CARD.format(
        dim=EMBED_DIM,
        side=ImageRecipe().sides[-1][1],
        layers=TextRecipe().layers,
        exported=_rates(figures.exported),
        exact=_rates(figures.exact),
        fidelity=figures.fidelity_cosine,
        zero_pictures=zero.pictures,
        zero_labels=zero.labels,
        labelled=LABELLED,
        top1=zero.top1,
        top5=zero.top5,
        teacher1=zero.teacher_top1,
        teacher5=zero.teacher_top5,
        chance=1 / zero.labels,
        text_cosine=figures.text_cosine,
        size=", ".join(f"{name} {size / 1e6:.2f} MB" for name, size in sizes.items()),
        total=sum(sizes.values()) / 1e6,
        latency=_latency(figures.milliseconds),
        command=_COMMAND,
        course=_course(curve, figures),
        tenth=round(10 * figures.exported.hit_rate[10]),
    )


def _rates(rates: Rates) -> str:
    hits = [f"{rates.hit_rate[k]:.1%}".replace("%", " %") for k in CUTS]
    return " | ".join([*hits, f"{rates.mrr:.3f}", f"{rates.median_rank:.0f}"])


def _latency(milliseconds: dict[str, float]) -> str:
    towers = dict.fromkeys(name.split(", ")[0] for name in milliseconds)
    lines = [
        f"| {tower} | {milliseconds[f'{tower}, 1 threads']:.2f} ms "
        f"| {milliseconds[f'{tower}, 2 threads']:.2f} ms |"
        for tower in towers
    ]
    return "\n".join(lines)


def _course(curve: list[dict[str, str]], figures: Figures) -> str:
    """Say how long the image tower was trained and how the curve ends, wrapped."""
    hits = [float(row["hit_rate@10_percent"]) for row in curve]
    before = hits[len(hits) * 3 // 4]
    last = curve[-1]
    text = (
        f"The image tower was trained for {float(last['minutes']):.0f} minutes on two CPU cores "
        f"shared with other work, {float(last['epochs']):.1f} passes over the pictures. In the "
        f"last quarter of the curve hit_rate@10 went from {before:.1f} to {hits[-1]:.1f} % as the "
        "learning rate fell to zero, while the loss on training pictures still fell: cosine to "
        f"the teacher is {figures.seen_cosine:.2f} on captioned photos trained on and "
        f"{figures.unseen_cosine:.2f} on held-out ones. It is far from the teacher. We expect more "
        "from a longer schedule with stronger augmentation, and from more pictures, than from "
        "further passes at the end of this one. The curve is `training/curve.csv`. Training can "
        f"go on from these very files: `{_COMMAND} all --init-from {_FOLDER}`."
    )
    return textwrap.fill(text, 100, break_on_hyphens=False)
