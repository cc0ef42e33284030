"""Weights: found in the hub's cache, fetched from a server that answers as the hub does."""

import hashlib
import re
from pathlib import Path

import pytest

from visionquery.errors import ChecksumMismatchError, WeightsMissingError
from visionquery.models.catalog import resolve
from visionquery.models.description import read_spec
from visionquery.models.encoder import load_encoder
from visionquery.models.weights import (
    available,
    download_bytes,
    hub_cache,
    missing,
    pull,
    require,
    verify,
)


def test_a_download_is_found_and_can_be_used(here, description):
    assert here() is None
    spec = read_spec(description, source="hubbed")
    assert missing(spec) == []
    assert load_encoder(spec).encode_texts(["red"]).shape == (1, 24)


def test_a_file_that_went_bad_is_fetched_again(here, description, cached):
    here()
    cached("text.onnx").write_bytes(b"rot")
    assert here() is None
    assert all(check.ok for check in verify(read_spec(description, source="hubbed")))


@pytest.mark.parametrize("kind", ["sha256", "git"])
def test_without_a_hash_the_hub_s_own_name_is_checked_and_kept(
    hub, here, description, cached, kind
):
    description.write_text(re.sub(r'sha256 = "\w+"\n', "", description.read_text()))
    content = hub.files["onnx/image.onnx"]
    if kind == "git":
        blob = b"blob %d\0" % len(content) + content
        hub.etags["onnx/image.onnx"] = hashlib.sha1(blob).hexdigest()
    assert here() is None
    spec = read_spec(description, source="hubbed")
    assert all(check.ok and check.expected == check.actual for check in verify(spec))
    cached("image.onnx").write_bytes(b"rot")
    assert [check.ok for check in verify(spec)] == [False, True, True]
    hub.files["onnx/image.onnx"] = b"other" + content
    assert isinstance(here(), ChecksumMismatchError)


def test_a_file_that_the_hub_does_not_have_is_told(hub, here):
    del hub.files["onnx/text.onnx"]
    error = here()
    assert isinstance(error, WeightsMissingError)
    assert "it answered 404" in str(error)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "{home}/.cache/huggingface/hub"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/huggingface/hub"),
        ({"XDG_CACHE_HOME": "/x", "HF_HOME": "/h"}, "/h/hub"),
        ({"HF_HOME": "/h", "HUGGINGFACE_HUB_CACHE": "/old"}, "/old"),
        ({"HF_HOME": "/h", "HF_HUB_CACHE": "/c"}, "/c"),
        ({"HF_HUB_CACHE": "~/c"}, "{home}/c"),
        ({"HF_HUB_CACHE": "$SOMEWHERE/c", "SOMEWHERE": "/s"}, "/s/c"),
    ],
)
def test_the_cache_is_where_the_hub_s_client_has_it(monkeypatch, variables, expected):
    for name in ("XDG_CACHE_HOME", "HF_HOME", "HUGGINGFACE_HUB_CACHE", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert hub_cache() == Path(expected.format(home=Path.home()))


def test_an_absent_hub_model_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    spec = resolve("clip")
    assert not available(spec)
    assert len(missing(spec)) == 3
    assert download_bytes(spec) == 351685709 + 254058553 + 2224119
    assert [check.ok for check in verify(spec)] == [False] * 3
    with pytest.raises(WeightsMissingError, match="models pull clip-vit-base-patch32"):
        load_encoder(spec)


def test_a_folder_needs_no_download(tiny_model):
    spec = resolve(str(tiny_model))
    pull(spec)
    assert available(spec)
    assert download_bytes(spec) == 0
    assert all(check.ok for check in verify(spec))
    (place,) = require(spec, spec.image.artifact, verify=True)
    assert place == tiny_model.resolve() / "image.onnx"
