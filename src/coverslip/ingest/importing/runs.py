"""A run of a layout: documents and files -> its entities."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from coverslip.cryoet import layout
from coverslip.cryoet.alignment_path import normalised
from coverslip.cryoet.layout import Place
from coverslip.ingest.deposition import identities
from coverslip.ingest.importing.documents import Read, mappings, number_text, text
from coverslip.ingest.importing.found import Batch
from coverslip.ingest.importing.listing import Listing
from coverslip.ingest.importing.making import Maker
from coverslip.ingest.importing.places import Group, Shelf
from coverslip.ingest.importing.tops import Dataset
from coverslip.model.entities import EntityFile, EntitySeen

ALIGNMENTS = "Alignments"
VOLUMES = ("zarr", "mrc")
"""Formats of volumes, what is shown first."""
WORDS = {"tiltseries": "tilt series", "frame": "frames", "identified_object": "identified objects"}
"""What types are called in sentences."""
SEEN = ("tiltseries", "tomogram")
"""Types that are images."""
LONGEST_IDENTITY = 2000
"""Bytes; an index of PostgreSQL takes 2,700."""
CTF_FORMATS = ("CTFFIND", "Gctf", "IMOD")
Stated = Callable[[Mapping[str, Any]], Iterable[tuple[object, str]]]
"""The files that a document names, each with the shape it gives."""


def make_run(listing: Listing, shelf: Shelf, reads: Mapping[str, Read], dataset: Dataset, name: str) -> Batch:
    """Return a run with everything in it."""
    return _Run(Maker(listing, shelf, reads, dataset.deposition), dataset, name).make()


class _Run:
    def __init__(self, maker: Maker, dataset: Dataset, name: str) -> None:
        self.maker = maker
        self.shelf = maker.shelf
        self.dataset = dataset
        self.name = name
        self.identity = identities.run(identities.dataset(dataset.name), name)
        self.folder = maker.shelf.folder
        self.alignments = {key for group in maker.shelf.of_type("alignment") for key in group.documents}

    def make(self) -> Batch:
        self._run()
        for type_, stated in (("frame", _frames), ("identified_object", _no_files)):
            for group in self.shelf.of_type(type_):
                for key in group.documents[:1]:
                    self._described(group, key, self.identity, stated)
        for group in self.shelf.of_type("tiltseries"):
            self._tiltseries(group)
        for group in self.shelf.of_type("alignment"):
            for key in group.documents[:1]:
                self._described(group, key, self.identity, self._alignment_files)
        own = (self.identity, self.maker.deposition)
        self._loose("gain", lambda place: f"gains/{identities.part(place.name)}", f"{self.folder}/Gains", *own)
        self._loose("collection_metadata", lambda _place: "collection_metadata", f"{self.folder}/Frames", *own)
        for name, folder in sorted(self.shelf.spacings.items(), key=lambda pair: float(pair[0])):
            self._spacing(name, folder)
        return self.maker.batch()

    def _run(self) -> None:
        key = layout.document("run", self.folder)
        parent = identities.dataset(self.dataset.name)
        if key not in self.maker.reads:
            if self.maker.listing.is_unlisted(key):
                self.maker.note(key, "unknown", "nobody knows whether the run has a document")
            else:
                self.maker.note(key, "incomplete", "the run has no document")
                self.maker.add(EntitySeen("run", self.identity, parent, self.name, self.maker.deposition))
            return
        document = self.maker.document(key)
        number = None if document is None else self._deposition(document, key)
        if document is not None and number is not None:
            self.maker.deposition = number
            self.maker.add(EntitySeen("run", self.identity, parent, self.name, number, None, key, document))

    def _deposition(self, document: Mapping[str, Any], key: str) -> str | None:
        """Return the deposition of a document; ``None``, which is noted, where nobody knows it."""
        number = self.maker.number(document)
        if not number and not self.dataset.is_certain:
            self.maker.note(key, "held", "it names no deposition, and that of its dataset is unknown")
            return None
        return number

    def _described(self, group: Group, key: str, parent: str, stated: Stated) -> EntitySeen | None:
        """Make an entity by its document; ``None`` where that is unknown or broken, which is noted."""
        document = self.maker.document(key)
        number = None if document is None else self._deposition(document, key)
        if document is None or number is None:
            return None
        place = replace(group.place, part="document")
        identity = self._identity(place, key, parent, document, number)
        if len(identity.encode()) > LONGEST_IDENTITY:
            self.maker.note(key, "broken", "what tells it apart from others is longer than anything real")
            return None
        alignment = self._aligned(document, key) if place.spacing else key if place.type == "alignment" else ""
        is_annotation = place.type == "annotation"
        name = text(document.get("annotation_ingest_id")) if is_annotation else self.name
        name = name or key.rpartition("/")[2].removesuffix(".json")
        what = f"the {WORDS.get(place.type, place.type)} {'' if is_annotation else 'of '}{name}"
        files = self.maker.files(group, stated(document), what, others=not is_annotation)
        if self.maker.are_unknown:
            self.maker.note(key, "held", f"nobody knows which files of {what} are there")
            return None
        return self.maker.add(
            EntitySeen(
                type=place.type,
                identity=identity,
                parent=parent,
                name=name,
                deposition=number,
                number=place.number,
                key=key,
                document=document,
                files=files,
                missing=tuple(self.maker.not_there),
                alignment=alignment,
                image_key=_image(files) if place.type in SEEN else "",
            )
        )

    def _identity(self, place: Place, key: str, parent: str, document: Mapping[str, Any], number: str) -> str:
        """Return the identity that an ingest gives; what has no numbered folder may be called by its file."""
        if place.number is not None or place.type not in layout.CONTAINERS:
            return identities.of_document(place, document) or self.identity
        ingest_id = text(document.get("annotation_ingest_id"))
        if not number_text(document.get("deposition_id")) or (place.type == "annotation" and not ingest_id):
            stem = identities.part(key.rpartition("/")[2].removesuffix(".json"))
            return f"{parent}/{identities.PARENTS[place.type]}/@{stem}"
        alignment = identities.alignment_name(document.get("alignment_metadata_path"))
        if place.type == "tomogram":
            return identities.tomogram(parent, document, alignment, number)
        if place.type == "annotation":
            return identities.annotation(parent, number, ingest_id, alignment)
        return identities.of_run(parent, place.type, number)

    def _loose(self, type_: str, named: Callable[[Place], str], folder: str, parent: str, deposition: str) -> None:
        """Make what is files without a document: of one name, one entity."""
        group = self.shelf.groups.get((type_, folder))
        found: dict[str, list[str]] = {}
        for key, place in group.files.items() if group else ():
            found.setdefault(f"{parent}/{named(place)}", []).append(key)
        for identity, keys in found.items():
            files = tuple(self.maker.file(key) for key in keys)
            name = keys[0].rpartition("/")[2]
            self.maker.add(EntitySeen(type_, identity, parent, name, deposition, key=folder, files=files))

    def _tiltseries(self, group: Group) -> None:
        for key in group.documents[:1]:
            one = self._described(group, key, self.identity, _volumes)
            if one is not None:
                own = (group.place.folder, one.identity, one.deposition)
                self._loose("rawtilt", lambda _place: "rawtilt", *own)
                self._loose("ctf", lambda place: f"ctf/{_ctf_format(place.name)}", *own)

    def _alignment_files(self, document: Mapping[str, Any]) -> Iterator[tuple[object, str]]:
        """Yield what an alignment names, each key once: some documents write it with the name of the bucket too."""
        listed = document.get("files")
        single = [document.get(name) for name in ("alignment_path", "tilt_path", "tiltx_path")]
        met: set[str] = set()
        for named in (*(listed if isinstance(listed, list) else ()), *single):
            path = text(named)
            at = f"/{path}".find(f"/{self.folder}/")
            key = path[at:] if at >= 0 else path
            if key not in met:
                met.add(key)
                yield path, ""

    def _spacing(self, name: str, folder: str) -> None:
        identity = identities.spacing(self.identity, name)
        self.maker.add(EntitySeen("voxel_spacing", identity, self.identity, name, self.maker.deposition, key=folder))
        for group in self.shelf.of_type("tomogram"):
            for key in group.documents[:1]:
                if group.place.spacing == name and (one := self._described(group, key, identity, _volumes)):
                    self._photos(one)
        for group in self.shelf.of_type("annotation"):
            if group.place.spacing == name and (document := self._annotation_document(group)):
                self._described(group, document, identity, _shapes)

    def _photos(self, tomogram: EntitySeen) -> None:
        """Let the pictures of a tomogram belong to it; they are made of it and its annotations."""
        for group in self.shelf.of_type("key_image"):
            if group.place.number == tomogram.number:
                self.maker.mentioned |= set(group.files)

    def _annotation_document(self, group: Group) -> str | None:
        """Return which JSON file of a folder is the annotation's document; they are told apart by what they say.

        Where one could not be read, it may have been that: nobody knows then.
        """
        reads = [self.maker.reads[key] for key in group.documents]
        bad = [read.key for read in reads if read.problem is not None]
        for key in bad:
            self.maker.document(key)
        found = [read for read in reads if _describes_annotation(read.value)]
        if bad or not found:
            return None
        newest = max(found, key=lambda read: (_time(read.value), read.key))
        for other in found:
            if other is not newest:
                self.maker.mentioned.add(other.key)
                self.maker.note(other.key, "duplicate", f"an older document of the annotation in {newest.key}")
        for read in reads:
            if read not in found and read.key not in self.maker.mentioned:
                self.maker.note(read.key, "unmentioned", "it is no document of an annotation")
        return newest.key

    def _aligned(self, document: Mapping[str, Any], key: str) -> str:
        """Return the key of the alignment that a document names; empty where it names none."""
        named = text(document.get("alignment_metadata_path"))
        found = normalised(named, str(self.maker.listing.root))
        if re.fullmatch(rf"{re.escape(self.folder)}/{ALIGNMENTS}(/[0-9]+)?", found):
            found = layout.below(found, layout.DOCUMENTS["alignment"])
        if named and found not in self.alignments and not self.maker.listing.is_unlisted(found or self.folder):
            self.maker.note(key, "unlinked", f"it names the alignment {named[:200]!r}, which is not there")
        return found


def _frames(document: Mapping[str, Any]) -> Iterator[tuple[object, str]]:
    yield from ((one.get("path"), "") for one in mappings(document.get("frames")))


def _no_files(_document: Mapping[str, Any]) -> Iterator[tuple[object, str]]:
    yield from ()


def _volumes(document: Mapping[str, Any]) -> Iterator[tuple[object, str]]:
    yield from ((document.get(name), "") for name in ("omezarr_dir", "mrc_file"))


def _shapes(document: Mapping[str, Any]) -> Iterator[tuple[object, str]]:
    yield from ((one.get("path"), text(one.get("shape"))) for one in mappings(document.get("files")))


def _ctf_format(name: str) -> str:
    """Return which program wrote a CTF file, by its name."""
    found = re.search(r"_([A-Za-z0-9]+)_ctf\.txt$", name)
    said = found[1] if found else ""
    return next((one for one in CTF_FORMATS if one.lower() == said.lower()), identities.part(said))


def _image(files: tuple[EntityFile, ...]) -> str:
    """Return the key of what people see: the OME-Zarr, otherwise the MRC."""
    return next((file.key for kind in VOLUMES for file in files if file.format == kind), "")


def _describes_annotation(value: object) -> bool:
    return isinstance(value, dict) and ("annotation_object" in value or "annotation_method" in value)


def _time(document: Mapping[str, Any]) -> float:
    time = document.get("last_updated_at")
    return float(time) if isinstance(time, int | float) and not isinstance(time, bool) and abs(time) < 1e18 else 0.0
