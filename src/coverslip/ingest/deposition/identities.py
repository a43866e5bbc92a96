"""What entities are called for good: by what is said of them, never by their number.

::

    depositions/10301
    datasets/30001
    datasets/30001/runs/RUN1
    {run}/frames    {run}/collection_metadata    {run}/gains/{name}
    {run}/tiltseries/{deposition}
    {tilt series}/rawtilt    {tilt series}/ctf/{format}
    {run}/alignments/{deposition}
    {run}/identified_objects/{deposition}
    {run}/spacings/13.480
    {spacing}/tomograms/{alignment},{reconstruction method},{processing},{its software},{deposition}
    {spacing}/annotations/{deposition}/{annotation_ingest_id}/{alignment}
    {deposition or dataset}/photos/{snapshot or thumbnail}

An alignment is called by the number of its folder, which lies in the same run and is never given to another.
"""

import re
from collections.abc import Mapping
from typing import Any

from coverslip.cryoet import layout

_ODD = re.compile(r"[%/,#\x00-\x1f\x7f]")
_ALIGNMENT = re.compile(r"(?:^|/)Alignments/([1-9][0-9]{0,8})/alignment_metadata\.json$")
PARENTS = {"tiltseries": "tiltseries", "alignment": "alignments", "tomogram": "tomograms", "annotation": "annotations"}


def part(value: object) -> str:
    """Return a value as one part of an identity: what parts are told apart by is written as in an address."""
    return _ODD.sub(lambda match: f"%{ord(match[0]):02X}", "" if value is None else str(value))


def deposition(number: object) -> str:
    """Return the identity of a deposition."""
    return f"depositions/{part(number)}"


def dataset(name: str) -> str:
    """Return the identity of a dataset."""
    return f"datasets/{part(name)}"


def run(dataset_identity: str, name: str) -> str:
    """Return the identity of a run."""
    return f"{dataset_identity}/runs/{part(name)}"


def spacing(run_identity: str, spacing_text: str) -> str:
    """Return the identity of a voxel spacing, given with three decimals."""
    return f"{run_identity}/spacings/{part(spacing_text)}"


def of_run(run_identity: str, kind: str, deposition_number: object) -> str:
    """Return the identity of what a run has once from each deposition: tilt series, alignment, identified objects."""
    folder = {"identified_object": "identified_objects"}.get(kind) or PARENTS[kind]
    return f"{run_identity}/{folder}/{part(deposition_number)}"


def tomogram(spacing_identity: str, metadata: Mapping[str, Any], alignment: str, deposition_number: object) -> str:
    """Return the identity of a tomogram.

    Parameters
    ----------
    metadata
        ``reconstruction_method``, ``processing`` and ``processing_software`` count.
    alignment
        See ``alignment_name``.
    """
    said = [metadata.get(key) for key in ("reconstruction_method", "processing", "processing_software")]
    return f"{spacing_identity}/tomograms/{','.join(part(one) for one in (alignment, *said, deposition_number))}"


def annotation(spacing_identity: str, deposition_number: object, ingest_id: str, alignment: str) -> str:
    """Return the identity of an annotation."""
    return f"{spacing_identity}/annotations/{part(deposition_number)}/{part(ingest_id)}/{part(alignment)}"


def unnamed(parent_identity: str, kind: str, number: int) -> str:
    """Return the identity of what lies in a numbered folder and says too little of itself."""
    return f"{parent_identity}/{PARENTS[kind]}/@{number}"


def alignment_name(path: object) -> str:
    """Return what the path of an alignment's document calls it: the number of its folder.

    Documents give the path with or without a bucket or an address before it. One that is not of this layout is its own
    name; nothing is none.
    """
    text = path if isinstance(path, str) else ""
    found = _ALIGNMENT.search(text)
    return found[1] if found else text


def run_of(place: layout.Place) -> str:
    """Return the identity of the run in which something lies."""
    return run(dataset(place.dataset), place.run)


def of_document(place: layout.Place, document: Mapping[str, Any]) -> str | None:
    """Return the identity of an entity by its metadata document, ``None`` where the place is that of no document."""
    if place.part != "document":
        return None
    if place.number is not None:
        return _numbered(place, place.number, document)
    if place.type in ("deposition", "dataset"):
        return deposition(place.deposition) if place.type == "deposition" else dataset(place.dataset)
    own = run_of(place)
    if place.type == "identified_object":
        return of_run(own, place.type, document.get("deposition_id"))
    return f"{own}/frames" if place.type == "frame" else own


def _numbered(place: layout.Place, number: int, document: Mapping[str, Any]) -> str:
    parent = spacing(run_of(place), place.spacing) if place.spacing else run_of(place)
    alignment = alignment_name(document.get("alignment_metadata_path"))
    owner, ingest_id = document.get("deposition_id"), document.get("annotation_ingest_id")
    if owner is None or (place.type == "annotation" and not ingest_id):
        return unnamed(parent, place.type, number)
    if place.type == "tomogram":
        return tomogram(parent, document, alignment, owner)
    if place.type == "annotation":
        return annotation(parent, owner, str(ingest_id), alignment)
    return of_run(parent, place.type, owner)
