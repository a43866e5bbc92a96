"""Looking at one image in a notebook: channels, slices, time points, outlines, near and far."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import traitlets
from numpy.typing import NDArray

from coverslip.errors import CoverslipError, InvalidRequestError, RegionError
from coverslip.export.request import make
from coverslip.export.sources import OpenFile
from coverslip.model import CanRead
from coverslip.notebook.panel import Panel, in_words, page_module
from coverslip.notebook.tiles import SIDE, Look, Tiled
from coverslip.readers import open_image
from coverslip.render import encode

MOST_TILES = 256
"""Tiles of one message of a page: a screen of 4K has 160."""


class Viewer(Panel):
    """An image of any size: channels with colour and contrast, slices, time points, outlines of masks.

    A page asks for the tiles it shows; each is drawn here, and of a pyramid only the level that is enough is read.

    Parameters
    ----------
    image
        A file, a folder of a field of view, an OME-Zarr, or an open image.
    index
        Which image of a file with several.
    look
        Fields of ``tiles.Look`` to begin with.
    open_file
        Opens image files.

    Raises
    ------
    CoverslipError
        It cannot be opened.
    """

    _esm = page_module("common.js", "viewer.js")
    _css = page_module("style.css")

    facts = traitlets.Dict().tag(sync=True)
    """Name, size, channels, masks and pixel size of the image; rows and columns of a tile; how many halvings."""
    look = traitlets.Dict().tag(sync=True)
    """What is shown; see ``tiles.Look``."""
    ranges = traitlets.Dict().tag(sync=True)
    """Grey levels of each channel, by its index as text: ``min``, ``max``, ``low``, ``high``."""
    view = traitlets.Dict().tag(sync=True)
    """Where a page looks: ``x``, ``y`` of the middle in pixels of the image, and ``scale``; empty shows everything."""
    problem = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        image: str | PathLike[str] | CanRead,
        *,
        index: int = 0,
        look: Mapping[str, Any] | None = None,
        open_file: OpenFile = open_image,
    ) -> None:
        with ExitStack() as stack:  # closes the file where something is wrong
            found = _opened(image, index, open_file, stack) if isinstance(image, str | PathLike) else image
            self._tiled = Tiled(found, getattr(found, "labels", ()))
            first = self._tiled.first_look()
            self._look = first if look is None else make(Look, {**first.model_dump(), **look}, "the look")
            self._stack = stack.pop_all()
        chosen = look is not None and "channels" in look
        self._without_limits = set() if chosen else {one.index for one in self._look.channels}
        """Channels whose contrast nobody has chosen or measured yet."""
        super().__init__(facts=self._facts(), look=self._look.model_dump(mode="json"))
        self.observe(self._take_look, "look")
        self._desk.do("ranges", self._measure)

    def show(self, channel: int | str, **how: Any) -> None:
        """Change how a channel is shown: ``color``, ``low``, ``high``, ``visible``.

        Raises
        ------
        InvalidRequestError
            There is no such channel, or it cannot be shown so.
        """
        names = [one.name for one in self._tiled.metadata.channels]
        at = names.index(channel) if isinstance(channel, str) and channel in names else channel
        if not any(one.index == at for one in self._look.channels):
            raise InvalidRequestError(f"there is no channel {channel!r}; there are: {', '.join(names[:50])}")
        if {"low", "high"} & set(how):
            self._without_limits.discard(int(at))
        self._change(channels=[{**one.model_dump(), **(how if one.index == at else {})} for one in self._look.channels])

    def go(self, *, t: int | None = None, z: int | None = None) -> None:
        """Look at another time point or slice, counted from 0.

        Raises
        ------
        RegionError
            There is none.
        """
        meta = self._tiled.metadata
        chosen = {"t": self._look.t if t is None else t, "z": self._look.z if z is None else z}
        if not (0 <= chosen["t"] < meta.size_t and 0 <= chosen["z"] < meta.size_z):
            raise RegionError(f"there are {meta.size_t} time points and {meta.size_z} slices, counted from 0")
        self._change(**chosen)

    def tile(self, k: int, x: int, y: int) -> NDArray[np.uint8]:
        """Return a tile as it is shown: uint8 of shape Y, X, 3; one pixel is ``2**k`` pixels of the image.

        Raises
        ------
        RegionError
            There is none.
        ReadError
            The file does not give its pixels.
        """
        return self._tiled.draw(k, x, y, self._look)

    def _let_go(self) -> None:
        self._stack.close()

    def _facts(self) -> dict[str, Any]:
        meta = self._tiled.metadata
        x, y, z = meta.get_voxel_size_micrometers()
        return {
            "name": meta.name,
            "format": meta.file_format,
            "dtype": meta.dtype,
            "size": [meta.size_x, meta.size_y],
            "size_t": meta.size_t,
            "size_z": meta.size_z,
            "is_color": meta.samples >= 3,
            "channels": [one.name for one in meta.channels],
            "pixel_um": [x, y, z],
            "side": SIDE,
            "zooms": self._tiled.zooms,
        }

    def _change(self, **values: Any) -> None:
        self._look = make(Look, {**self._look.model_dump(), **values}, "the look")
        self._hop.post(self._show_look)

    def _show_look(self) -> None:
        """Show the look of this moment, in the thread of the loop: a page may have been quicker."""
        self._show_value("look", self._look.model_dump(mode="json"))
        self._measure_shown()

    def _hear(self, widget: object, content: object, buffers: object) -> None:
        if isinstance(content, dict):
            self._hear_value(content.get("look"), self.look, self._take)
        super()._hear(widget, content, buffers)

    def _take_look(self, change: Any) -> None:
        if self._is_showing:
            return
        if self._is_late(change["new"]):
            self._hop.post(self._show_look)
        else:
            self._take(change["new"])

    def _take(self, values: Mapping[str, Any]) -> None:
        """Take a look that a page has chosen."""
        try:
            self._look = make(Look, dict(values), "the look")
            problem = ""
        except InvalidRequestError as error:
            problem = in_words(error)
        self._put(problem=problem)
        self._measure_shown()

    def _measure_shown(self) -> None:
        if any(one.visible and str(one.index) not in self.ranges for one in self._look.channels):
            self._desk.do("ranges", self._measure)

    def _measure(self) -> None:
        """Find the grey levels of channels that are shown, and contrast where nobody has chosen any; in a thread."""
        look, found = self._look, dict(self.ranges)
        try:
            for one in look.channels:
                if one.visible and str(one.index) not in found:
                    found[str(one.index)] = self._tiled.range_of(one.index, look.t, look.z)
        except CoverslipError as error:
            self._put(problem=in_words(error))
        limits = {int(n): {"low": one["low"], "high": one["high"]} for n, one in found.items()}
        new = {n: one for n, one in limits.items() if n in self._without_limits}
        self._without_limits -= set(new)
        self._put(ranges=found)
        if new:
            self._change(channels=[{**one.model_dump(), **new.get(one.index, {})} for one in self._look.channels])

    def _limits(self, index: int) -> None:
        """Give a channel the usual limits of the slice that is shown; in a thread."""
        try:
            found = self._tiled.range_of(index, self._look.t, self._look.z)
        except CoverslipError as error:
            self._put(problem=in_words(error))
            return
        self._hop.post(lambda: self._set({"ranges": {**self.ranges, str(index): found}}))
        self.show(index, low=found["low"], high=found["high"])

    def _draw(self, topic: str, wanted: Sequence[tuple[int, int, int]], reply: Mapping[str, Any], look: Look) -> None:
        """Draw tiles and send each when it is done, until the same page asks for newer ones; in a thread."""
        for at in wanted:
            if self._desk.is_outdated(topic):
                return
            try:
                picture = encode(self._tiled.draw(*at, look), "image/webp")
            except CoverslipError as error:
                self._say({**reply, "at": at, "error": in_words(error)})
                continue
            self._say({**reply, "at": at}, picture)

    @property
    def _commands(self) -> Mapping[str, Callable[[Mapping[str, Any]], None]]:
        return {"tiles": self._tiles, "limits": self._limits_for_page}

    def _limits_for_page(self, said: Mapping[str, Any]) -> None:
        index = int(said.get("index", -1))
        if not any(one.index == index for one in self._look.channels):
            raise InvalidRequestError(f"there is no channel {index}")
        self._desk.do("limits", partial(self._limits, index))

    def _tiles(self, said: Mapping[str, Any]) -> None:
        wanted = [(int(k), int(x), int(y)) for k, x, y in list(said.get("want", ()))[:MOST_TILES]]
        page = str(said.get("page", ""))[:64]
        reply = {"is": "tile", "page": page, "stamp": int(said.get("stamp", 0))}
        topic = f"tiles {page}"
        self._desk.do(topic, partial(self._draw, topic, wanted, reply, self._look))


def _opened(path: str | PathLike[str], index: int, open_file: OpenFile, stack: ExitStack) -> CanRead:
    """Return an image of a file that the stack closes."""
    file = stack.enter_context(open_file(Path(path)))
    if not 0 <= index < len(file.images):
        raise RegionError(f"{path}: there is no image {index}; it has {len(file.images)}, counted from 0")
    return file.images[index]
