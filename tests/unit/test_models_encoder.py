"""The encoder: towers opened when needed, batches, files with both towers, wrong files."""

import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import compose, helper

from visionquery.errors import ChecksumMismatchError, ModelError, WeightsMissingError
from visionquery.models.catalog import resolve
from visionquery.models.encoder import load_encoder
from visionquery.testing.tiny_model import COLOURS, make_tiny_model
from visionquery.types import Calibration, Curve, Decoded, Facts, Line


def picture(colour):
    pixels = np.full((20, 30, 3), COLOURS[colour], np.uint8)
    return Decoded(pixels, Facts(30, 20, "PNG", 1))


def encoder(folder):
    return load_encoder(resolve(str(folder)), threads=1)


def encode_colours(opened):
    prepared = np.stack([opened.prepare(picture(colour)) for colour in COLOURS])
    return opened.encode_images(prepared)


def rewrite(folder, file, content):
    """Replace a file of a model folder and put the new hash into its description."""
    old = hashlib.sha256((folder / file).read_bytes()).hexdigest()
    (folder / file).write_bytes(content)
    edit(folder, old, hashlib.sha256(content).hexdigest())


def edit(folder, old, new):
    description = folder / "model.toml"
    text = description.read_text()
    assert old in text
    description.write_text(text.replace(old, new))


@pytest.fixture
def folder(tmp_path):
    return make_tiny_model(tmp_path / "model")


@pytest.mark.parametrize("seed", [0, 7])
def test_words_find_their_colours(tmp_path, seed):
    opened = encoder(make_tiny_model(tmp_path, seed=seed))
    images = encode_colours(opened)
    texts = opened.encode_texts([f"a {colour.upper()} picture" for colour in COLOURS])
    assert (texts @ images.T).argmax(axis=1).tolist() == list(range(len(COLOURS)))
    np.testing.assert_allclose(np.linalg.norm(images, axis=1), 1, atol=1e-5)
    unknown = opened.encode_texts(["zebra crossing"]) @ images.T
    assert np.ptp(unknown) < 0.02


def test_a_generated_model_is_the_same_bytes_each_time(tmp_path, folder):
    again = make_tiny_model(tmp_path / "again")
    for file in folder.iterdir():
        assert file.read_bytes() == (again / file.name).read_bytes()
        assert file.stat().st_size < 100_000


def test_the_calibration_is_that_of_the_description(folder):
    plain = encoder(folder)
    assert plain.calibration is None
    with (folder / "model.toml").open("a") as description:
        description.write(
            "[calibration]\nexclusion = 0.5\nwords = 3\n"
            "[calibration.text]\nmatch = { slope = 1, midpoint = 2 }\n"
            "[calibration.picture]\nmatch = { slope = 1, midpoint = 3 }\n"
        )
    fitted = encoder(folder)
    assert fitted.calibration == Calibration(
        text=Curve(Line(1.0, 2.0)), picture=Curve(Line(1.0, 3.0)), exclusion=0.5, words=3.0
    )
    assert fitted.identity.fingerprint == plain.identity.fingerprint


def test_another_seed_is_another_model(tmp_path, folder):
    one, other = encoder(folder), encoder(make_tiny_model(tmp_path / "other", seed=1))
    assert one.identity.fingerprint != other.identity.fingerprint
    assert one.identity.name != other.identity.name
    own = np.diag(one.encode_texts(list(COLOURS)) @ encode_colours(one).T)
    crossed = np.diag(one.encode_texts(list(COLOURS)) @ encode_colours(other).T)
    assert own.min() > 0.9
    assert crossed.mean() < 0.3


def test_the_encoder_tells_what_a_caller_needs(folder):
    opened = encoder(folder)
    assert (opened.image_side, opened.logit_scale) == (32, 20.0)
    assert opened.identity.source == str(folder.resolve())
    assert opened.prepare(picture("red")).shape == (3, 32, 32)


def test_nothing_gives_no_rows(folder):
    opened = encoder(folder)
    assert opened.encode_texts([]).shape == (0, 24)
    assert opened.encode_images(np.empty((0, 3, 32, 32), np.float32)).shape == (0, 24)


def test_order_and_batch_make_no_difference(folder):
    opened = encoder(folder)
    texts = [f"{'the ' * (number % 9)}{colour}" for number in range(20) for colour in COLOURS]
    together = opened.encode_texts(texts)
    alone = np.concatenate([opened.encode_texts([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert (opened.encode_texts(["", "red"])[1] == opened.encode_texts(["red"])[0]).all()


def test_a_limit_on_the_batch_is_kept(folder):
    whole = encode_colours(encoder(folder))
    edit(folder, 'input = "pixel_values"', 'input = "pixel_values"\nmax_batch = 3')
    np.testing.assert_allclose(encode_colours(encoder(folder)), whole, atol=1e-6)
    image = onnx.load(folder / "image.onnx")
    image.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2
    rewrite(folder, "image.onnx", image.SerializeToString())
    with pytest.raises(ModelError, match="failed to run"):
        encode_colours(encoder(folder))
    edit(folder, "max_batch = 3", "max_batch = 2")
    np.testing.assert_allclose(encode_colours(encoder(folder)), whole, atol=1e-6)


def test_both_towers_in_one_file(folder):
    separate = encoder(folder)
    expected = separate.encode_texts(list(COLOURS))
    image, text = onnx.load(folder / "image.onnx"), onnx.load(folder / "text.onnx")
    both = compose.merge_models(
        compose.add_prefix(image, "i_"), compose.add_prefix(text, "t_"), io_map=[]
    ).SerializeToString()
    old = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in ("image.onnx", "text.onnx")
    }
    for name, prefix, port in (
        ("image.onnx", "i_", "pixel_values"), ("image.onnx", "i_", "image_embeds"),
        ("text.onnx", "t_", "input_ids"), ("text.onnx", "t_", "attention_mask"),
        ("text.onnx", "t_", "text_embeds"),
    ):
        edit(folder, f'"{port}"', f'"{prefix}{port}"')
        (folder / name).unlink(missing_ok=True)
    (folder / "both.onnx").write_bytes(both)
    for name, hashed in old.items():
        edit(folder, hashed, hashlib.sha256(both).hexdigest())
        edit(folder, f'"{name}"', '"both.onnx"')
    opened = encoder(folder)
    np.testing.assert_allclose(opened.encode_texts(list(COLOURS)), expected, atol=1e-6)
    # `separate` has its image tower yet to open, and its file is gone.
    with pytest.raises(WeightsMissingError, match=r"image\.onnx"):
        encode_colours(separate)
    images = encode_colours(opened)
    assert (opened.encode_texts(list(COLOURS)) @ images.T).argmax(axis=1).tolist() == list(
        range(len(COLOURS))
    )


def test_rows_that_are_not_unit_length_are_made_so(folder):
    whole = encode_colours(encoder(folder))
    image = onnx.load(folder / "image.onnx")
    last = image.graph.node.pop()
    image.graph.node.append(helper.make_node("Add", [last.input[0]] * 2, [last.output[0]]))
    rewrite(folder, "image.onnx", image.SerializeToString())
    text = (folder / "model.toml").read_text()
    (folder / "model.toml").write_text(text.replace("normalized = true", "normalized = false", 1))
    np.testing.assert_allclose(encode_colours(encoder(folder)), whole, atol=1e-6)


def test_a_text_tower_without_mask_is_not_fed_one(folder):
    text = onnx.load(folder / "text.onnx")
    for node in text.graph.node:
        if node.op_type == "Cast":
            node.input[0] = "input_ids"
    del text.graph.input[1]
    rewrite(folder, "text.onnx", text.SerializeToString())
    assert encoder(folder).encode_texts(["red"]).shape == (1, 24)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"input_ids"', '"ids"', "inputs input_ids, attention_mask"),
        ('"text_embeds"', '"embeddings"', "outputs text_embeds"),
        (', "attention_mask"', "", "inputs input_ids, attention_mask"),
        ("embed_dim = 24", "embed_dim = 25", "rows of 24 numbers"),
    ],
)
def test_a_description_that_does_not_fit_its_file(folder, old, new, words):
    edit(folder, old, new)
    with pytest.raises(ModelError, match=words):
        encoder(folder).encode_texts(["red"])


def test_numbers_that_are_no_vector_are_refused(folder):
    text = onnx.load(folder / "text.onnx")
    text.graph.node[-1].CopyFrom(helper.make_node("Log", ["raw"], ["text_embeds"]))
    rewrite(folder, "text.onnx", text.SerializeToString())
    with pytest.raises(ModelError, match="no vector"):
        encoder(folder).encode_texts(["red"])


def test_a_changed_file_is_refused_with_both_hashes(folder):
    with (folder / "text.onnx").open("ab") as stream:
        stream.write(b"x")
    opened = encoder(folder)
    assert encode_colours(opened).shape == (10, 24)
    with pytest.raises(ChecksumMismatchError) as caught:
        opened.encode_texts(["red"])
    assert caught.value.expected in str(caught.value)
    assert caught.value.actual in str(caught.value)
    assert caught.value.path == str(folder / "text.onnx")


def test_a_broken_tokenizer_is_a_model_error(folder):
    rewrite(folder, "tokenizer.json", b"{}")
    with pytest.raises(ModelError, match=r"tokenizer\.json is not a tokenizer"):
        encoder(folder).encode_texts(["red"])


def test_an_unknown_padding_token_is_named(folder):
    edit(folder, 'padding = "longest"', 'padding = "longest"\npad_token = "<none>"')
    with pytest.raises(ModelError, match="no token <none>"):
        encoder(folder).encode_texts(["red"])


def test_a_file_that_is_absent_is_told_at_loading(folder):
    (folder / "image.onnx").unlink()
    with pytest.raises(WeightsMissingError, match=r"lacks image\.onnx"):
        encoder(folder)


def test_a_text_search_imports_neither_pictures_nor_the_hub(folder):
    code = (
        "import sys; from visionquery.models.catalog import resolve; "
        "from visionquery.models.encoder import load_encoder; "
        f"load_encoder(resolve({str(folder)!r})).encode_texts(['red']); "
        "print([m for m in ('PIL', 'huggingface_hub', 'onnx') if m in sys.modules])"
    )
    source = Path(__file__).parents[2] / "src"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(source)}, capture_output=True,
        text=True, check=False,
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "[]\n")


def test_a_tower_for_many_pictures_gives_the_same_vectors(folder):
    opened = encoder(folder)
    prepared = np.stack([opened.prepare(picture(colour)) for colour in COLOURS])
    tower = opened.image_tower()
    assert tower.provider == "CPUExecutionProvider"
    np.testing.assert_allclose(tower.encode(prepared), opened.encode_images(prepared), atol=1e-6)
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(tower.encode, [prepared] * 8))
    assert all((row == rows[0]).all() for row in rows)


def test_a_tower_for_many_pictures_that_does_not_work_says_so(folder):
    rewrite(folder, "image.onnx", b"no model")
    with pytest.raises(ModelError, match=r"image\.onnx"):
        encoder(folder).image_tower()
