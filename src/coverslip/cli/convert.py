"""``coverslip convert FILE OUT.zarr``."""

import os
import signal
import threading
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

from coverslip.cli.output import console, size_text
from coverslip.confined import Opener
from coverslip.errors import ReadError, RegionError
from coverslip.model import ImageMetadata
from coverslip.ngff import Version, write
from coverslip.readers import Image, ImageFile
from coverslip.render import channel_colors
from coverslip.settings import Settings


class OmeZarrVersion(StrEnum):
    """What can be written."""

    V05 = "0.5"
    V04 = "0.4"


VERSIONS: dict[OmeZarrVersion, Version] = {OmeZarrVersion.V05: "0.5", OmeZarrVersion.V04: "0.4"}


def run(
    file: Annotated[str, typer.Argument(help="An image file or OME-Zarr folder, here or at an address.")],
    out: Annotated[Path, typer.Argument(help="The folder to write, such as cells.ome.zarr. It must not exist.")],
    *,
    image: Annotated[int, typer.Option(min=0, help="Which image of a file with several.")] = 0,
    ome_zarr_version: Annotated[
        OmeZarrVersion, typer.Option(help="0.5 is sharded Zarr 3; 0.4 is Zarr 2, which older programs need.")
    ] = OmeZarrVersion.V05,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Pieces written at the same time.")] = None,
) -> None:
    """Write an image as OME-Zarr. Interrupted, it goes on where it was when run again."""
    with Opener(Settings.load()) as opener, opener.open_image(file) as opened:
        if image >= len(opened.images):
            raise RegionError(f"{file}: there is no image {image}; the file has {len(opened.images)}, counted from 0")
        metadata = opened.images[image].metadata
        finished = _write_with_progress(
            opened.images[image],
            out,
            source=source_of(opened, image),
            version=VERSIONS[ome_zarr_version],
            workers=workers or min(4, os.cpu_count() or 1),
        )
    if not finished:
        console().print(f"Stopped. What is written so far is in {out}.partial; the same command goes on from there.")
        raise typer.Exit(130)
    console().print(f"{out}: {_sizes(metadata)}, {size_text(metadata.get_memory_size_bytes())} of pixels")


def source_of(file: ImageFile, image: int) -> str:
    """Return which image of which files in which state is converted.

    Raises
    ------
    ReadError
        A file is gone.
    """
    try:
        found = [(path.resolve(), path.stat()) for path in file.files]
    except OSError as error:
        raise ReadError(f"{file.path}: cannot be looked at: {error.strerror or error}") from error
    return "\n".join([f"image {image}", *(f"{path} {stat.st_size} {stat.st_mtime_ns}" for path, stat in found)])


def _write_with_progress(image: Image, out: Path, *, source: str, version: Version, workers: int) -> bool:
    """Write with a progress bar on stderr. Ctrl-C stops after the pieces under way."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    stopping = threading.Event()
    usual = signal.signal(signal.SIGINT, lambda _number, _frame: stopping.set())
    try:
        with Progress(*columns, console=console(stderr=True), transient=True) as progress:
            task = progress.add_task(f"writing {out.name}", total=None)
            return write(
                image,
                out,
                source=source,
                version=version,
                workers=workers,
                colors=channel_colors(image.metadata),
                on_progress=lambda done, total: progress.update(task, completed=done, total=total),
                should_stop=stopping.is_set,
            )
    finally:
        signal.signal(signal.SIGINT, usual)


def _sizes(metadata: ImageMetadata) -> str:
    named = zip(metadata.axes, metadata.shape, strict=True)
    return f"{' '.join(f'{axis} {length}' for axis, length in named)}, {metadata.dtype}"
