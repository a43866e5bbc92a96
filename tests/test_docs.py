"""The documents name everything that exists, and nothing on this list drifts."""

import re
import tomllib
from pathlib import Path

import pytest

from coverslip import __all__ as front_door
from coverslip.cli import COMMANDS
from coverslip.derive import KINDS
from coverslip.readers import formats
from coverslip.settings import Settings
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
ALL_DOCS = "\n".join(path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("setting", sorted(Settings.model_fields))
def test_every_setting_is_documented(setting: str) -> None:
    assert f"| `{setting}` |" in (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_is_documented(command: str) -> None:
    assert f"coverslip {command}" in ALL_DOCS


@pytest.mark.parametrize("ending", sorted({ending for entry in formats() for ending in entry.extensions}))
def test_every_ending_is_documented(ending: str) -> None:
    last = f".{ending.rsplit('.', 1)[-1]}"
    assert f"`{last}`" in README or f"`{ending}`" in README or last == ".zarr"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_artifact_kind_is_documented(kind: str) -> None:
    assert f"`{kind}`" in (ROOT / "docs" / "catalog.md").read_text(encoding="utf-8") + ALL_DOCS


@pytest.mark.parametrize("name", front_door)
def test_the_front_door_is_documented(name: str) -> None:
    assert name == "__version__" or name in (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_links_between_documents_lead_somewhere() -> None:
    pages = list(ROOT.glob("*.md")) + list((ROOT / "docs").rglob("*.md"))
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []


def test_the_rooms_of_the_architecture_are_the_rooms_there_are() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    package = ROOT / "src" / "coverslip"
    rooms = {path.name for path in package.iterdir() if (path / "__init__.py").exists()}
    assert [room for room in sorted(rooms) if f"  {room}/" not in page] == []


def test_locks_hold_versions_and_hashes_and_no_address() -> None:
    for name in ("requirements.lock", "requirements-dev.lock", "web/package-lock.json"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "resolved" not in text
        assert not re.search(r"--(extra-)?index-url|--find-links|file://", text)
    assert "https://" not in (ROOT / "requirements.lock").read_text(encoding="utf-8")


def test_the_version_is_the_newest_in_the_changelog() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    first = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert first is not None
    assert first[1] == version


def test_no_path_of_a_machine_in_the_project() -> None:
    suspicious = re.compile(r"/(root|work)/|/home/[a-z]+/")
    files = [path for folder in ("src", "tests", "docs", "benchmarks") for path in (ROOT / folder).rglob("*")]
    texts = {
        path: _text(path) for path in files if path.suffix in {".py", ".md", ".toml"} and path.name != "test_docs.py"
    }
    assert [str(path) for path, text in texts.items() if suspicious.search(text)] == []


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
