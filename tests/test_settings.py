"""Settings: where they come from and what a wrong one says."""

from pathlib import Path

import pytest

from coverslip.errors import SettingsError
from coverslip.settings import Settings


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_environment_wins_over_the_file_and_arguments_over_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "coverslip.toml").write_text("port = 1111\nworkers = 7\n")
    monkeypatch.setenv("COVERSLIP_PORT", "2222")
    assert (Settings.load().port, Settings.load().workers) == (2222, 7)
    assert Settings.load(port=3333).port == 3333


def test_everything_lives_in_home_unless_told_otherwise(tmp_path: Path) -> None:
    settings = Settings.load(home=tmp_path / "home")
    assert settings.catalog_url == f"sqlite:///{tmp_path}/home/catalog.sqlite"
    assert settings.artifacts_url == f"{tmp_path}/home/artifacts"
    assert settings.uploads_folder == tmp_path / "home" / "uploads"
    moved = Settings.load(home=tmp_path, database_url="postgresql://db/x", storage_url="s3://bucket/a")
    assert (moved.catalog_url, moved.artifacts_url) == ("postgresql://db/x", "s3://bucket/a")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("port", "70000", "port"), ("workers", "0", "workers"), ("lease_seconds", "-1", "lease_seconds")],
)
def test_a_wrong_setting_is_named(name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"COVERSLIP_{name.upper()}", value)
    with pytest.raises(SettingsError, match=said):
        Settings.load()


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    (tmp_path / "coverslip.toml").write_text("port = = 1\n")
    with pytest.raises(SettingsError, match=r"coverslip\.toml: this is not valid TOML"):
        Settings.load()


def test_the_home_is_spelled_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings.load(home="~/a/../b").home == tmp_path / "b"
    assert Settings.load(home="c").own_folders == [tmp_path / "c", tmp_path / "c" / "artifacts"]
    elsewhere = Settings.load(home="c", storage_url=str(tmp_path / "store"))
    assert elsewhere.own_folders == [tmp_path / "c", tmp_path / "store"]


def test_an_unknown_setting_in_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "coverslip.toml").write_text("prot = 1\n")
    with pytest.raises(SettingsError, match="prot"):
        Settings.load()
