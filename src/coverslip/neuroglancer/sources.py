"""Where Neuroglancer reads what a state shows: on the server that made it, or in a bucket that it is published in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from coverslip.neuroglancer.scene import AnnotationLayer, Scene

ORIGIN = "coverslip://"
"""Stands for scheme, host and port of the server, which a state does not know; see ``state.with_origin``."""

PUBLISHED_SUFFIXES: Mapping[str, str] = {
    "semanticsegmentationmask": "segmentationmask",
    "triangularmeshgroup": "triangularmesh",
}
"""What a layout calls shapes that it does not tell from others."""


class Sources(Protocol):
    """The addresses of what a state shows, as Neuroglancer takes them: ``zarr://...``, ``precomputed://...``.

    ``None`` says that there is nothing of the kind there.
    """

    @property
    def axes(self) -> Sequence[str]:
        """The axes of the image of a tomogram in their order there, as Neuroglancer names them."""
        ...

    def image(self, scene: Scene) -> str:
        """Return the address of the image itself as OME-Zarr."""
        ...

    def annotation(self, layer: AnnotationLayer, suffix: str) -> str:
        """Return the address of one precomputed form of an annotation: ``orientedpoint``, ``orientedmesh`` ..."""
        ...

    def labels(self, scene: Scene, name: str) -> str | None:
        """Return the address of a label image."""
        ...

    def label_properties(self, scene: Scene, name: str) -> str | None:
        """Return the address of the segment properties of a label image."""
        ...

    def marks(self, scene: Scene, track: str, kind: str) -> str | None:
        """Return the address of what people marked, of one track and one type of annotation (``point`` ...)."""
        ...

    def cells(self, scene: Scene, name: str) -> str | None:
        """Return the address of the cells of a table, as points."""
        ...


@dataclass(frozen=True, slots=True)
class Served:
    """Addresses on our own server, whose origin is filled in when the state goes out."""

    origin: str = ORIGIN

    @property
    def axes(self) -> Sequence[str]:
        """All that an image has here; channels are an axis of the layer's own, which an apostrophe says."""
        return ("t", "c'", "z", "y", "x")

    def image(self, scene: Scene) -> str:
        """Return the image as OME-Zarr: 0.4 of tomograms, which is what their layout has, and 0.5 of others."""
        return f"zarr2://{self._of(scene)}/zarr04" if scene.tomogram else f"zarr3://{self._of(scene)}/zarr"

    def annotation(self, layer: AnnotationLayer, suffix: str) -> str:
        """Return the precomputed artifact of the annotation."""
        return f"precomputed://{self.origin}/api/entities/{layer.number}/precomputed/{suffix}"

    def labels(self, scene: Scene, name: str) -> str | None:
        """Return the label image below the image."""
        return f"zarr3://{self._of(scene)}/zarr/labels/{quote(name, safe='')}"

    def label_properties(self, scene: Scene, name: str) -> str | None:
        """Return the segment properties made of the cell table."""
        return f"precomputed://{self._of(scene)}/labels/{quote(name, safe='')}/properties"

    def marks(self, scene: Scene, track: str, kind: str) -> str | None:
        """Return the precomputed annotations of a track."""
        return f"precomputed://{self._of(scene)}/annotations/{quote(track, safe='')}/precomputed/{kind}"

    def cells(self, scene: Scene, name: str) -> str | None:
        """Return the precomputed points of the cells."""
        return f"precomputed://{self._of(scene)}/cells/{quote(name, safe='')}/precomputed"

    def _of(self, scene: Scene) -> str:
        return f"{self.origin}/api/images/{quote(scene.image_id, safe='')}"


@dataclass(frozen=True, slots=True)
class Published:
    """Addresses in a published layout: tomograms and precomputed annotations of depositions, nothing else.

    Parameters
    ----------
    top
        ``https`` address of the top of the layout, with or without a slash at the end.
    """

    top: str

    @property
    def axes(self) -> Sequence[str]:
        """Those of space."""
        return ("x", "y", "z")

    def image(self, scene: Scene) -> str:
        """Return the tomogram's OME-Zarr."""
        return f"zarr://{self.below(scene.tomogram.key if scene.tomogram else '')}"

    def annotation(self, layer: AnnotationLayer, suffix: str) -> str:
        """Return the precomputed folder ``{id}-{slug}-{version}_{suffix}``, with the suffixes that layouts have."""
        return f"precomputed://{self.below(layer.key)}_{PUBLISHED_SUFFIXES.get(suffix, suffix)}"

    def labels(self, scene: Scene, name: str) -> str | None:
        """Return ``None``: a layout of depositions has no label images."""
        return None

    def label_properties(self, scene: Scene, name: str) -> str | None:
        """Return ``None``, as ``labels``."""
        return None

    def marks(self, scene: Scene, track: str, kind: str) -> str | None:
        """Return ``None``: what people marked is in the state itself."""
        return None

    def cells(self, scene: Scene, name: str) -> str | None:
        """Return ``None``, as ``labels``."""
        return None

    def below(self, key: str) -> str:
        """Return the address of a key."""
        return f"{self.top.rstrip('/')}/{quote(key)}"
