"""What ``plan`` and ``apply`` are both told."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coverslip.errors import InvalidRequestError
from coverslip.sources import is_remote

if TYPE_CHECKING:
    from coverslip.ingest.deposition.formats import Formats

Config = Annotated[Path, typer.Argument(help="A YAML file.", metavar="FILE")]
Input = Annotated[
    str, typer.Option("--input", help="Where the source_prefix lies, or that itself.", metavar="FOLDER|s3://...")
]
Output = Annotated[str, typer.Option("--output", help="The top of the layout.", metavar="FOLDER|s3://...")]
Only = Annotated[list[str] | None, typer.Option("--only", help="Write entities of this type.", metavar="TYPE")]
Filter = Annotated[
    list[str] | None, typer.Option("--filter", help="Go through those whose name fits.", metavar="TYPE=REGEX")
]
Exclude = Annotated[
    list[str] | None, typer.Option("--exclude", help="Leave out those whose name fits.", metavar="TYPE=REGEX")
]
Everything = Annotated[bool, typer.Option("--everything", help="Write entities of every type, as without --only.")]
MetadataOnly = Annotated[bool, typer.Option("--metadata-only", help="Write metadata documents only.")]
LetGo = Annotated[
    bool, typer.Option("--let-go", help="Where a source that was ingested is gone, let documents follow.")
]
NoMrc = Annotated[bool, typer.Option("--no-mrc", help="Write volumes and masks as OME-Zarr alone.")]
NoZarr = Annotated[bool, typer.Option("--no-zarr", help="Write volumes and masks as MRC alone.")]
ZarrVersion = Annotated[str, typer.Option(help="Of OME-Zarr: 0.4 or 0.5.")]
Views = Annotated[bool, typer.Option("--views/--no-views", help="Build views at the end, or leave them to workers.")]
Publishes = Annotated[
    bool, typer.Option("--publish/--no-publish", help="Write precomputes, states and key photos into the layout too.")
]
HttpsPrefix = Annotated[
    str | None,
    typer.Option(
        help="Where browsers read the top of the layout. Without it no viewer states are published.", metavar="URL"
    ),
]


def formats_of(no_mrc: bool, no_zarr: bool, zarr_version: str, publishes: bool, https_prefix: str | None) -> "Formats":
    """Return what is written in which format.

    Raises
    ------
    InvalidRequestError
        The choice makes no sense, or the address is none.
    """
    from coverslip.derive.publishing import check_top  # noqa: PLC0415  brings numpy along
    from coverslip.ingest.deposition.formats import Formats  # noqa: PLC0415

    if https_prefix is not None:
        check_top(https_prefix)
    states = publishes and https_prefix is not None
    return Formats(mrc=not no_mrc, zarr=not no_zarr, zarr_version=zarr_version, photos=publishes, states=states)


def top_of(text: str) -> str:
    """Return the top of a layout as the catalog calls it.

    Raises
    ------
    InvalidRequestError
        A file lies there.
    """
    if not is_remote(text) and Path(text).expanduser().is_file():
        raise InvalidRequestError(f"--output: {text} is a file, and a folder is needed")
    return text.rstrip("/") if is_remote(text) else str(Path(text).expanduser().absolute())
