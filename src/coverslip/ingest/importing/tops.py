"""Depositions and datasets of a layout."""

from collections.abc import Mapping
from dataclasses import dataclass

from coverslip.cryoet import layout
from coverslip.ingest.deposition import identities
from coverslip.ingest.importing.documents import Read
from coverslip.ingest.importing.found import Batch
from coverslip.ingest.importing.listing import Listing
from coverslip.ingest.importing.making import Maker
from coverslip.ingest.importing.places import Shelf
from coverslip.model.entities import EntitySeen


@dataclass(frozen=True, slots=True)
class Dataset:
    """What the runs of a dataset need to know of it."""

    name: str
    deposition: str
    """Empty where its document names none."""
    is_certain: bool
    """Whether that could be read."""


def make_deposition(listing: Listing, shelf: Shelf, reads: Mapping[str, Read], number: str) -> Batch:
    """Return a deposition with its photos."""
    maker = Maker(listing, shelf, reads, number)
    key = layout.document("deposition", shelf.folder)
    document = maker.document(key)
    if document is not None:
        identity = identities.deposition(number)
        maker.add(EntitySeen("deposition", identity, None, number, number, int(number), key, document))
        _photos(maker, identity, number)
    return maker.batch()


def make_dataset(
    listing: Listing, shelf: Shelf, reads: Mapping[str, Read], depositions: Mapping[str, Shelf]
) -> tuple[Batch, Dataset]:
    """Return a dataset with its photos, and what its runs need to know of it.

    A deposition that nothing in the layout describes is made with it, so that it has a place.
    """
    name = shelf.folder
    maker = Maker(listing, shelf, reads)
    key = layout.document("dataset", shelf.folder)
    if key not in reads and not listing.is_unlisted(key):
        maker.note(key, "incomplete", "the dataset has no document")
        maker.add(EntitySeen("dataset", identities.dataset(name), None, name, key=shelf.folder))
        return maker.batch(), Dataset(name, "", is_certain=True)
    if key not in reads:
        maker.note(key, "unknown", "nobody knows whether the dataset has a document")
        return maker.batch(), Dataset(name, "", is_certain=False)
    document = maker.document(key)
    if document is None:
        return maker.batch(), Dataset(name, "", is_certain=False)
    number = maker.number(document)
    parent = identities.deposition(number) if number else None
    if parent is not None and number not in depositions:
        folder = layout.deposition(number)
        if not listing.is_unlisted(folder):
            maker.note(layout.document("deposition", folder), "incomplete", f"deposition {number} has no document")
            maker.add(EntitySeen("deposition", parent, None, number, number, int(number), folder))
    identity = identities.dataset(name)
    maker.add(EntitySeen("dataset", identity, parent, name, number, None, key, document))
    _photos(maker, identity, number)
    return maker.batch(), Dataset(name, number, is_certain=True)


def _photos(maker: Maker, parent: str, deposition: str) -> None:
    """Make the pictures that the listing shows; what is in ``Images`` needs no mention."""
    for group in maker.shelf.groups.values():
        for key, place in group.files.items():
            stem = place.name.partition(".")[0]
            identity = f"{parent}/photos/{stem}"
            if identity not in maker.made:
                files = (maker.file(key),)
                maker.add(EntitySeen(place.type, identity, parent, stem, deposition, key=place.folder, files=files))
