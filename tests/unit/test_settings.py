"""Settings: who wins, and what is refused."""

from pathlib import Path

import pytest

from visionquery.errors import SettingsError
from visionquery.settings import Settings, load_settings


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    file.write_text('library = "/file/library"\nmodel = "from-file"\nthreads = 3\n')
    return file


def test_flags_win_over_variables_over_the_file(config):
    environment = {"VISIONQUERY_CONFIG": str(config), "VISIONQUERY_MODEL": "from-variable"}
    assert load_settings(environment) == Settings(
        library="/file/library", model="from-variable", threads=3
    )
    assert load_settings(environment, model="from-flag").model == "from-flag"
    assert load_settings(environment, library="/flag").library == "/flag"


def test_the_default_library_is_in_the_users_data_folder(tmp_path):
    (tmp_path / "config.toml").touch()
    chosen = load_settings({"VISIONQUERY_CONFIG": str(tmp_path / "config.toml")})
    assert "visionquery" in chosen.library
    assert chosen.model is None
    assert not chosen.offline


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("yes", True), ("0", False), ("Off", False)]
)
def test_offline_is_a_truth(config, text, value):
    environment = {"VISIONQUERY_CONFIG": str(config), "VISIONQUERY_OFFLINE": text}
    assert load_settings(environment).offline is value


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"VISIONQUERY_THREADS": "many"}, "VISIONQUERY_THREADS"),
        ({"VISIONQUERY_OFFLINE": "perhaps"}, "VISIONQUERY_OFFLINE"),
        ({"VISIONQUERY_PORT": "http"}, "VISIONQUERY_PORT"),
    ],
)
def test_variables_without_meaning_are_named(config, environment, words):
    with pytest.raises(SettingsError, match=words):
        load_settings({"VISIONQUERY_CONFIG": str(config)} | environment)


@pytest.mark.parametrize("line", ["colour = 1", "threads = true", "model = 3", "not toml"])
def test_a_file_without_meaning_is_named(tmp_path, line):
    file = tmp_path / "config.toml"
    file.write_text(line)
    with pytest.raises(SettingsError, match=r"config\.toml"):
        load_settings({"VISIONQUERY_CONFIG": str(file)})


def test_a_named_file_must_be_there(tmp_path):
    with pytest.raises(SettingsError, match="does not exist"):
        load_settings({"VISIONQUERY_CONFIG": str(tmp_path / "none.toml")})


def test_a_server_is_set_too_and_its_token_is_not_shown(config):
    environment = {
        "VISIONQUERY_CONFIG": str(config), "VISIONQUERY_HOST": "0.0.0.0",
        "VISIONQUERY_PORT": "80", "VISIONQUERY_TOKEN": "a-secret",
    }  # fmt: skip
    chosen = load_settings(environment)
    assert (chosen.host, chosen.port, chosen.token) == ("0.0.0.0", 80, "a-secret")
    assert "a-secret" not in repr(chosen)
