"""``coverslip ingest example FOLDER``."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from coverslip import demo
from coverslip.cli.output import console, one_line
from coverslip.errors import InvalidRequestError


def write_example(
    folder: Annotated[Path, typer.Argument(help="Where it goes; a folder that is empty, or new.", metavar="FOLDER")],
    size: Annotated[int, typer.Option(min=32, max=1024, help="Voxels along each side of a tomogram.")] = 256,
) -> None:
    """Write a whole example deposition: two datasets, six runs, and annotations that come a month later.

    Everything is simulated; what is in the tomograms is known exactly, and the annotations say so. The same size gives
    the same files. With 256 voxels it needs 650 MB.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise InvalidRequestError(f"{folder}: there is something in this folder; name one that is empty, or new")
    out = console()
    made = demo.write_deposition(
        folder, size=size, on_file=lambda path: out.print(one_line(f"  made {path.relative_to(folder)}"))
    )
    deposition, inputs = shlex.quote(str(made.deposition)), shlex.quote(str(made.input))
    library = shlex.quote(str(folder / "library"))
    out.print("Next:")
    out.print(f"  coverslip ingest check {deposition} --input {inputs}", soft_wrap=True)
    out.print(f"  coverslip ingest plan {deposition} --input {inputs} --output {library}", soft_wrap=True)
    out.print(f"  coverslip ingest apply {deposition} --input {inputs} --output {library}", soft_wrap=True)
    out.print(f"and the same with {shlex.quote(str(made.annotations))}, which adds annotations.", soft_wrap=True)
