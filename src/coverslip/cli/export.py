"""``coverslip export fov|cells|rois``: pictures in bulk."""

import json
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from coverslip.cli.exporting import check_options, job_id, run, say, say_dry_run, wait_until_free
from coverslip.confined import Opener
from coverslip.errors import InvalidRequestError
from coverslip.export import Job, Request
from coverslip.export.library import dataset_items
from coverslip.export.options import request_from
from coverslip.export.sources import marker_sets_of
from coverslip.model.export import MarkerSet
from coverslip.model.exporting import ExportMode
from coverslip.settings import Settings

if TYPE_CHECKING:
    from coverslip.catalog import Catalog

MOST_JOBS = 10_000
"""The newest ones, among which that is looked for which is to go on."""

app = typer.Typer(add_completion=False, no_args_is_help=True)

Data = Annotated[list[Path] | None, typer.Argument(help="Folders of fields of view, or image files.")]
Dataset = Annotated[
    str | None,
    typer.Option(
        "--dataset", help="In their place: all cataloged images of a dataset, by name or number, or of a folder."
    ),
]
MarkerSetOption = Annotated[
    str | None,
    typer.Option("--marker-set", "-m", help="Name of a saved marker set, or a JSON file with one."),
]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the files; made if need be.")]
Fovs = Annotated[str | None, typer.Option("--fovs", help="Names of fields of view, separated by commas.")]
Format = Annotated[str, typer.Option("--format", "-f", help="png, jpeg, webp, tiff, ome-tiff, ome-zarr, pdf or svg.")]
Downsample = Annotated[int, typer.Option("--downsample", min=1, help="Pixels of the image along one of the picture.")]
ScaleBar = Annotated[
    str | None,
    typer.Option("--scale-bar", help="'auto', a length in micrometres, or 'same': the same one on all pictures."),
]
PixelSize = Annotated[
    float | None,
    typer.Option("--pixel-size", min=0, help="Size of a pixel in micrometres, of images that do not say it."),
]
ForcePixelSize = Annotated[
    bool, typer.Option("--force-pixel-size", help="With --pixel-size: it counts, whatever the images say.")
]
Masks = Annotated[str | None, typer.Option("--masks", help="Masks whose outlines are drawn, separated by commas.")]
Name = Annotated[str | None, typer.Option("--name", help="Template of file names, such as '{fov}_{label:05}'.")]
Existing = Annotated[str, typer.Option("--existing", help="Files that are there: refuse, replace or skip.")]
Workers = Annotated[int, typer.Option("--workers", "-w", min=1, max=64, help="Items made at the same time.")]
ExecutorOption = Annotated[str, typer.Option("--executor", help="threads, processes or dask://host:8786.")]
PerSecond = Annotated[float | None, typer.Option("--per-second", help="Most items that begin in a second.")]
Dpi = Annotated[float, typer.Option("--dpi", min=1, help="Pixels of the picture on an inch of paper.")]
Gallery = Annotated[str | None, typer.Option("--gallery", help="Rows and columns of pages, such as 4x6; a PDF.")]
PanelsOption = Annotated[
    bool, typer.Option("--panels", help="Each channel in a panel beside the merge, with its name.")
]
SeparateOption = Annotated[bool, typer.Option("--separate", help="A file for each channel.")]
Sheet = Annotated[
    bool, typer.Option("--contact-sheet", help="An HTML page with all pictures, small, beside the files.")
]
Set = Annotated[
    list[str] | None, typer.Option("--set", help="Any other choice as name=JSON, such as legend='{}'; may be repeated.")
]
Dry = Annotated[bool, typer.Option("--dry-run", help="Check everything and list the files; write nothing.")]
Resume = Annotated[str | None, typer.Option("--resume", help="Go on with a job: its id, or 'last'.")]
Retry = Annotated[bool, typer.Option("--retry-failed", help="With --resume: try again what failed.")]
Changed = Annotated[
    str, typer.Option("--changed", help="With --resume: of sources that have changed, items 'fail', or 'use' them.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")]


@app.command("fov")
def export_fov(
    context: typer.Context,
    data: Data = None,
    marker_set: MarkerSetOption = None,
    out: Out = None,
    *,
    dataset: Dataset = None,
    fovs: Fovs = None,
    file_format: Format = "png",
    downsample: Downsample = 1,
    scale_bar: ScaleBar = None,
    pixel_size: PixelSize = None,
    force_pixel_size: ForcePixelSize = False,
    masks: Masks = None,
    name: Name = None,
    existing: Existing = "refuse",
    workers: Workers = 2,
    executor: ExecutorOption = "threads",
    per_second: PerSecond = None,
    dpi: Dpi = 300,
    gallery: Gallery = None,
    panels: PanelsOption = False,
    separate: SeparateOption = False,
    contact_sheet: Sheet = False,
    choices: Set = None,
    dry_run: Dry = False,
    resume: Resume = None,
    retry_failed: Retry = False,
    changed: Changed = "fail",
    as_json: AsJson = False,
) -> None:
    """Export whole fields of view."""
    _export("fov", {}, {**locals()})


@app.command("cells")
def export_cells(
    context: typer.Context,
    data: Data = None,
    marker_set: MarkerSetOption = None,
    out: Out = None,
    *,
    table: Annotated[Path | None, typer.Option(help="Cell table: CSV, Parquet or h5ad.")] = None,
    where: Annotated[str | None, typer.Option(help="Filter, such as 'cluster == \"immune\" and area > 50'.")] = None,
    cluster: Annotated[list[str] | None, typer.Option(help="A cluster; may be repeated.")] = None,
    ids: Annotated[str | None, typer.Option(help="Labels, or FOV:label, separated by commas.")] = None,
    size: Annotated[float, typer.Option(min=0, help="Side of the crop.")] = 128,
    unit: Annotated[str, typer.Option(help="Of sizes: px or um.")] = "px",
    box: Annotated[str, typer.Option(help="A square around the 'centroid', or the box of the 'mask'.")] = "centroid",
    padding: Annotated[float, typer.Option(min=0, help="Added on every side.")] = 0,
    mask: Annotated[str, typer.Option(help="The mask of the cells.")] = "whole_cell",
    isolate: Annotated[bool, typer.Option("--isolate", help="Hide neighbours.")] = False,
    pad: Annotated[bool, typer.Option("--pad", help="Crops at an edge keep their size.")] = False,
    dataset: Dataset = None,
    fovs: Fovs = None,
    file_format: Format = "png",
    downsample: Downsample = 1,
    scale_bar: ScaleBar = None,
    pixel_size: PixelSize = None,
    force_pixel_size: ForcePixelSize = False,
    masks: Masks = None,
    name: Name = None,
    existing: Existing = "refuse",
    workers: Workers = 2,
    executor: ExecutorOption = "threads",
    per_second: PerSecond = None,
    dpi: Dpi = 300,
    gallery: Gallery = None,
    panels: PanelsOption = False,
    separate: SeparateOption = False,
    contact_sheet: Sheet = False,
    choices: Set = None,
    dry_run: Dry = False,
    resume: Resume = None,
    retry_failed: Retry = False,
    changed: Changed = "fail",
    as_json: AsJson = False,
) -> None:
    """Export single cells, all that a filter leaves."""
    own = {
        "table": table,
        "where": where,
        "clusters": tuple(cluster or ()),
        "ids": _listed(ids) or (),
        "size": size,
        "unit": unit,
        "box": box,
        "padding": padding,
        "mask": mask,
        "isolate": isolate,
        "pad": pad,
    }
    _export("cells", own, {**locals()})


@app.command("rois")
def export_rois(
    context: typer.Context,
    data: Data = None,
    marker_set: MarkerSetOption = None,
    out: Out = None,
    *,
    table: Annotated[
        Path | None, typer.Option(help="Regions: CSV, GeoJSON, .roi or .zip; by default the table beside the data.")
    ] = None,
    ids: Annotated[str | None, typer.Option(help="Identifiers or names, separated by commas.")] = None,
    tags: Annotated[str | None, typer.Option(help="Expression over tags: 'immune & !dense'.")] = None,
    shared: Annotated[bool, typer.Option("--shared", help="All regions in one look, not each in its own.")] = False,
    grow: Annotated[int, typer.Option(min=-100, max=100, help="Pixels that every side is moved outwards.")] = 0,
    size: Annotated[int | None, typer.Option(min=1, help="Width and height for all regions.")] = None,
    dataset: Dataset = None,
    fovs: Fovs = None,
    file_format: Format = "png",
    downsample: Downsample = 1,
    scale_bar: ScaleBar = None,
    pixel_size: PixelSize = None,
    force_pixel_size: ForcePixelSize = False,
    masks: Masks = None,
    name: Name = None,
    existing: Existing = "refuse",
    workers: Workers = 2,
    executor: ExecutorOption = "threads",
    per_second: PerSecond = None,
    dpi: Dpi = 300,
    gallery: Gallery = None,
    panels: PanelsOption = False,
    separate: SeparateOption = False,
    contact_sheet: Sheet = False,
    choices: Set = None,
    dry_run: Dry = False,
    resume: Resume = None,
    retry_failed: Retry = False,
    changed: Changed = "fail",
    as_json: AsJson = False,
) -> None:
    """Export regions of interest."""
    own = {"table": table, "ids": _listed(ids) or (), "tags": tags, "own": not shared, "grow": grow, "size": size}
    _export("rois", own, {**locals()})


def _export(mode: ExportMode, own: dict[str, Any], given: dict[str, Any]) -> None:
    """Plan, check and run an export. Exit code 0 when every file is there, 1 when some failed, 130 when stopped."""
    check_options(given["context"], is_resumed=bool(given["resume"]))
    settings = Settings.load()
    needs_catalog = given["dataset"] is not None or not given["dry_run"]
    with Opener(settings) as opener, _catalog(settings) if needs_catalog else nullcontext() as catalog:
        if given["dry_run"]:
            job = Job.of(_request(mode, own, given, catalog), open_file=opener.open_image)
            say_dry_run(job.dry_run(), as_json=given["as_json"])
            return
        assert catalog is not None
        if given["resume"]:
            chosen = job_id(catalog.exports(MOST_JOBS), given["resume"], mode)
            wait_until_free(catalog, chosen)
            job = Job.kept(chosen, catalog, open_file=opener.open_image)
        else:
            job = Job.of(_request(mode, own, given, catalog), catalog=catalog, open_file=opener.open_image)
        go_on = partial(job.resume, retry_failed=given["retry_failed"], changed=_changed(given["changed"]))
        record = run(job, go_on if given["resume"] else job.start, is_resumed=bool(given["resume"]))
        say(job, record, as_json=given["as_json"])


def _changed(text: str) -> Literal["fail", "use"]:
    if text == "use":
        return "use"
    if text == "fail":
        return "fail"
    raise InvalidRequestError(f"--changed: expected fail or use, found {text!r}")


def _catalog(settings: Settings) -> AbstractContextManager["Catalog"]:
    from coverslip.derive import open_catalog_of  # noqa: PLC0415  # a dry run of files needs no catalog

    return open_catalog_of(settings)


def _request(mode: ExportMode, own: dict[str, Any], given: dict[str, Any], catalog: "Catalog | None") -> Request:
    if given["marker_set"] is None or given["out"] is None:
        raise InvalidRequestError("an export needs a marker set (--marker-set) and a folder (--out)")
    if bool(given["data"]) == (given["dataset"] is not None):
        raise InvalidRequestError("name folders of fields of view or image files, or a dataset (--dataset)")
    items: dict[str, Any] = {"data": given["data"]}
    if catalog is not None and given["dataset"] is not None:
        items = dataset_items(catalog, given["dataset"])
    names = ("downsample", "existing", "workers", "executor", "per_second", "dpi", "gallery", "name")
    overrides = {name: given[name] for name in names if given[name] is not None}
    overrides |= {name: True for name in ("panels", "separate", "contact_sheet") if given[name]}
    if given["pixel_size"] is not None:
        overrides["pixel_um"] = given["pixel_size"]
    if given["force_pixel_size"]:
        overrides["force_pixel_um"] = True
    if given["scale_bar"] is not None:
        overrides["scale_bar"] = _scale_bar(given["scale_bar"])
    if given["masks"] is not None:
        overrides["masks"] = _listed(given["masks"])
    overrides |= _choices(given["choices"] or ())
    file_format = "pdf" if given["gallery"] and given["file_format"] == "png" else given["file_format"]
    marker_set = _marker_set(given["marker_set"], items["data"][0])
    items |= {"fovs": _listed(given["fovs"]), **own}
    return request_from(mode, items, marker_set, given["out"], file_format, overrides)


def _marker_set(text: str, data: Path) -> str | dict[str, Any] | MarkerSet:
    """Return what is meant by a marker set: a JSON file with one, or the name of one that is saved."""
    path = Path(text)
    if not text.endswith(".json") or not path.is_file():
        return text if text in marker_sets_of(Path(data).absolute()) or "=" not in text else _channels(text)
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidRequestError(f"{path}: it is no marker set in JSON: {error}") from error
    return found


def _channels(text: str) -> dict[str, Any]:
    """Return the marker set of ``DAPI=blue:100:2000,CD45=green``."""
    looks = []
    for part in text.split(","):
        channel, _, how = part.partition("=")
        color, *limits = how.split(":")
        try:
            low, high = (*map(float, limits), *(None,) * (2 - len(limits)))[:2]
        except ValueError as error:
            raise InvalidRequestError(f"--marker-set: {part!r}: expected channel=color:low:high") from error
        looks.append({"channel": channel.strip(), "color": color or "white", "high": high})
        looks[-1] |= {} if low is None else {"low": low}
    return {"name": "given", "channels": looks}


def _scale_bar(text: str) -> object:
    if text == "auto":
        return True
    if text == "same":
        return {"same_for_all": True}
    try:
        return float(text)
    except ValueError as error:
        raise InvalidRequestError(
            f"--scale-bar: expected auto, same or a length in micrometres, found {text!r}"
        ) from error


def _choices(texts: Any) -> dict[str, Any]:
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise InvalidRequestError(f"--set: expected name=value, found {text!r}")
        try:
            found[name.strip()] = json.loads(value)
        except ValueError:
            found[name.strip()] = value
    return found


def _listed(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]
