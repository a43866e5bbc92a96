"""The kinds of artifact there are. A new one is a line in ``ALWAYS`` or ``ON_DEMAND``, a new recipe a new version."""

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

MIP = RenderSpec(width=512, height=512, low=1.0, high=99.0, projection="max")
"""The maximum projection as ``/mip`` shows it; along Y and X there is one each."""
MULTIVIEW = RenderSpec(width=768, height=256, low=1.0, high=99.0, layout="multiview")
"""The views along Z, Y and X as ``/multiview`` shows them."""

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
class Drawn:
    """A picture of one image."""

    name: str
    spec: RenderSpec
    """What it shows; a request for just this is answered with the artifact."""
    version: int = 1
    media_type: str = "image/png"
    suffix: str = ".png"

    def build(self, record: ImageRecord, open_source: OpenSource) -> bytes:
        """Return the picture as PNG."""
        with open_source() as image:
            return encode(draw(image, self.spec), self.media_type)


ALWAYS: tuple[Drawn, ...] = (Drawn("thumbnail", THUMBNAIL),)
"""What every image has: the picture in lists (middle time point, projected, in channel colours)."""

ON_DEMAND: tuple[Drawn, ...] = (
    Drawn("mip", MIP),
    Drawn("mip-y", MIP.model_copy(update={"axis": 1})),
    Drawn("mip-x", MIP.model_copy(update={"axis": 2})),
    Drawn("multiview", MULTIVIEW),
)
"""What an image has once somebody has asked for it, kept fresh from then on."""

KINDS: Mapping[str, Drawn] = MappingProxyType({kind.name: kind for kind in (*ALWAYS, *ON_DEMAND)})
"""All kinds by name."""

VERSIONS: Mapping[str, int] = MappingProxyType({kind.name: kind.version for kind in KINDS.values()})
"""The present recipe version of every kind."""

BY_CHOICE: Mapping[str, str] = MappingProxyType({kind.spec.digest: kind.name for kind in KINDS.values()})
"""The kind that is just what a request asks for, by the digest of its choice."""


def open_catalog(url: str) -> Catalog:
    """Return the catalog at an address, whose images have the artifacts of all kinds that every image has.

    Raises
    ------
    CatalogError
        It cannot be reached or written, is of another program, or was written by a newer Coverslip.
    """
    return Catalog.open(url, versions={kind.name: kind.version for kind in ALWAYS})
