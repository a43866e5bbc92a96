"""``coverslip rois``: regions of interest listed, drawn by numbers, tagged, and exchanged with other programs."""

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from coverslip.cli.output import amount, console, one_line
from coverslip.errors import InvalidRequestError, NotFoundError
from coverslip.export.roi_files import bytes_of, rois_at, write_rois_at
from coverslip.export.sources import ROI_TABLE, state_file
from coverslip.model.rois import Roi
from coverslip.rois import merged, read_rois, write_rois
from coverslip.rois.editing import changed, place_of, selected

app = typer.Typer(add_completion=False, no_args_is_help=True)

Table = Annotated[
    Path,
    typer.Argument(help="Table of regions (CSV), or the folder of fields of view that has one, which is only read."),
]
Words = Annotated[list[str] | None, typer.Argument(help="Identifiers, or names that one region alone has.")]
Tags = Annotated[str | None, typer.Option("--tags", help="Expression over tags: 'immune & !dense'.")]
Fov = Annotated[str | None, typer.Option("--fov", help="Field of view.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="Where the changed table goes; by default in the place of the old one."),
]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that is there.")]
Dry = Annotated[bool, typer.Option("--dry-run", help="Say what would be written; write nothing.")]
Rectangle = Annotated[str | None, typer.Option("--rectangle", help="x_min,y_min,x_max,y_max in pixels.")]
Polygon = Annotated[str | None, typer.Option("--polygon", help="Corners: 'x,y x,y x,y'.")]
Line = Annotated[str | None, typer.Option("--line", help="Points: 'x,y x,y'.")]
Tag = Annotated[list[str] | None, typer.Option("--tag", help="A tag; may be repeated.")]
Name = Annotated[str | None, typer.Option("--name", help="Its name.")]
MarkerSet = Annotated[str | None, typer.Option("--marker-set", "-m", help="The saved marker set that it is shown in.")]
Comment = Annotated[str | None, typer.Option("--comment", help="Any text.")]


@app.command("list")
def list_rois(
    table: Annotated[Path, typer.Argument(help="CSV, GeoJSON, .roi or .zip, or a folder of fields of view.")],
    tags: Tags = None,
    fov: Fov = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """Show the regions of a file."""
    found = selected(rois_at(_place(table)), tags=tags, fov=fov)
    if as_json:
        print(json.dumps([{**roi.model_dump(mode="json"), "bounds": roi.bounds} for roi in found], indent=1))
        return
    for roi in found:
        console().print(one_line(_line(roi)))
    console().print(f"{amount(len(found), 'region')}.")


@app.command("add")
def add(
    table: Table,
    *,
    fov: Annotated[str, typer.Option("--fov", help="The field of view that it is on.")],
    rectangle: Rectangle = None,
    polygon: Polygon = None,
    line: Line = None,
    name: Name = None,
    tag: Tag = None,
    marker_set: MarkerSet = None,
    comment: Comment = None,
    out: Out = None,
    force: Force = False,
    dry_run: Dry = False,
) -> None:
    """Add a region to a table, which is made if need be."""
    place = place_of(rectangle, polygon, line)
    if not place:
        raise InvalidRequestError("say where the region is: --rectangle, --polygon or --line")
    now = _now()
    bare = Roi(roi_id=str(uuid.uuid4()), fov=fov, created_at=now)
    roi = changed(bare, place | _texts(name, marker_set, comment) | {"updated_at": now}, _tags(tag))
    target, was, rois = _opened(table, out, force=force, is_new=True)
    _write(target, [*rois, roi], was, dry_run=dry_run, said=f"added {_line(roi)}")


@app.command("edit")
def edit(
    table: Table,
    regions: Annotated[list[str], typer.Argument(help="Identifiers, or names that one region alone has.")],
    *,
    rectangle: Rectangle = None,
    polygon: Polygon = None,
    line: Line = None,
    name: Name = None,
    tag: Tag = None,
    untag: Annotated[list[str] | None, typer.Option("--untag", help="A tag to take away; may be repeated.")] = None,
    marker_set: MarkerSet = None,
    comment: Comment = None,
    fov: Annotated[str | None, typer.Option("--fov", help="The field of view that it is on.")] = None,
    out: Out = None,
    force: Force = False,
    dry_run: Dry = False,
) -> None:
    """Change regions: their place, name, tags, marker set or comment."""
    update = (
        place_of(rectangle, polygon, line) | _texts(name, marker_set, comment) | ({} if fov is None else {"fov": fov})
    )
    if not update and not tag and not untag:
        raise InvalidRequestError("say what is to be changed, such as --tag or --name")
    target, was, rois = _opened(table, out, force=force)
    meant = {roi.roi_id for roi in selected(rois, regions)}
    update["updated_at"] = _now()
    after = [changed(roi, update, _tags(tag), set(_tags(untag))) if roi.roi_id in meant else roi for roi in rois]
    _write(target, after, was, dry_run=dry_run, said=f"changed {amount(len(meant), 'region')}")


@app.command("remove")
def remove(
    table: Table,
    regions: Words = None,
    *,
    tags: Tags = None,
    fov: Fov = None,
    out: Out = None,
    force: Force = False,
    dry_run: Dry = False,
) -> None:
    """Take regions out of a table."""
    if not regions and tags is None and fov is None:
        raise InvalidRequestError("say which regions: by identifier, by name, --tags or --fov")
    target, was, rois = _opened(table, out, force=force)
    gone = {roi.roi_id for roi in selected(rois, regions or (), tags, fov)}
    after = [roi for roi in rois if roi.roi_id not in gone]
    _write(target, after, was, dry_run=dry_run, said=f"removed {amount(len(gone), 'region')}")


@app.command("import")
def import_rois(
    table: Table,
    files: Annotated[list[Path], typer.Argument(help="CSV, GeoJSON, .roi or .zip.")],
    *,
    fov: Annotated[str, typer.Option("--fov", help="The field of view of regions that do not name theirs.")] = "",
    tag: Tag = None,
    out: Out = None,
    force: Force = False,
    dry_run: Dry = False,
) -> None:
    """Add the regions of other files to a table; what is there exactly so already is not added again."""
    target, was, rois = _opened(table, out, force=force, is_new=True)
    found = [changed(roi, {}, _tags(tag)) for path in files for roi in rois_at(_place(path), fov)]
    homeless = [roi for roi in found if not roi.fov and not roi.map_id]
    if homeless:
        raise InvalidRequestError(f"{amount(len(homeless), 'region')} name no field of view: say which it is (--fov)")
    after = merged(rois, found)
    _write(target, after, was, dry_run=dry_run, said=f"added {amount(len(after) - len(rois), 'region')}")


@app.command("export")
def export_rois(
    table: Annotated[Path, typer.Argument(help="CSV, GeoJSON, .roi or .zip, or a folder of fields of view.")],
    out: Annotated[Path, typer.Argument(help="New file: .csv, .geojson, .roi or .zip.")],
    regions: Words = None,
    *,
    tags: Tags = None,
    fov: Fov = None,
    force: Force = False,
    dry_run: Dry = False,
) -> None:
    """Write regions as a file for another program."""
    found = selected(rois_at(_place(table)), regions or (), tags, fov)
    was = bytes_of(out) if force and out.exists() else None
    _write(out, found, was, dry_run=dry_run, said=f"wrote {amount(len(found), 'region')}")


def _place(table: Path) -> Path:
    """Return the file that is meant: the table beside fields of view, where a folder is named."""
    if not table.is_dir():
        return table
    found = state_file(table.absolute(), ROI_TABLE)
    if found is None:
        raise NotFoundError(f"{table} has no table of regions beside it")
    return found


def _opened(
    table: Path, out: Path | None, *, force: bool, is_new: bool = False
) -> tuple[Path, bytes | None, list[Roi]]:
    """Return where a changed table goes, what is there now, and the regions of the old one.

    Parameters
    ----------
    table, out
        As they were given.
    force
        Whether another file may be replaced.
    is_new
        Whether there may be no table yet.
    """
    if table.is_dir() and out is None:
        raise InvalidRequestError(f"{table}: data are only read: say where the table goes (--out)")
    target = table if out is None else out
    if target.suffix.lower() != ".csv":
        raise InvalidRequestError(
            f"{target}: tables that are changed are CSV; `coverslip rois export` writes the others"
        )
    try:
        place = _place(table)
        data = bytes_of(place)
    except NotFoundError:
        if not is_new:
            raise
        place, data = table, None
    rois = [] if data is None else list(read_rois(data, place.name))
    if target.absolute() == place.absolute():
        return target, data, rois
    return target, bytes_of(target) if force and target.exists() else None, rois


def _write(target: Path, rois: Sequence[Roi], was: bytes | None, *, dry_run: bool, said: str) -> None:
    if dry_run:
        write_rois(rois, target.name)
        kind = "is there and would be replaced" if target.exists() else "would be written"
        console().print(one_line(f"{target} {kind}, with {amount(len(rois), 'region')}: {said}."))
        return
    write_rois_at(target, rois, was=was)
    console().print(one_line(f"{target}: {said}; it has {amount(len(rois), 'region')}."))


def _line(roi: Roi) -> str:
    kind = "rectangle" if roi.shape is None else "polygon" if roi.shape.closed else "line"
    edges = "no place" if roi.bounds is None else ",".join(f"{edge:g}" for edge in roi.bounds)
    tags = f" [{', '.join(roi.tags)}]" if roi.tags else ""
    return f"{roi.roi_id}  {roi.fov or roi.map_id}  {roi.name or '-'}  {kind} {edges}{tags}"


def _texts(name: str | None, marker_set: str | None, comment: str | None) -> dict[str, Any]:
    given = {"name": name, "marker_set": marker_set, "comment": comment}
    return {field: value for field, value in given.items() if value is not None}


def _tags(given: list[str] | None) -> list[str]:
    return [tag for text in given or () for part in text.split(",") if (tag := " ".join(part.split()))]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
