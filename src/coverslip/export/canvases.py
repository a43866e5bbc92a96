"""The stitched maps that regions of interest are of, as sources of items."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from coverslip.errors import ExportError, MissingFieldError, OutsideImageError, UnreadableFileError
from coverslip.export.facts import SourceFacts
from coverslip.export.maps import StitchedMap, maps_beside
from coverslip.export.mosaics import Mosaic, Placed
from coverslip.export.sources import Source, fingerprint
from coverslip.export.stitched import map_metadata
from coverslip.model.export import ExportSpec
from coverslip.render.export import Window


class Canvases:
    """Maps, each made a source when it is asked for first.

    Parameters
    ----------
    place
        Where descriptors are looked for.
    facts
        The fields of view there are.
    """

    def __init__(self, place: Path, facts: Sequence[SourceFacts]) -> None:
        self._place, self._facts = place, facts
        self._fields = {one.source.fov: one for one in facts}
        self._maps: dict[str, StitchedMap] | None = None
        self._problems: tuple[str, ...] = ()
        self._places: dict[str, int] = {}
        self.added: list[SourceFacts] = []
        """Of maps; they follow the fields of view."""

    def place_of(self, map_id: str, region: str) -> int:
        """Return the place of a map among all sources.

        Raises
        ------
        MissingFieldError
            There is no such map.
        """
        if map_id in self._places:
            return self._places[map_id]
        if self._maps is None:
            found, self._problems = maps_beside(self._place)
            self._maps = dict(found)
        if map_id not in self._maps:
            there = ", ".join(list(self._maps)[:20]) or "none"
            said = "".join(f". {one}" for one in self._problems[:3])
            raise MissingFieldError(
                f"region {region!r} is of map {map_id!r}, which is not there; there are: {there}{said}", (map_id,)
            )
        self.added.append(self._facts_of(self._maps[map_id]))
        self._places[map_id] = len(self._facts) + len(self.added) - 1
        return self._places[map_id]

    def check(self, place: int, window: Window, spec: ExportSpec, region: str) -> None:
        """Refuse a region that cannot be shown whole: no part of a map is left out silently.

        Raises
        ------
        OutsideImageError
            It touches no field of view.
        MissingFieldError
            A field of view that it touches is not there.
        ExportError
            It asks for colours of single cells: cells of a map have no table.
        """
        source = self.added[place - len(self._facts)].source
        assert source.mosaic is not None
        touched = [one for one in source.mosaic.tiles if _touches(one, window)]
        if not touched:
            raise OutsideImageError(f"region {region!r} lies outside all fields of view of map {source.fov!r}")
        missing = [one.fov for one in touched if one.path is None]
        if missing:
            raise MissingFieldError(
                f"region {region!r} of map {source.fov!r} touches field of view {missing[0]!r}, which is not there",
                missing,
            )
        if spec.cells is not None:
            raise ExportError(f"region {region!r}: cells of a map have no colours of their own")

    def _facts_of(self, one: StitchedMap) -> SourceFacts:
        known = [self._fields[tile.fov] for tile in one.tiles if tile.fov in self._fields]
        seen: dict[str, Sequence[int]] = {}
        for facts in known:
            seen |= facts.fingerprint
        try:
            seen |= fingerprint([one.path])
        except UnreadableFileError as error:
            return SourceFacts(Source(one.map_id, one.path, one.number), {}, None, f"{type(error).__name__}: {error}")
        mosaic = _mosaic(one, self._fields)
        source = Source(one.map_id, one.path, one.number, mosaic)
        opened = [facts.metadata for facts in known if facts.metadata is not None]
        if not opened:
            said = f"MissingFieldError: map {one.map_id!r}: none of its fields of view can be opened"
            return SourceFacts(source, seen, None, said)
        return SourceFacts(source, seen, map_metadata(one.map_id, mosaic), masks=mosaic.masks)


def _mosaic(one: StitchedMap, fields: dict[str, SourceFacts]) -> Mosaic:
    tiles = []
    names: dict[str, None] = {}
    masks: dict[str, None] = {}
    types = []
    for tile in one.tiles:
        facts = fields.get(tile.fov)
        path, image = (None, 0) if facts is None else (facts.source.path, facts.source.image)
        tiles.append(Placed(tile.fov, path, image, tile.x, tile.y, tile.width, tile.height))
        if facts is not None and facts.metadata is not None:
            names |= dict.fromkeys(channel.name for channel in facts.metadata.channels)
            masks |= dict.fromkeys(facts.masks)
            types.append(np.dtype(facts.metadata.dtype))
    dtype = np.result_type(*types).name if types else "uint8"
    return Mosaic(tuple(tiles), one.width, one.height, one.pixel_um, tuple(names), tuple(masks), dtype)


def _touches(tile: Placed, window: Window) -> bool:
    across = window.x0 < tile.x + tile.width and tile.x < window.x1
    return across and window.y0 < tile.y + tile.height and tile.y < window.y1
