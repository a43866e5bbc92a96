"""A request becomes items: each one frozen, with its region, its look and the name of its file.

What a plan says does not change afterwards: marker sets, regions and tables are read here and nowhere later. Of the
pixels, which are too many to copy, it keeps size and time of every file; an item whose files have changed meanwhile
fails instead of showing something else.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from coverslip.errors import InvalidRequestError
from coverslip.export.bars import with_common_bar
from coverslip.export.choices import Chosen, caption_names, choose_cells, choose_fields
from coverslip.export.contrast import with_limits
from coverslip.export.facts import SourceFacts, facts_of, software, table_path, with_pixel_size
from coverslip.export.mosaics import Mosaic
from coverslip.export.names import distinct, fields_of, fill
from coverslip.export.opened import OpenSource
from coverslip.export.regions import choose_rois
from coverslip.export.request import TEMPLATES, Request, make
from coverslip.export.separate import separated
from coverslip.export.sources import OpenFile, Source, bare_name, chosen, fingerprint
from coverslip.export.sources import fields_of as fields_at
from coverslip.model.export import FILE_ENDINGS, ExportSpec
from coverslip.model.exporting import PlannedExport
from coverslip.readers import open_image

VERSION = 1
"""Of the documents of jobs and items."""
KEPT_VALUES = frozenset({"fov", "label", "roi", "roi_id", "x", "y", "tags", "comment", "marker_set", "channel"})
"""Of an item's values, for the manifest, beside those that captions name. Other columns of its row are in the table."""
NOUNS = {"fov": "field of view", "cells": "cell", "rois": "region"}


@dataclass(frozen=True)
class Plan:
    """All items of a job."""

    request: Request
    sources: tuple[SourceFacts, ...]
    specs: tuple[ExportSpec, ...]
    """Looks; items name theirs by its place."""
    items: tuple[PlannedExport, ...]
    tables: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Fingerprints of the tables that rows were taken from."""
    cell_table: Path | None = None
    """Where cells have colours of their own: the table that says which."""

    @property
    def document(self) -> dict[str, Any]:
        """Everything but the items, as JSON."""
        return {
            "version": VERSION,
            "request": self.request.model_dump(mode="json"),
            "sources": [one.document for one in self.sources],
            "specs": [spec.model_dump(mode="json") for spec in self.specs],
            "tables": {path: list(seen) for path, seen in self.tables.items()},
            "cell_table": None if self.cell_table is None else str(self.cell_table),
            "software": software(),
        }


def plan(request: Request, *, open_file: OpenFile = open_image) -> Plan:
    """Return the items of a request.

    Parameters
    ----------
    request
        What is wanted.
    open_file
        Opens image files.

    Raises
    ------
    InvalidRequestError
        Some of it makes no sense, or nothing is left to export.
    NotFoundError
        A folder, field of view, marker set or table is not there.
    ReadError
        A table or the state of the reference is damaged. Damaged images are no error here: their items fail.
    """
    if request.images is None:
        found = [source for place in request.data for source in fields_at(place)]
    else:
        pairs = zip(request.data, request.images, strict=True)
        found = [Source(f"{bare_name(place)}_{n}" if n else bare_name(place), place, n) for place, n in pairs]
    sources = chosen(tuple(distinct_fields(found)), request.fovs)
    annotation = None if request.look.annotation is None else request.look.annotation.annotation
    facts = [with_pixel_size(facts_of(source, open_file, annotation), request) for source in sources]
    opening = partial(_opened, request, open_file)
    tables: list[Path] = []
    if request.mode == "fov":
        picked = choose_fields(request, facts)
    elif request.mode == "cells":
        tables.append(table_path(request, facts))
        picked = choose_cells(request, facts, tables[0], opening)
    else:
        picked, facts, table = choose_rois(request, facts)
        tables.append(table)
    if not picked:
        raise InvalidRequestError(f"there is nothing to export: no {NOUNS[request.mode]} is left after the choice")
    if not request.output.is_raw:
        picked = with_limits(picked, facts, request.contrast, opening, (request.t, request.z))
    cell_table = table_path(request, facts) if any(one.spec.cells is not None for one in picked) else None
    if cell_table is not None:
        tables.append(cell_table)
    return _frozen(request, facts, with_common_bar(separated(picked, request.separate), facts), tables, cell_table)


def restored(document: Mapping[str, Any], items: Iterable[PlannedExport]) -> Plan:
    """Return the plan that a document of a job and its items stand for: nothing is read or chosen anew.

    Raises
    ------
    InvalidRequestError
        It is no document of a job, or one of a newer version.
    """
    if document.get("version") != VERSION:
        raise InvalidRequestError(f"an export of version {document.get('version')!r} cannot be read; this is {VERSION}")
    try:
        request = make(Request, document["request"], "the export")
        specs = tuple(make(ExportSpec, spec, "the look") for spec in document["specs"])
        sources = tuple(_restored_source(one) for one in document["sources"])
        tables = {str(path): [int(number) for number in seen] for path, seen in document["tables"].items()}
        cell_table = document.get("cell_table")
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, InvalidRequestError):
            raise
        raise InvalidRequestError(f"this is no document of an export: {error!r}") from error
    return Plan(request, sources, specs, tuple(items), tables, Path(cell_table) if cell_table else None)


def _restored_source(document: Mapping[str, Any]) -> SourceFacts:
    mosaic = Mosaic.of(document["mosaic"]) if "mosaic" in document else None
    source = Source(document["fov"], Path(document["path"]), document["image"], mosaic, document.get("pixel_um"))
    seen = {path: [int(number) for number in one] for path, one in document["fingerprint"].items()}
    return SourceFacts(source, seen, None, document.get("error"), before=tuple(map(dict, document.get("before", ()))))


def _frozen(
    request: Request,
    facts: Sequence[SourceFacts],
    picked: Sequence[Chosen],
    tables: Sequence[Path],
    cell_table: Path | None,
) -> Plan:
    places: dict[int, int] = {}
    kept: list[ExportSpec] = []
    known: dict[str, int] = {}
    for spec in {id(one.spec): one.spec for one in picked}.values():
        place = known.setdefault(spec.digest, len(kept))
        if place == len(kept):
            kept.append(spec)
        places[id(spec)] = place
    kept_values = KEPT_VALUES | caption_names(request)
    template = request.output.name or TEMPLATES[request.mode]
    fields_of(template)
    ending = FILE_ENDINGS[request.output.file_format]
    values = [{**one.values, "index": number} for number, one in enumerate(picked)]
    if request.gallery is not None:
        stems = [fill(request.gallery.name, {})] * len(picked)
    else:
        has_channel = "channel" in fields_of(template)
        suffixes = ["" if has_channel else one.suffix for one in picked]
        stems = distinct(fill(template, one, suffix) for one, suffix in zip(values, suffixes, strict=True))
    items = tuple(
        PlannedExport(
            number=number,
            name=one.name,
            path=f"{stem}{ending}",
            group=facts[one.source].source.key,
            document={
                "source": one.source,
                "spec": places[id(one.spec)],
                "window": None if one.window is None else list(one.window),
                "label": one.label,
                "values": {name: value for name, value in one.values.items() if name in kept_values},
                **({"error": list(one.error)} if one.error else {}),
                **({"shape": one.shape.model_dump(mode="json")} if one.shape and one.spec.shape else {}),
            },
        )
        for number, (one, stem) in enumerate(zip(picked, stems, strict=True))
    )
    return Plan(request, tuple(facts), tuple(kept), items, fingerprint(dict.fromkeys(tables)), cell_table)


def _opened(request: Request, open_file: OpenFile, source: Source) -> OpenSource:
    return OpenSource(source, open_file, t=request.t, z=request.z)


def distinct_fields(sources: Sequence[Source]) -> Iterator[Source]:
    """Yield fields of view with names that differ: a second ``FOV1``, of another folder, is ``<folder>_FOV1``."""
    taken: set[str] = set()
    for source in dict.fromkeys(sources):
        name = source.fov
        if name in taken:
            name = f"{source.path.parent.name}_{name}"
        number = 2
        while name in taken:
            name, number = f"{source.fov}_{number}", number + 1
        taken.add(name)
        yield source if name == source.fov else Source(name, source.path, source.image)
