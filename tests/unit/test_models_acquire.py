"""What a person is told before a download, and which model is taken when nobody named one."""

import re
import socket
import time
from pathlib import Path

import pytest

from visionquery.errors import ChecksumMismatchError, DownloadBrokenError, WeightsMissingError
from visionquery.models import acquire as acquire_room
from visionquery.models import hub as hub_room
from visionquery.models.acquire import acquire, choose
from visionquery.models.catalog import resolve
from visionquery.models.spec import artifacts
from visionquery.models.weights import available, verify

NOTE = re.compile(r"Downloading the model tiny\S*: 0\.\d MB, licence \S+\.")


@pytest.fixture
def told():
    return []


@pytest.fixture
def spec(to_hub, description, monkeypatch):
    """A model of the hub, which is the recommended one; another of the catalog is in the box."""
    monkeypatch.setattr(hub_room, "_SECONDS_BETWEEN_TRIES", 0.01)
    monkeypatch.setattr(acquire_room, "RECOMMENDED", str(description.parent))
    monkeypatch.setattr(acquire_room, "BUILT_IN", "tinyclip-8m")
    return resolve(str(description.parent))


def get(spec, told, *, offline=False):
    acquire(spec, offline=offline, on_note=told.append, on_download=lambda *_: None)


def chosen(told, *, offline=False):
    return choose(offline=offline, on_note=told.append, on_download=lambda *_: None).name


def test_size_and_licence_are_told_once_before_the_first_byte(hub, spec, told):
    def on_download(file, done, total):
        assert len(told) == 1

    acquire(spec, offline=False, on_note=told.append, on_download=on_download)
    assert len(told) == 1
    assert NOTE.fullmatch(told[0]), told
    assert available(spec)


def test_only_what_is_still_to_come_is_told(hub, spec, told, cached, monkeypatch):
    monkeypatch.setattr(acquire_room, "_megabytes", str)
    sizes = {artifact.file: artifact.size_bytes for artifact in artifacts(spec)}
    get(spec, told)
    assert f" {sum(sizes.values())} MB" in told[0]
    named = {check.artifact.file: Path(check.path) for check in verify(spec)}
    cached("image.onnx").unlink()
    get(spec, told)
    assert f" {sizes['image.onnx']} MB" in told[1]
    for name in sizes:
        lost = cached(name)
        named[name].unlink()
        assert lost.is_file()
    get(spec, told)
    assert len(told) == 2, "nothing was to come"


def test_without_a_connection_nothing_is_said_of_a_download(spec, to_hub, told):
    to_hub("http://127.0.0.1:9")
    with pytest.raises(WeightsMissingError, match="cannot be had from http://127"):
        get(spec, told)
    assert told == []


@pytest.mark.parametrize("how", ["setting", "variable"])
def test_offline_asks_nobody(hub, spec, told, how, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", how == "variable")
    with pytest.raises(WeightsMissingError, match=r"models pull tiny"):
        get(spec, told, offline=how == "setting")
    assert (told, hub.requests) == ([], [])


def test_the_recommended_model_is_taken_when_it_can_be_had(spec, told):
    assert chosen(told) == spec.name
    assert len(told) == 1
    assert NOTE.fullmatch(told[0])


def test_the_recommended_model_is_taken_when_it_is_here(hub, spec, told):
    get(spec, told)
    told.clear()
    hub.requests.clear()
    assert chosen(told, offline=True) == spec.name
    assert (told, hub.requests) == ([], [])


@pytest.mark.parametrize("offline", [True, False])
def test_the_model_in_the_box_is_taken_otherwise(spec, to_hub, told, offline):
    to_hub("http://127.0.0.1:9")
    assert chosen(told, offline=offline) == "tinyclip-8m"
    (line,) = told
    assert line.startswith("Using the built-in model tinyclip-8m: tiny")
    assert line.endswith(f"visionquery index --reencode --model {spec.name}")
    assert "Downloading" not in line


def test_a_hub_that_never_answers_costs_one_short_wait(spec, to_hub, told, monkeypatch):
    monkeypatch.setattr(hub_room, "CONNECT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        to_hub(f"http://127.0.0.1:{silent.getsockname()[1]}")
        begun = time.monotonic()
        assert chosen(told) == "tinyclip-8m"
        assert time.monotonic() - begun < 1.2
    assert len(told) == 1


def test_a_download_that_breaks_off_is_told_and_the_box_is_opened(hub, spec, told):
    hub.cuts = [1500] * 10
    assert chosen(told) == "tinyclip-8m"
    first, second = told
    assert NOTE.fullmatch(first)
    assert "broke off" in second
    assert second.endswith(f"visionquery index --reencode --model {spec.name}")


def test_with_nothing_in_the_box_the_reason_is_told(hub, spec, told, monkeypatch):
    monkeypatch.setattr(acquire_room, "BUILT_IN", "no-such-model")
    hub.cuts = [1500] * 10
    with pytest.raises(DownloadBrokenError, match="broke off"):
        chosen(told)


def test_a_wrong_file_is_never_passed_over(hub, spec, told):
    hub.files["onnx/image.onnx"] = bytes(reversed(hub.files["onnx/image.onnx"]))
    with pytest.raises(ChecksumMismatchError):
        chosen(told)


def test_a_folder_model_is_left_alone(tiny_model, told):
    get(resolve(str(tiny_model)), told, offline=True)
    assert told == []
