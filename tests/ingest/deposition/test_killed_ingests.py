"""Ingests that are killed again and again, then left alone: what they wrote is what an undisturbed one writes."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from coverslip.storage import FolderStorage
from tests.ingest.deposition.session import write_session

pytestmark = pytest.mark.kill

SHORT, LONG = 10, 150
LEASE = 1.0


def command(folder: Path, name: str) -> tuple[list[str], dict[str, str]]:
    config, source = folder / "in/deposition.yaml", folder / "in"
    asked = [sys.executable, "-m", "coverslip", "ingest", "apply", str(config), "--input", str(source)]
    asked += ["--output", str(folder / name), "--lease", str(LEASE), "--workers", "2"]
    return asked, {**os.environ, "COVERSLIP_HOME": str(folder / f"home of {name}")}


def finish(folder: Path, name: str, *options: str) -> dict[str, Any]:
    asked, environment = command(folder, name)
    done = subprocess.run([*asked, *options, "--json"], env=environment, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def kill_after(folder: Path, name: str, lines: int, seconds: float) -> bool:
    """Start an ingest and kill it some time after it has said that steps were done; return whether it was killed."""
    asked, environment = command(folder, name)
    with subprocess.Popen(asked, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        seen = 0
        for line in process.stdout:
            seen += line.startswith((b"written", b"updated"))
            if seen >= lines and line.startswith((b"planned", b"written", b"updated")):
                break
        time.sleep(seconds)
        process.kill()
        return process.wait() < 0


def without_times(storage: FolderStorage) -> dict[str, object]:
    """Return everything in a layout; of documents what they say but for the time of their last change."""
    found: dict[str, object] = {}
    for one in storage.list():
        data = storage.read(one.key)
        found[one.key] = data
        if one.key.endswith(".json") and ".zarr/" not in one.key and isinstance(document := json.loads(data), dict):
            found[one.key] = {key: value for key, value in document.items() if key != "last_updated_at"}
    return found


def test_an_ingest_that_is_killed_again_and_again_ends_as_an_undisturbed_one(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    kills = LONG if request.config.getoption("--long") else SHORT
    runs = ("TS_1", "TS_2") if kills == SHORT else tuple(f"TS_{n}" for n in range(1, 13))
    write_session(tmp_path / "in", runs)
    finish(tmp_path, "undisturbed")
    chance = random.Random(11)
    killed = 0
    for _ in range(4 * kills):
        killed += kill_after(
            tmp_path, "killed", chance.choice((0, 0, 1, 2, 3)), chance.choice((0, chance.uniform(0, 1)))
        )
        if killed == kills:
            break
        time.sleep(chance.choice((0, LEASE)))
    assert killed > 3, "it was through before it could be killed"
    time.sleep(LEASE + 0.5)
    report = finish(tmp_path, "killed")
    assert report["is_whole"]
    assert without_times(FolderStorage(tmp_path / "killed")) == without_times(FolderStorage(tmp_path / "undisturbed"))
    assert list((tmp_path / "killed/30001").glob("*/**/.tmp-*")) == []
    last = finish(tmp_path, "killed")
    assert last["counts"] == {"unchanged": len(last["steps"])}
    assert (last["volumes_opened"], last["objects_written"]) == (0, 0)


def test_two_ingests_at_once_do_each_run_once(tmp_path: Path) -> None:
    write_session(tmp_path / "in")
    asked, environment = command(tmp_path, "layout")
    both = [
        subprocess.Popen([*asked, "--json"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    reports = []
    for process in both:
        out, error = process.communicate(timeout=120)
        assert process.returncode in (0, 1), error[-2000:]
        reports.append(json.loads(out))
    written = [step["name"] for report in reports for step in report["steps"] if step["outcome"] == "written"]
    assert len(written) == len(set(written)) == 44
    assert not any(step["outcome"] in ("updated", "failed") for report in reports for step in report["steps"])
