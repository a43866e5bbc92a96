"""``coverslip ingest check FILE...``."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from coverslip.cli.output import amount, console, one_line
from coverslip.ingest.deposition import Checked, check


def check_configs(
    files: Annotated[list[Path], typer.Argument(help="YAML files; of a folder, all below it.", metavar="FILE")],
    folder: Annotated[
        Path | None,
        typer.Option(
            "--input", help="Where the maps of runs are, directly or below the source_prefix.", metavar="FOLDER"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the problems as JSON.")] = False,
) -> None:
    """Say everything that is wrong with configs, before a byte of data is read.

    Exit code 0 when all are valid, 1 when one has errors, 2 when one cannot be opened.
    """
    began = time.perf_counter()
    checked = [check(path, folder=folder) for path in _configs(files)]
    seconds = time.perf_counter() - began
    if as_json:
        typer.echo(json.dumps(_document(checked, seconds), indent=2, ensure_ascii=False))
    else:
        _print(checked, seconds)
    raise typer.Exit(
        2 if not all(one.is_readable for one in checked) else 0 if all(one.is_valid for one in checked) else 1
    )


def _configs(files: Sequence[Path]) -> list[Path]:
    """Return the files named, and the YAML files of the folders named."""
    found: list[Path] = []
    for path in files:
        inside = sorted(one for one in path.rglob("*") if one.suffix in (".yaml", ".yml")) if path.is_dir() else []
        found += inside or [path]
    return found


def _print(checked: Sequence[Checked], seconds: float) -> None:
    out = console()
    for problem in [problem for one in checked for problem in one.errors] + [
        problem for one in checked for problem in one.warnings
    ]:
        out.print(one_line(str(problem)))
    valid = sum(one.is_valid for one in checked)
    parts = [
        f"{valid:,} valid",
        f"{len(checked) - valid:,} with errors",
        amount(sum(len(one.warnings) for one in checked), "warning"),
    ]
    out.print(f"{amount(len(checked), 'file')}: {', '.join(parts)}, in {seconds:.1f} s")


def _document(checked: Sequence[Checked], seconds: float) -> dict[str, object]:
    return {
        "files": [
            {
                "file": one.file,
                "valid": one.is_valid,
                "example": dict(one.example),
                "problems": [asdict(problem) for problem in one.problems],
            }
            for one in checked
        ],
        "valid": sum(one.is_valid for one in checked),
        "with_errors": sum(not one.is_valid for one in checked),
        "warnings": sum(len(one.warnings) for one in checked),
        "seconds": round(seconds, 3),
    }
