"""Making int8 forms of models: what is written, what is refused, and that it is all or nothing."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import compose, helper, numpy_helper

from visionquery.errors import InputError, ModelError
from visionquery.images.content import read
from visionquery.images.decode import decode
from visionquery.models import quantize as quantizing
from visionquery.models.catalog import catalog, resolve
from visionquery.models.checksum import sha256_of
from visionquery.models.description import read_spec
from visionquery.models.encoder import load_encoder
from visionquery.models.fidelity import Vectors, compare
from visionquery.models.int8_graph import most_sensitive, read_graph
from visionquery.models.int8_model import RECIPES, Material
from visionquery.models.model_toml import describe
from visionquery.models.quantize import Quantized, default_folder, quantize
from visionquery.models.session import open_session
from visionquery.models.spec import ModelSpec, artifacts
from visionquery.models.weights import require, verify

TEXTS = ("a red picture", "green", "blue and white", "a photo of a yellow", "black", "pink")
Changed = Callable[..., ModelSpec]


@pytest.fixture
def material() -> Material:
    """Forty pictures of a few large blots, as the tiny model takes them."""
    random = np.random.default_rng(5)
    blots = random.uniform(-1, 1, (40, 3, 4, 4)).astype(np.float32)
    return Material(blots.repeat(8, axis=2).repeat(8, axis=3), TEXTS)


def made(spec: ModelSpec, folder: Path, material: Material, **options: object) -> Quantized:
    notes: list[str] = []
    return quantize(
        spec, folder, material=material, on_note=notes.append, on_progress=lambda *_: None,
        **options,
    )  # fmt: skip


@pytest.fixture
def changed(tiny_model: Path, tmp_path: Path) -> Changed:
    """A function that gives the tiny model with its image tower changed by another one."""

    def change(edit: Callable[[onnx.GraphProto], None]) -> ModelSpec:
        folder = shutil.copytree(tiny_model, tmp_path / "changed")
        model = onnx.load(folder / "image.onnx")
        edit(model.graph)
        onnx.save(model, folder / "image.onnx")
        spec = resolve(str(folder))
        image = replace(spec.image.artifact, sha256=sha256_of(folder / "image.onnx"))
        spec = replace(spec, image=replace(spec.image, artifact=image))
        (folder / "model.toml").write_text(describe(spec), encoding="utf-8")
        return resolve(str(folder))

    return change


def with_an_outlier(graph: onnx.GraphProto) -> None:
    """Make one row of the weights of colours huge, and what it is multiplied with tiny: the same
    sums in float32, but in 8 bits the other rows are nothing beside it."""
    (weights,) = (t for t in graph.initializer if t.name == "colour_axes")
    factors = np.ones(len(numpy_helper.to_array(weights)), np.float32)
    factors[0] = 1e-5
    huge = numpy_helper.to_array(weights) / factors[:, None]
    huge[0, huge[0] == 0] = 1e5  # every column has its outlier, as scales are per column
    graph.initializer.remove(weights)
    graph.initializer.append(numpy_helper.from_array(huge.astype(np.float32), "colour_axes"))
    graph.initializer.append(numpy_helper.from_array(factors, "factors"))
    product = next(node for node in graph.node if "colour_axes" in node.input)
    product.input[0] = "scaled"
    place = list(graph.node).index(product)
    graph.node.insert(place, helper.make_node("Mul", ["shares", "factors"], ["scaled"]))


def with_nothing_but_an_outlier(graph: onnx.GraphProto) -> None:
    with_an_outlier(graph)
    for node in list(graph.node):
        if "layout_axes" in node.input:
            graph.node.remove(node)
        if node.output[0] == "joined":
            node.op_type = "Identity"
            del node.input[1]


def test_the_int8_form_is_a_model_of_its_own(
    tiny_model: Path, tmp_path: Path, material: Material
) -> None:
    source = resolve(str(tiny_model))
    result = made(source, tmp_path / "int8", material)
    there = resolve(str(tmp_path / "int8"))
    assert there == result.spec
    assert there.name == "tiny-int8"
    assert there.license == source.license
    assert there.identity.fingerprint != source.identity.fingerprint
    assert all(check.ok for check in verify(there))
    kinds = {n.op_type for n in onnx.load(tmp_path / "int8" / "image.onnx").graph.node}
    assert {"MatMulInteger", "Conv"} <= kinds
    before, after = (
        load_encoder(spec).encode_images(material.pictures) for spec in (source, there)
    )
    assert (before * after).sum(axis=1).mean() > 0.99
    assert not np.array_equal(before, after)


def test_a_picture_has_one_vector_whatever_stands_beside_it(
    tiny_model: Path, tmp_path: Path, material: Material
) -> None:
    encoder = load_encoder(made(resolve(str(tiny_model)), tmp_path / "int8", material).spec)
    together = encoder.encode_images(material.pictures[:3])
    assert np.array_equal(together[1:2], encoder.encode_images(material.pictures[1:2]))


def test_what_cannot_be_made_smaller_stays_and_is_said(
    tiny_model: Path, tmp_path: Path, material: Material
) -> None:
    image, text = made(resolve(str(tiny_model)), tmp_path / "int8", material).towers
    assert (image.recipe, image.layers, image.float_layers) == (RECIPES[0].name, 2, 0)
    assert (text.recipe, text.layers) == (None, 0)
    assert text.size_bytes[0] == text.size_bytes[1]
    assert min(*image.seconds, *text.seconds) > 0


def test_the_layer_that_does_the_damage_stays_in_float32(
    changed: Changed, tmp_path: Path, material: Material
) -> None:
    spec = changed(with_an_outlier)
    graph = read_graph(Path(str(spec.folder)) / "image.onnx")
    feeds = [{"pixel_values": material.pictures[:1]}]
    assert most_sensitive(graph, feeds, work=tmp_path)[0].weight == "colour_axes"
    result = made(spec, tmp_path / "int8", material)
    assert result.towers[0].float_layers == 1
    assert result.towers[0].recipe == RECIPES[1].name
    assert not result.fidelity.shortfalls


def test_a_model_that_8_bits_damage_is_refused_and_nothing_is_written(
    changed: Changed, tmp_path: Path, material: Material
) -> None:
    spec = changed(with_nothing_but_an_outlier)
    place = tmp_path / "place"
    with pytest.raises(ModelError, match=r"near enough.*mean cosine of pictures 0\.\d+, wanted"):
        made(spec, place / "int8", material)
    assert list(place.iterdir()) == []


def test_two_towers_in_one_file_become_one_file(
    changed: Changed, tmp_path: Path, material: Material
) -> None:
    spec = changed(with_an_outlier)
    source = Path(str(spec.folder))
    both = compose.merge_models(
        *(compose.add_prefix(onnx.load(source / f"{name}.onnx"), f"{name}_")
          for name in ("image", "text")),
        io_map=[],
    )
    del both.opset_import[1:]  # the same twice
    file = source / "both.onnx"
    onnx.save(both, file)
    artifact = replace(spec.image.artifact, file=file.name, sha256=sha256_of(file))
    towers = [
        replace(tower, artifact=artifact, output=f"{name}_{tower.output}",
                inputs=tuple(f"{name}_{port}" for port in tower.inputs))
        for name, tower in (("image", spec.image), ("text", spec.text))
    ]
    spec = replace(spec, image=towers[0], text=towers[1])
    result = made(spec, tmp_path / "int8", material)
    assert {place.name for place in (tmp_path / "int8").iterdir()} == {
        "model.onnx", "model.toml", "tokenizer.json"
    }
    assert [tower.float_layers for tower in result.towers] == [1, 1]
    assert result.spec.image.artifact == result.spec.text.artifact
    assert result.fidelity.text_cosine == pytest.approx(1)


def test_a_recipe_whose_numbers_are_no_vectors_is_passed_over(
    tiny_model: Path, tmp_path: Path, material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    from visionquery.models import int8_model

    whole = int8_model.write_int8

    def broken(graph, target: Path, *, keep, work: Path) -> None:
        if keep:
            whole(graph, target, keep=keep, work=work)
            return
        copy = onnx.load(tiny_model / "image.onnx")
        (neutral,) = (t for t in copy.graph.initializer if t.name == "neutral")
        neutral.CopyFrom(numpy_helper.from_array(np.full(24, np.nan, np.float32), "neutral"))
        onnx.save(copy, target)

    monkeypatch.setattr(int8_model, "write_int8", broken)
    result = made(resolve(str(tiny_model)), tmp_path / "int8", material)
    assert result.towers[0].recipe == RECIPES[1].name


def test_weights_alone_keep_a_batch_together(
    tiny_model: Path, tmp_path: Path, material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("visionquery.models.int8_model.RECIPES", RECIPES[-1:])
    result = made(resolve(str(tiny_model)), tmp_path / "int8", material)
    assert result.towers[0].recipe == "weights only"
    assert result.towers[0].float_layers == result.towers[0].layers == 2
    assert result.spec.image.max_batch == 0
    stored = onnx.load(tmp_path / "int8" / "image.onnx").graph.initializer
    assert {t.name for t in stored if t.data_type == onnx.TensorProto.INT8} == {
        "colour_axes_int8", "layout_axes_int8"
    }  # fmt: skip


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError("no space left")])
def test_a_run_that_stops_leaves_nothing(
    tiny_model: Path,
    tmp_path: Path,
    material: Material,
    monkeypatch: pytest.MonkeyPatch,
    stop: BaseException,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise stop

    monkeypatch.setattr("visionquery.models.int8_model.write_int8", fail)
    with pytest.raises((KeyboardInterrupt, InputError)):
        made(resolve(str(tiny_model)), tmp_path / "place" / "int8", material)
    assert list((tmp_path / "place").iterdir()) == []


def test_a_model_that_is_there_is_replaced_only_when_asked(
    tiny_model: Path, tmp_path: Path, material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, folder = resolve(str(tiny_model)), tmp_path / "place" / "int8"
    made(spec, folder, material)
    (folder / "mark").touch()
    with pytest.raises(InputError, match="--force"):
        made(spec, folder, material)
    made(spec, folder, material, replace_existing=True)
    assert not (folder / "mark").exists()
    (folder / "mark").touch()

    def fail(self: Path, target: Path) -> Path:
        if target == folder and self.name == "model":
            raise OSError("the disk is gone")
        return renamed(self, target)

    renamed = Path.replace
    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(InputError, match="cannot be written"):
        made(spec, folder, material, replace_existing=True)
    assert (folder / "mark").exists()
    assert [place.name for place in folder.parent.iterdir()] == ["int8"]


def test_no_folder_is_replaced_that_is_no_model(
    tiny_model: Path, tmp_path: Path, material: Material
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "a.jpg").touch()
    spec = resolve(str(tiny_model))
    for folder in (pictures, tiny_model, pictures / "a.jpg"):
        with pytest.raises(InputError, match="may be replaced"):
            made(spec, folder, material, replace_existing=True)
    assert (pictures / "a.jpg").exists()


def test_too_few_pictures_are_refused(
    tiny_model: Path, tmp_path: Path, material: Material
) -> None:
    few = replace(material, pictures=material.pictures[:15])
    with pytest.raises(InputError, match="15 pictures are too few"):
        made(resolve(str(tiny_model)), tmp_path / "int8", few)


def test_a_model_of_8_bits_is_refused(tmp_path: Path, material: Material) -> None:
    with pytest.raises(InputError, match="in 8 bits already"):
        made(resolve("pocket"), tmp_path / "int8", material)


def test_without_the_extra_it_is_named(
    tiny_model: Path, tmp_path: Path, material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"pip install 'visionquery\[quantize\]'"):
        made(resolve(str(tiny_model)), tmp_path / "int8", material)


def test_the_extra_is_not_imported_before_it_is_used() -> None:
    listing = subprocess.run(
        [sys.executable, "-c", f"import {quantizing.__name__}, sys; print(*sys.modules)"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert not {"onnx", "onnxruntime"} & set(listing)


def test_large_tables_are_stored_in_a_byte_a_number(tmp_path: Path) -> None:
    table = np.random.default_rng(0).normal(size=(200, 64)).astype(np.float32)
    table[7] *= 100
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "ids"], ["rows"])],
        "lookup",
        [helper.make_tensor_value_info("ids", onnx.TensorProto.INT64, ["n"])],
        [helper.make_tensor_value_info("rows", onnx.TensorProto.FLOAT, ["n", 64])],
        [numpy_helper.from_array(table, "table")],
    )
    file = tmp_path / "table.onnx"
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, ir_version=8, opset_imports=opsets), file)
    small = read_graph(file).model
    assert small.ByteSize() < file.stat().st_size / 3
    onnx.save(small, file)
    rows = open_session(file).run({"ids": np.arange(200)}, "rows")
    assert (np.abs(rows - table).max(axis=1) <= np.abs(table).max(axis=1) / 254 + 1e-6).all()


@pytest.mark.parametrize("spec", catalog(), ids=lambda spec: spec.name)
def test_a_description_reads_as_it_was_written(spec: ModelSpec, tmp_path: Path) -> None:
    def local(tower):
        artifact = replace(tower.artifact, sha256="0" * 64, repo=None, revision=None, path=None,
                           size_bytes=None)
        return replace(tower, artifact=artifact)

    spec = replace(
        spec, image=local(spec.image), text=local(spec.text), tokenizer=local(spec.tokenizer),
        summary='A "quoted" \\ name\x7f\n with é and 😀', folder=tmp_path, source="here",
    )  # fmt: skip
    file = tmp_path / "model.toml"
    file.write_text(describe(spec), encoding="utf-8")
    assert read_spec(file, source="here") == spec


def test_fidelity_counts_what_changed() -> None:
    random = np.random.default_rng(1)

    def units(rows: int) -> np.ndarray:
        values = random.normal(size=(rows, 32)).astype(np.float32)
        return values / np.linalg.norm(values, axis=1, keepdims=True)

    before = Vectors(units(40), units(6))
    same = compare(before, before)
    assert same.shortfalls == []
    assert (same.nearest, same.picture_overlap, same.text_overlap) == (10, 1.0, 1.0)
    other = before.pictures.copy()
    other[3] = -other[3]
    hidden = compare(before, replace(before, pictures=other))
    assert hidden.least_picture_cosine == pytest.approx(-1)
    assert "least cosine of a picture -1.0000, wanted 0.95" in hidden.shortfalls
    strange = compare(before, Vectors(units(40), units(6)))
    assert len(strange.shortfalls) == 6
    assert strange.picture_overlap < 0.5


def test_the_default_place_is_beside_downloaded_models(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    place = tmp_path / "hub" / "visionquery" / "tiny-int8"
    assert default_folder(resolve(str(tiny_model))) == place


def test_a_real_model_keeps_its_neighbours(lit_tiny: Path, flickr: Path, tmp_path: Path) -> None:
    spec = resolve(str(lit_tiny))
    encoder = load_encoder(spec)
    files = sorted((flickr / "images").iterdir())[:480:20]
    pictures = np.stack([
        encoder.prepare(decode(read(file), min_side=448)) for file in files
    ])  # fmt: skip
    result = made(spec, tmp_path / "int8", Material(pictures, ("a dog", "two people", "snow")))
    image, text = result.towers
    assert 0 < image.float_layers < image.layers / 4
    assert image.size_bytes[1] < image.size_bytes[0]
    assert text.recipe is None
    assert not result.fidelity.shortfalls
    assert all(place.is_file() for place in require(result.spec, *artifacts(result.spec),
                                                    verify=True))
