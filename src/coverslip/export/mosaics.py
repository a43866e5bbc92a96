"""What a stitched map is made of, as it was when its job was planned: frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Placed:
    """A field of view on a stitched map."""

    fov: str
    path: Path | None
    """``None`` where there is no such field of view."""
    image: int
    x: int
    """Column of its first pixel on the map."""
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Mosaic:
    """What a stitched map is made of."""

    tiles: tuple[Placed, ...]
    """Later ones lie over earlier ones."""
    width: int
    height: int
    pixel_um: float
    channels: tuple[str, ...]
    """Those that any of its fields of view has."""
    masks: tuple[str, ...]
    dtype: str
    """NumPy name of a type that holds the pixels of all."""

    @property
    def document(self) -> dict[str, Any]:
        """All of it as JSON."""
        tiles = [
            [one.fov, None if one.path is None else str(one.path), one.image, one.x, one.y, one.width, one.height]
            for one in self.tiles
        ]
        sizes = {"width": self.width, "height": self.height, "pixel_um": self.pixel_um}
        return {
            "tiles": tiles,
            **sizes,
            "channels": list(self.channels),
            "masks": list(self.masks),
            "dtype": self.dtype,
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Mosaic":
        """Return what a document stands for; raises KeyError, TypeError or ValueError where it is none."""
        tiles = tuple(
            Placed(str(fov), None if path is None else Path(path), int(image), int(x), int(y), int(width), int(height))
            for fov, path, image, x, y, width, height in document["tiles"]
        )
        width, height, pixel = int(document["width"]), int(document["height"]), float(document["pixel_um"])
        names = tuple(map(str, document["channels"])), tuple(map(str, document["masks"]))
        return cls(tiles, width, height, pixel, *names, str(document["dtype"]))
