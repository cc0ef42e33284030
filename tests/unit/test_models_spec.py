"""Model descriptions: what is read, what is refused and how, what a fingerprint covers."""

import dataclasses
import re
from pathlib import Path

import pytest

from visionquery.errors import ModelError, UnknownModelError
from visionquery.models.catalog import catalog, resolve
from visionquery.models.description import read_spec
from visionquery.models.spec import artifacts, fingerprint
from visionquery.types import Calibration, Curve, Line

FORM = f"""\
name = "mine"
summary = "A model."
embed_dim = 8
logit_scale = 10
languages = ["en"]
license = "MIT"

[image]
file = "image.onnx"
input = "pixels"
output = "image"
normalized = true
sha256 = "{"a" * 64}"

[text]
file = "text.onnx"
inputs = ["ids", "mask"]
output = "text"
normalized = false
sha256 = "{"b" * 64}"

[preprocess]
size = 32
resize = "shortest"
interpolation = "bicubic"
rounding = "floor"
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]

[tokenizer]
file = "tokenizer.json"
context_length = 16
padding = "max"
template = "a photo of {{}}"
sha256 = "{"c" * 64}"
"""


def read(folder, text=FORM, source="mine"):
    file = folder / "model.toml"
    file.write_text(text, encoding="utf-8")
    return read_spec(file, source=source)


def test_a_description_is_read_whole(tmp_path):
    spec = read(tmp_path)
    assert (spec.name, spec.embed_dim, spec.logit_scale, spec.logit_bias) == ("mine", 8, 10.0, 0.0)
    assert spec.image.inputs == ("pixels",)
    assert spec.text.inputs == ("ids", "mask")
    assert (spec.image.normalized, spec.text.normalized) == (True, False)
    assert (spec.preprocess.resize, spec.preprocess.rounding) == ("shortest", "floor")
    assert (spec.tokenizer.padding, spec.tokenizer.template) == ("max", "a photo of {}")
    assert spec.tokenizer.lowercase is False
    assert spec.folder == tmp_path
    assert [artifact.file for artifact in artifacts(spec)] == [
        "image.onnx", "text.onnx", "tokenizer.json",
    ]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "mine"', 'name = "mine"\ncolour = "red"', "colour should be one of"),
        ('output = "text"', 'output = "text"\nouput = "x"', "[text] ouput should be one of"),
        ("embed_dim = 8", "", "embed_dim should be a whole number above 0, but it is missing"),
        ("embed_dim = 8", 'embed_dim = "8"', "a whole number above 0, but it is '8'"),
        ("embed_dim = 8", "embed_dim = true", "a whole number above 0, but it is True"),
        ("size = 32", "size = -1", "[preprocess] size should be a whole number above 0"),
        ('"floor"', '"up"', '[preprocess] rounding should be "half_even" or "floor"'),
        ('"shortest"', '"squash"', "[preprocess] rounding should be one of"),
        ("mean = [0.5, 0.5, 0.5]", "mean = [0.5]", "three numbers"),
        ("std = [0.5, 0.5, 0.5]", "std = [0, 1, 1]", "[preprocess] std should be three numbers"),
        ("normalized = true", 'normalized = "yes"', "[image] normalized should be true or false"),
        ('inputs = ["ids", "mask"]', "inputs = []", "[text] inputs should be the name"),
        ('inputs = ["ids", "mask"]', 'inputs = "ids"', "[text] inputs should be a list of texts"),
        ("a" * 64, "A" * 64, "[image] sha256 should be 64 lower-case"),
        (f'sha256 = "{"a" * 64}"', "", "[image] sha256 should be the file's hash"),
        ('"image.onnx"', '"../image.onnx"', "[image] file should be the name of a file"),
        ("a photo of {}", "a photo", "[tokenizer] template should be a text with one {}"),
        ('file = "text.onnx"', 'file = "text.onnx"\npath = "x"', "[text] path should be left out"),
        ('file = "text.onnx"', 'file = "text.onnx"\nrepo = "a/b"', "[text] revision should be"),
        ("[tokenizer]", "[tokenise]", "tokenizer should be a table, but it is missing"),
        ("[preprocess]", "preprocess]", "cannot be read as a model description"),
    ],
)
def test_a_wrong_description_names_file_key_and_what_is_expected(tmp_path, old, new, words):
    assert old in FORM
    with pytest.raises(ModelError, match=re.escape(words)) as caught:
        read(tmp_path, FORM.replace(old, new, 1))
    assert str(tmp_path / "model.toml") in str(caught.value)


CALIBRATION = """
[calibration]
exclusion = -0.5
words = 4

[calibration.text]
match = { slope = 1.5, midpoint = 3 }
presence = { slope = 2.5, midpoint = 5.5, tail = 0.75 }

[calibration.picture]
match = { slope = 0.5, midpoint = 4.5 }
"""


def test_a_calibration_is_read_and_leaves_the_fingerprint(tmp_path):
    plain, fitted = read(tmp_path), read(tmp_path, FORM + CALIBRATION)
    assert plain.calibration is None
    assert fitted.calibration == Calibration(
        text=Curve(match=Line(1.5, 3.0), presence=Line(2.5, 5.5), tail=0.75),
        picture=Curve(match=Line(0.5, 4.5)),
        exclusion=-0.5,
        words=4.0,
    )
    assert fingerprint(fitted) == fingerprint(plain)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("exclusion = -0.5", "", "[calibration] exclusion should be a number, but it is missing"),
        ("words = 4", 'words = "4"', "[calibration] words should be a number, but it is '4'"),
        ("words = 4", "words = true", "[calibration] words should be a number, but it is True"),
        ("words = 4", "words = 4\nshape = 1", "[calibration] shape should be one of"),
        ("slope = 1.5", "slope = 0", "slope should be a number above 0"),
        ("slope = 0.5", "slope = -1", "slope should be a number above 0"),
        ("slope = 2.5, ", "", "slope should be a number, but it is missing"),
        (", midpoint = 4.5", "", "midpoint should be a number, but it is missing"),
        (", tail = 0.75", "", "tail should be a number, but it is missing"),
        ("midpoint = 3 ", "midpoint = 3, tail = 1 ", "tail should be one of"),
        ("match = { slope = 0.5, midpoint = 4.5 }", "", "match should be a table"),
        ("match = { slope = 0.5, midpoint = 4.5 }", "match = 4", "match should be a table"),
        ("[calibration.picture]", "[calibration.image]", "picture should be a table"),
    ],
)
def test_a_wrong_calibration_names_the_key(tmp_path, old, new, words):
    assert old in CALIBRATION
    with pytest.raises(ModelError, match=re.escape(words)) as caught:
        read(tmp_path, FORM + CALIBRATION.replace(old, new, 1))
    assert str(tmp_path / "model.toml") in str(caught.value)


def test_a_description_that_is_no_text(tmp_path):
    (tmp_path / "model.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match="cannot be read"):
        read_spec(tmp_path / "model.toml", source="x")
    with pytest.raises(ModelError, match="cannot be read"):
        read_spec(tmp_path / "absent.toml", source="x")


SAME = [
    ('name = "mine"', 'name = "yours"'), ("A model.", "Another."), ("MIT", "BSD"),
    ('["en"]', '["de"]'), ("logit_scale = 10", "logit_scale = 20"),
    ('name = "mine"', 'name = "mine"\naliases = ["m"]'),
    ('file = "image.onnx"', 'file = "renamed.onnx"'),
]
OTHER = [
    ("a" * 64, "d" * 64), ("b" * 64, "d" * 64), ("c" * 64, "d" * 64),
    ("size = 32", "size = 64"), ('"floor"', '"half_even"'), ('"bicubic"', '"bilinear"'),
    ("mean = [0.5, 0.5, 0.5]", "mean = [0.5, 0.5, 0.4]"), ("[0.5, 0.5, 0.5]\n\n", "[1, 1, 1]\n\n"),
    ("context_length = 16", "context_length = 17"), ('"max"', '"longest"'),
    ("a photo of {}", "a picture of {}"), ('padding = "max"', 'padding = "max"\nlowercase = true'),
    ("normalized = false", "normalized = true"), ('output = "text"', 'output = "text2"'),
]


@pytest.mark.parametrize(("old", "new"), SAME)
def test_words_about_a_model_leave_its_fingerprint(tmp_path, old, new):
    assert old in FORM
    assert fingerprint(read(tmp_path, FORM.replace(old, new, 1))) == fingerprint(read(tmp_path))


@pytest.mark.parametrize(("old", "new"), OTHER)
def test_what_changes_a_vector_changes_the_fingerprint(tmp_path, old, new):
    assert old in FORM
    assert fingerprint(read(tmp_path, FORM.replace(old, new, 1))) != fingerprint(read(tmp_path))


def test_the_fingerprint_stays_what_it_was(tmp_path):
    """A library holds it: another value for the same model would disown all vectors."""
    assert fingerprint(read(tmp_path)) == GOLDEN_FINGERPRINT


def test_every_catalog_entry_is_pinned():
    specs = catalog()
    names = [label for spec in specs for label in (spec.name, *spec.aliases)]
    assert len(names) == len({name.casefold() for name in names})
    assert {"clip-vit-base-patch32", "clip-vit-base-patch32-int8", "tinyclip-8m"} <= set(names)
    for spec in specs:
        for artifact in artifacts(spec):
            assert artifact.sha256 or (artifact.revision and artifact.repo), spec.name
            assert spec.folder is not None or artifact.size_bytes, spec.name


def test_one_file_with_both_towers_is_one_artifact():
    assert [artifact.file for artifact in artifacts(resolve("tinyclip"))] == [
        "model.onnx", "tokenizer.json",
    ]


@pytest.mark.parametrize("name", ["clip", "CLIP", "OpenAI/clip-vit-base-patch32"])
def test_a_model_is_found_by_alias_in_any_case(name):
    spec = resolve(name)
    assert (spec.name, spec.source) == ("clip-vit-base-patch32", "clip-vit-base-patch32")
    assert spec.identity.fingerprint == fingerprint(spec)


def test_a_folder_is_found_from_anywhere(tmp_path, monkeypatch):
    read(tmp_path)
    monkeypatch.chdir(tmp_path.parent)
    spec = resolve(tmp_path.name)
    assert Path(spec.source) == tmp_path.resolve()
    assert spec.identity.embed_dim == 8


def test_an_unknown_name_lists_what_is_close_and_what_there_is():
    with pytest.raises(UnknownModelError) as caught:
        resolve("clip-vit-base-patch23")
    assert "Did you mean clip-vit-base-patch32" in str(caught.value)
    assert "tinyclip-8m" in str(caught.value)


def test_a_folder_without_description_says_so(tmp_path):
    with pytest.raises(UnknownModelError, match=r"holds no model\.toml"):
        resolve(str(tmp_path))


def test_a_spec_is_frozen(tmp_path):
    with pytest.raises(dataclasses.FrozenInstanceError):
        read(tmp_path).name = "other"


GOLDEN_FINGERPRINT = "830380a313ffdc86f277ec5df6468037c54dc0cbff8751443fe8dcaf8e82437d"


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("logit_scale = 10", "logit_scale = " + "9" * 400),
        ("logit_scale = 10", "logit_scale = " + "9" * 5_000),
        ("embed_dim = 8", "embed_dim = 0x" + "f" * 5_000),
        ("embed_dim = 8", "embed_dim = 9007199254740993"),
        ('name = "mine"', "name = 0x" + "f" * 5_000),
        ("mean = [0.5, 0.5, 0.5]", "mean = [0.5, nan, 0.5]"),
        ("std = [0.5, 0.5, 0.5]", "std = [0.5, inf, 0.5]"),
        ("std = [0.5, 0.5, 0.5]", "std = [0.5, 1" + "0" * 400 + ", 0.5]"),
        ('license = "MIT"', "license = " + "[" * 20_000),
    ],
)
def test_numbers_and_nesting_without_bound_are_refused(tmp_path, line, wrong):
    with pytest.raises(ModelError) as refused:
        read(tmp_path, FORM.replace(line, wrong))
    assert len(str(refused.value)) < 1_000
