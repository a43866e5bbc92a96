"""``coverslip rebuild`` and ``coverslip status --why`` as a person runs them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from coverslip.cli.output import EXIT_CODES
from coverslip.derive import open_catalog
from coverslip.errors import InvalidRequestError, NotFoundError
from coverslip.model.annotations import AnnotationContent, Frames
from tests.cli.test_commands import Shell
from tests.files import write_folder


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path / "home")
    write_folder(tmp_path / "images", 2)
    shell("add", tmp_path / "images")
    return shell


def stale(shell: Shell) -> int:
    found: int = json.loads(shell("status", "--json"))["artifacts_stale"]
    return found


def test_rebuild_marks_and_a_worker_builds(shell: Shell, tmp_path: Path) -> None:
    shell("worker", "--until-done")
    url = f"sqlite:///{tmp_path / 'home' / 'catalog.sqlite'}"
    with open_catalog(url) as catalog:
        image_id = catalog.list_images().images[0].id
    assert "2 artifacts to be built anew" in shell("rebuild", "--all")
    assert stale(shell) == 2
    assert "2 artifacts built" in shell("worker", "--until-done")
    assert "1 artifact to be built anew" in shell("rebuild", "--kind", "thumbnail", "--image", image_id)
    assert "0 artifacts" in shell("rebuild", "--kind", "combined")
    assert stale(shell) == 1


def test_rebuild_wants_to_know_what(shell: Shell) -> None:
    code = EXIT_CODES[InvalidRequestError]
    assert "say which artifacts" in shell("rebuild", code=code)
    assert "--all goes without" in shell("rebuild", "--all", "--kind", "mip", code=code)
    assert "there is no kind 'sketch'" in shell("rebuild", "--kind", "sketch", code=code)
    shell("rebuild", "--image", "nobody", code=EXIT_CODES[NotFoundError])


def test_the_line_of_a_batch_is_shown(shell: Shell) -> None:
    script = """
import coverslip.cli
from coverslip.derive import Builder, open_catalog, process_batch
from coverslip.settings import Settings
from coverslip.storage import open_storage

coverslip.cli._speak_for_ourselves()
settings = Settings.load()
with open_catalog(settings.catalog_url) as catalog:
    builder = Builder(catalog, open_storage(settings.artifacts_url), lease_seconds=30)
    process_batch(builder, catalog.list_images().images[0].id, 3)
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=shell.environment, capture_output=True, text=True, timeout=120, check=True)
    assert ": 1 artifact built, 0 failed in" in done.stderr


def test_why(shell: Shell, tmp_path: Path) -> None:
    with open_catalog(f"sqlite:///{tmp_path / 'home' / 'catalog.sqlite'}") as catalog:
        image = catalog.list_images().images[0]
        content = AnnotationContent(frames=Frames(first=0, last=0))
        annotation = catalog.create_annotation(image.id, content, author="ada", tiled=True).annotation
        artifact = catalog.artifact("combined", image.id, annotation.id)
        for number in range(51):
            more = content.model_copy(update={"track": f"track {number}"})
            catalog.create_annotation(image.id, more, tiled=True)
    text = shell("status", "--why", artifact.id)
    assert "cause     annotated by ada" in text
    assert f"annotation {annotation.id}, frames 0 to 0 along t" in text
    assert "state     stale: has seen 0 of 1 changes" in text
    assert "next      built by the next server or worker" in text
    assert json.loads(shell("status", "--why", artifact.id, "--json"))["cause"] == "annotated by ada"
    assert "no artifact" in shell("status", "--why", "nobody", code=EXIT_CODES[NotFoundError])
    assert f"warning    image {image.id} has 53 stale artifacts" in shell("status")


def test_until_done_has_no_batches(shell: Shell) -> None:
    code = EXIT_CODES[InvalidRequestError]
    assert "--max-batch" in shell("worker", "--until-done", "--max-batch", "2", code=code)
    assert stale(shell) == 2


def test_until_done_builds_where_the_setting_says(shell: Shell) -> None:
    shell.environment["COVERSLIP_EXECUTOR"] = "processes"
    assert "2 artifacts built" in shell("worker", "--until-done", "--concurrency", "2")
    assert stale(shell) == 0
