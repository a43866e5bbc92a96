"""The kinds of artifact there are. A new one is a class and a line in ``KINDS``; a changed recipe is a new version."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from coverslip.catalog import Catalog
from coverslip.model import CanRead, RenderSpec
from coverslip.model.records import ImageRecord
from coverslip.render import draw, encode

THUMBNAIL = RenderSpec(width=256, height=256, low=1.0, high=99.0)
"""Spelled out, because new defaults would change the recipe without changing its version."""

OpenSource = Callable[[], AbstractContextManager[CanRead]]
"""Opens the image an artifact is made from; raises a ``CoverslipError`` when that is impossible. Between two reads
a build may be given up, so a kind reads in pieces, not all at once."""


class Kind(Protocol):
    """A recipe: one image in, the bytes of one file out. The same pixels must always give the same bytes."""

    @property
    def name(self) -> str:
        """First part of the key of everything this kind makes."""
        ...

    @property
    def version(self) -> int:
        """Version of the recipe; artifacts of another version are stale."""
        ...

    @property
    def media_type(self) -> str:
        """Media type of the bytes."""
        ...

    @property
    def suffix(self) -> str:
        """Ending of the key, with the dot."""
        ...

    def build(self, record: ImageRecord, open_source: OpenSource) -> bytes:
        """Return the artifact.

        Parameters
        ----------
        record
            The image as the catalog knows it.
        open_source
            Opens its pixels.

        Raises
        ------
        CoverslipError
            With a sentence that says why it cannot be made. Anything else counts as a failure too.
        """
        ...


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """The picture in lists: middle time point, projected over z, in channel colours, 1st to 99th percentile."""

    name: str = "thumbnail"
    version: int = 1
    media_type: str = "image/png"
    suffix: str = ".png"
    spec: RenderSpec = THUMBNAIL

    def build(self, record: ImageRecord, open_source: OpenSource) -> bytes:
        """Return the picture as PNG."""
        with open_source() as image:
            return encode(draw(image, self.spec), self.media_type)


KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in (Thumbnail(),)})
"""All kinds by name."""

VERSIONS: Mapping[str, int] = MappingProxyType({kind.name: kind.version for kind in KINDS.values()})
"""The present recipe version of every kind."""


def open_catalog(url: str) -> Catalog:
    """Return the catalog at an address, whose images have the artifacts of all kinds.

    Raises
    ------
    CatalogError
        It cannot be reached or written, is of another program, or was written by a newer Coverslip.
    """
    return Catalog.open(url, versions=VERSIONS)
