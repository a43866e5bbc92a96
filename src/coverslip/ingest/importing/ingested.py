"""What an import finds as an ingest left it is described as the ingest did: neither undoes the other."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from coverslip.catalog import Catalog
from coverslip.errors import CoverslipError
from coverslip.ingest.deposition.marks import by_output, mark_of
from coverslip.ingest.deposition.noted import Noted
from coverslip.model.entities import EntityFile, EntityRecord, EntitySeen
from coverslip.storage import open_storage


def as_ingested(
    catalog: Catalog, layout: str, folder: str, seen: Iterable[EntitySeen], known: Mapping[str, EntityRecord]
) -> list[EntitySeen]:
    """Return entities, those that an ingest wrote as it described them where the files are as it left them.

    Parameters
    ----------
    catalog
        Remembers what ingests did.
    layout
        As the catalog calls it.
    folder
        Place of the run, dataset or deposition that the entities belong to.
    seen
        As the listing and the documents describe them.
    known
        What the catalog has, by identity.
    """
    found = list(seen)
    noted = _noted(catalog, layout, found)
    if not noted:
        return found
    try:
        objects = by_output(open_storage(layout).list(folder))
    except CoverslipError:
        return found  # as it was listed before; who knows less changes less
    same = {
        key: (version, one.shape)
        for one in noted.values()
        for key, version in one.outputs.items()
        if one.marks.get(key) and one.marks[key] == mark_of(key, objects.get(key, []))
    }
    ingested = {name.partition("#")[0] for name in noted}
    ours = ingested & known.keys()
    return [_described(one, known[one.identity], same) if one.identity in ours else one for one in found]


def _noted(catalog: Catalog, layout: str, seen: Iterable[EntitySeen]) -> dict[str, Noted]:
    every = [one.identity for one in seen]
    tops = {one for one in every if not any(one.startswith(f"{other}/") for other in every)}
    records = {
        name: record
        for top in tops
        for mark in ("#", "/")
        for name, record in catalog.steps(layout, f"{top}{mark}").items()
    }
    return {name: one for name, record in records.items() if (one := Noted.of(record)) is not None}


def _described(one: EntitySeen, before: EntityRecord, same: Mapping[str, tuple[str, str]]) -> EntitySeen:
    files = [
        replace(file, version=same[file.key][0], shape=same[file.key][1] or file.shape) if file.key in same else file
        for file in one.files
    ]
    outside = [file for file in before.files if _is_outside(file)]
    every = tuple(sorted([*files, *outside], key=lambda file: file.key))
    return replace(one, files=every, name=before.name, number=before.number)


def _is_outside(file: EntityFile) -> bool:
    """Return whether a file lies outside of the layout, such as the mesh that is shown at oriented points."""
    return file.key.startswith("/") or "://" in file.key
