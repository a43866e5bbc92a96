"""What is known of fields of view and of this software when a job is planned."""

from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from coverslip.errors import CoverslipError, NotFoundError
from coverslip.export.opened import OpenSource
from coverslip.export.request import Request
from coverslip.export.sources import OpenFile, Source, annotation_file, fingerprint
from coverslip.model import ImageMetadata

PACKAGES = ("coverslip", "numpy", "opencv-python-headless", "imagecodecs", "tifffile", "zarr")
"""Whose versions are noted: another one may encode the same pixels as other bytes."""


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """A field of view as it was when the job was planned."""

    source: Source
    fingerprint: Mapping[str, Sequence[int]]
    """Size and time of the last change, in nanoseconds, of every file."""
    metadata: ImageMetadata | None
    """``None`` where it could not be opened: its items fail, unless it can be when their turn comes."""
    error: str | None = None
    masks: tuple[str, ...] = ()
    before: tuple[Mapping[str, Any], ...] = ()
    """What it was when items were drawn, before it was repaired: ``fingerprint`` and the numbers of these ``items``."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """Its files."""
        return tuple(map(Path, self.fingerprint))

    @property
    def pixel_um(self) -> tuple[float, float] | None:
        """Height and width of a pixel in micrometres; ``None`` where they are not known."""
        if self.source.pixel_um is not None:
            return self.source.pixel_um, self.source.pixel_um
        if self.metadata is None:
            return None
        x, y, _ = self.metadata.get_voxel_size_micrometers()
        return None if x is None or y is None else (y, x)

    @property
    def document(self) -> dict[str, Any]:
        """All of it but the metadata, as JSON."""
        found = {
            "fov": self.source.fov,
            "path": str(self.source.path),
            "image": self.source.image,
            "fingerprint": {path: list(seen) for path, seen in self.fingerprint.items()},
        }
        found |= {} if self.source.pixel_um is None else {"pixel_um": self.source.pixel_um}
        found |= {} if self.source.mosaic is None else {"mosaic": self.source.mosaic.document}
        found |= {"before": [dict(one) for one in self.before]} if self.before else {}
        return found | ({"error": self.error} if self.error else {})


def facts_of(source: Source, open_file: OpenFile, annotation: str | None = None) -> SourceFacts:
    """Return what a field of view is like; one that cannot be opened says why instead.

    Parameters
    ----------
    source
        Which.
    open_file
        Opens it.
    annotation
        Name of the annotation that is shown; its file is looked at too.
    """
    try:
        with closing(OpenSource(source, open_file)) as opened:
            meta = opened.metadata.model_copy(update={"vendor": {}})
            files = [path for path in opened.files() if not path.is_dir()] or list(opened.files())
            masks = tuple(opened.masks)
        if annotation is not None:
            with suppress(NotFoundError):  # the items say so, each for itself
                files.append(annotation_file(source, annotation))
        return SourceFacts(source, fingerprint(files), meta, masks=masks)
    except CoverslipError as error:
        return SourceFacts(source, {}, None, f"{type(error).__name__}: {error}")


def with_pixel_size(facts: SourceFacts, request: Request) -> SourceFacts:
    """Return a field of view with the size of a pixel that a request states, where that counts.

    It counts for images that do not say it; where the request forces it, for all.
    """
    if request.pixel_um is None or (facts.pixel_um is not None and not request.force_pixel_um):
        return facts
    return replace(facts, source=replace(facts.source, pixel_um=request.pixel_um))


def table_path(request: Request, facts: Sequence[SourceFacts]) -> Path:
    """Return the cell table of a request: the one it names, or the one beside its fields of view.

    Raises
    ------
    NotFoundError
        There is none.
    """
    if request.cells.table is not None:
        return request.cells.table
    for one in facts:
        if one.metadata is not None and one.metadata.table is not None:
            return Path(one.metadata.table.path)
    raise NotFoundError("there is no cell table beside the fields of view; name one")


def software() -> dict[str, str]:
    """Return the versions of what draws and encodes."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
