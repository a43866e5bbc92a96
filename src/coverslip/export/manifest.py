"""How each file was made, beside the files: JSON for programs and for making them again, CSV for people.

The JSON holds the job's document (request, looks, sources with fingerprints, versions of the software) and its items;
the CSV has a line for each item. Files that were there already and were kept have the state ``kept``, and nothing is
said of what they show; how they would have been made is in the JSON under ``planned``, so that they can be made.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from coverslip.errors import InvalidRequestError, UnreadableFileError
from coverslip.export.plan import Plan, restored
from coverslip.export.writing import created
from coverslip.model.exporting import ExportItem, ExportJob, PlannedExport

MAX_BYTES = 2 << 30
SHORT_ID = 8
COLUMNS = (
    *("number", "item", "file", "state", "fov", "source", "x0", "y0", "x1", "y1", "label", "marker_set"),
    *("width", "height", "scale_bar_um", "sha256", "bytes", "seconds", "attempts", "error_type", "message"),
)


def manifest_paths(folder: Path, job_id: str) -> tuple[Path, Path]:
    """Return where the two files of a job are: several jobs may share a folder."""
    stem = f"manifest-{job_id[:SHORT_ID]}"
    return folder / f"{stem}.json", folder / f"{stem}.csv"


def write_manifest(plan: Plan, job: ExportJob, items: Iterable[ExportItem]) -> tuple[Path, Path]:
    """Write both files and return where they are; items are taken one by one.

    Raises
    ------
    StorageError
        They cannot be written.
    """
    as_json, as_csv = manifest_paths(plan.request.output.folder, job.id)
    head = {
        "job": job.id,
        "state": job.state,
        "message": job.message,
        "created_at": job.created_at.isoformat(),
        "ended_at": None if job.ended_at is None else job.ended_at.isoformat(),
        **plan.document,
    }
    with created(as_json) as document, created(as_csv) as lines, _text(document) as stream, _text(lines) as listed:
        table = csv.writer(listed, lineterminator="\n")
        table.writerow(COLUMNS)
        stream.write(json.dumps(head, indent=1, ensure_ascii=False)[:-2] + ',\n "items": [')
        between = "\n"
        for item in items:
            stream.write(between + json.dumps(_entry(item), ensure_ascii=False))
            table.writerow(_row(plan, item))
            between = ",\n"
        stream.write("\n]}\n")
    return as_json, as_csv


@contextmanager
def _text(stream: BinaryIO) -> Iterator[io.TextIOWrapper]:
    """Give a text stream over a binary one, which stays open."""
    text = io.TextIOWrapper(stream, "utf-8", "surrogateescape", newline="", write_through=False)
    try:
        yield text
    finally:
        text.detach()


def read_manifest(path: Path, folder: Path) -> Plan:
    """Return the plan that a manifest tells of, with another folder for its files.

    Raises
    ------
    InvalidRequestError
        It is no manifest.
    UnreadableFileError
        It cannot be read.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InvalidRequestError(f"{path}: it is larger than a manifest may be")
        document = json.loads(path.read_bytes())
        items = [
            PlannedExport(one["number"], one["item"], one["file"], one["group"], one[_document_name(one["state"])])
            for one in document["items"]
        ]
        document["request"]["output"]["folder"] = str(folder)
    except OSError as error:
        raise UnreadableFileError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, InvalidRequestError):
            raise
        raise InvalidRequestError(f"{path}: it is no manifest of an export: {error!r}") from error
    _check_items(path, items, document)
    return restored(document, items)


def _check_items(path: Path, items: Sequence[PlannedExport], document: dict[str, Any]) -> None:
    """Refuse items that would be written elsewhere or point to what is not there: somebody may have edited the file."""
    for number, item in enumerate(items):
        places = Path(item.path)
        if item.number != number or places.is_absolute() or ".." in places.parts or not places.parts:
            raise InvalidRequestError(f"{path}: item {number} has the number {item.number} and the file {item.path!r}")
        try:
            document["sources"][item.document["source"]], document["specs"][item.document["spec"]]
            if item.document["source"] < 0 or item.document["spec"] < 0:
                raise IndexError(item.number)
        except (LookupError, TypeError) as error:
            raise InvalidRequestError(f"{path}: item {number} has a source or look that is not there") from error


def _state(item: ExportItem) -> str:
    """Return how an item stands: of those that are well, whether the file was made."""
    return "kept" if item.state == "ok" and item.result is not None and item.result.is_kept else item.state


def _document_name(state: object) -> str:
    """Return under which name an item has how it was made; of a kept file, how it would have been."""
    return "planned" if state == "kept" else "document"


def _entry(item: ExportItem) -> dict[str, Any]:
    planned, result, state = item.planned, item.result, _state(item)
    found: dict[str, Any] = {
        "number": planned.number,
        "item": planned.name,
        "file": planned.path,
        "group": planned.group,
        _document_name(state): planned.document,
        "state": state,
    }
    if result is not None:
        found |= {"sha256": result.checksum, "bytes": result.size, "seconds": round(result.seconds, 4)}
        found |= {"attempts": result.attempts, "details": result.details}
        if not result.ok:
            found |= {"error_type": result.error_type, "message": result.message}
    return found


def _row(plan: Plan, item: ExportItem) -> list[Any]:
    planned, result = item.planned, item.result
    document = planned.document
    source = plan.sources[document["source"]].source
    details = {} if result is None else result.details
    window = document["window"] or ("", "", "", "")
    if _state(item) == "kept":
        return [planned.number, planned.name, planned.path, "kept", *[""] * 11, *(_outcome(result) if result else ())]
    return [
        *(planned.number, planned.name, planned.path, item.state),
        *(document["values"].get("fov", source.fov), str(source.path), *window),
        *(document["values"].get("label", ""), plan.specs[document["spec"]].markers.name),
        *(details.get(name, "") for name in ("width", "height", "scale_bar_um")),
        *(("", "", "", 0, "", "") if result is None else _outcome(result)),
    ]


def _outcome(result: Any) -> tuple[Any, ...]:
    return (
        *(result.checksum or "", "" if result.size is None else result.size, f"{result.seconds:.4f}", result.attempts),
        *(result.error_type or "", result.message or ""),
    )
