"""Preprocessing, tokens and vectors against numbers made by plainer code."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visionquery.models.catalog import resolve
from visionquery.models.encoder import load_encoder
from visionquery.models.preprocess import prepare
from visionquery.models.spec import Artifact, Preprocess, Tokenizer
from visionquery.models.tokenizer import open_tokenizer
from visionquery.types import Decoded, Facts

HERE = Path(__file__).parent
SQUARES = dict(np.load(HERE / "preprocess.npz"))
TOKENS = json.loads((HERE / "tokens.json").read_text(encoding="utf-8"))


def picture(width, height):
    random = np.random.default_rng(1000 * width + height)
    slope = np.add.outer(np.arange(height) / height, np.arange(width) / width) * 100
    noise = random.integers(0, 56, (height, width, 3))
    return (slope[:, :, None] + noise).astype(np.uint8)


def decoded(pixels, width=None, height=None):
    height_here, width_here = pixels.shape[:2]
    return Decoded(pixels, Facts(width or width_here, height or height_here, "PNG", 1))


def rule(resize, rounding, interpolation, size=16):
    return Preprocess(size, resize, interpolation, rounding, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@pytest.mark.parametrize("case", SQUARES)
def test_a_box_gives_what_resizing_everything_and_cutting_gives(case):
    resize, rounding, interpolation, size = case.split("-")
    width, height = map(int, size.split("x"))
    found = prepare(decoded(picture(width, height)), rule(resize, rounding, interpolation))
    found = np.rint(found * 255).astype(int).transpose(1, 2, 0)
    # Between its two passes Pillow rounds to whole grey levels, and it chooses their order by the
    # sizes: one level is all that may differ. The pictures are noise, so that a cut one pixel
    # aside would differ by dozens.
    assert np.abs(found - SQUARES[case]).max() <= 1


def test_the_rounding_rules_differ_where_they_should():
    half_even = SQUARES["shortest-half_even-bicubic-41x49"].astype(int)
    floor = SQUARES["shortest-floor-bicubic-41x49"].astype(int)
    assert np.abs(half_even - floor).max() > 20
    np.testing.assert_array_equal(half_even[:-1], floor[1:])


def test_mean_and_standard_deviation_are_those_of_the_channels():
    mean, std = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    pixels = picture(16, 16)
    found = prepare(decoded(pixels), Preprocess(16, "squash", "bicubic", "", mean, std))
    expected = ((pixels / 255 - mean) / std).transpose(2, 0, 1)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("resize", ["shortest", "crop", "squash"])
@pytest.mark.parametrize(("width", "height"), [(1201, 801), (803, 1205)])
def test_a_draft_of_twice_the_size_is_cut_at_the_same_place(resize, width, height):
    """A smooth picture at half and at full size: the same square but for the draft's blur."""
    across = np.sin(np.arange(width) * 6 / width)
    down = np.sin(np.arange(height) * 5 / height)
    values = (np.add.outer(down, across) * 60 + 125).astype(np.uint8)
    whole = np.repeat(values[:, :, None], 3, axis=2)
    draft = np.asarray(Image.fromarray(whole).reduce(2))
    chosen = rule(resize, "" if resize == "squash" else "half_even", "bicubic", size=32)
    found = prepare(decoded(draft, width, height), chosen)
    assert np.abs(found - prepare(decoded(whole), chosen)).max() * 255 < 2.5


def tokenizer(name, **options):
    file = HERE / f"tokenizer-{name}.json"
    common = {"artifact": Artifact(file.name, "0" * 64), "context_length": 500}
    settings = {
        "clip": {"padding": "longest"},
        "bert": {"padding": "longest"},
        "gemma": {"padding": "max", "lowercase": True},
    }
    return open_tokenizer(file, Tokenizer(**(common | settings[name] | options)))


@pytest.mark.parametrize("name", TOKENS)
def test_tokens_of_each_kind(name):
    assert tokenizer(name).encode(list(TOKENS[name])) == list(TOKENS[name].values())


@pytest.mark.parametrize("name", TOKENS)
def test_a_text_that_is_too_long_keeps_its_end_token(name):
    whole = TOKENS[name]["word " * 40]
    (cut,) = tokenizer(name, context_length=12).encode(["word " * 40])
    assert cut == [*whole[:11], whole[-1]]


@pytest.mark.parametrize(("name", "pad"), [("clip", 1), ("bert", 0), ("gemma", 0)])
def test_padding_uses_the_padding_token_of_the_file(name, pad):
    opened = tokenizer(name, context_length=20)
    rows = opened.encode(["a dog", "a dog on the beach"])
    tokens = opened.pad(rows)
    width = 20 if name == "gemma" else len(rows[1])
    assert tokens.ids.shape == tokens.mask.shape == (2, width)
    assert tokens.ids.dtype == tokens.mask.dtype == np.int64
    assert tokens.ids[0].tolist() == rows[0] + [pad] * (width - len(rows[0]))
    assert tokens.mask.sum(axis=1).tolist() == [len(row) for row in rows]


def test_tokens_of_the_shared_model(lit_tiny):
    spec = resolve(str(lit_tiny))
    opened = open_tokenizer(lit_tiny / "tokenizer.json", spec.tokenizer)
    # The numbers of the published uncased BERT vocabulary.
    assert opened.encode(["A photo of a dog"]) == [[101, 1037, 6302, 1997, 1037, 3899, 102]]
    assert len(opened.encode(["dog " * 100])[0]) == 64


def test_vectors_of_the_shared_model(lit_tiny, flickr):
    golden = json.loads((lit_tiny / "golden.json").read_text())
    encoder = load_encoder(resolve(str(lit_tiny)), threads=1)
    pictures = [np.asarray(Image.open(flickr / name)) for name in golden["images"]]
    images = encoder.encode_images(np.stack([encoder.prepare(decoded(p)) for p in pictures]))
    texts = encoder.encode_texts(list(golden["texts"]))
    np.testing.assert_allclose(images[:, :8], list(golden["images"].values()), atol=2e-3)
    np.testing.assert_allclose(texts[:, :8], list(golden["texts"].values()), atol=2e-2)
    cosines = [list(row.values()) for row in golden["cosines"].values()]
    np.testing.assert_allclose(texts @ images.T, cosines, atol=4e-2)
