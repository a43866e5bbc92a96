"""A layout that was ingested is imported, and ingested again: neither finds anything to change."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from coverslip.demo.deposition import write_deposition


def coverslip(home: Path, *words: str) -> dict[str, Any]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COVERSLIP_")}
    command = [sys.executable, "-m", "coverslip", *words, "--json"]
    done = subprocess.run(
        command,
        env={**environment, "COVERSLIP_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{words} left with {done.returncode}\n{done.stdout}\n{done.stderr}"
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_an_import_and_an_ingest_describe_the_same_things_alike(tmp_path: Path) -> None:
    example = write_deposition(tmp_path / "example", size=32)
    layout, home = str(tmp_path / "layout"), tmp_path / "home"
    apply = ("ingest", "apply", str(example.deposition), "--input", str(example.input), "--output", layout)
    coverslip(home, *apply, "--no-views")
    imported = coverslip(home, "import", layout)
    assert {kind: counts for kind, counts in imported["entities"].items() if set(counts) != {"unchanged"}} == {}
    assert imported["images"] == {"unchanged": 12}
    again = coverslip(home, *apply, "--no-views")
    assert (again["changes"]["added"], again["changes"]["changed"]) == ([], [])
