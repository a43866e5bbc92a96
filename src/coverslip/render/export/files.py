"""Figures become files, by kind."""

from collections.abc import Callable, Mapping
from functools import partial

from coverslip.errors import ExportError
from coverslip.model.export import FileForm
from coverslip.render.export.figure import Figure, flatten
from coverslip.render.export.pdf import pdf
from coverslip.render.export.rasters import jpeg, png, webp
from coverslip.render.export.svg import svg
from coverslip.render.export.tiffs import tiff


def encode_figure(figure: Figure, form: FileForm, provenance: Mapping[str, str] | None = None) -> bytes:
    """Return a figure as the bytes of a file; the same figure always gives the same bytes.

    Parameters
    ----------
    figure
        As ``figure_of`` gives it. Its resolution, and where the format has a place for it the size of a pixel, are
        written into the file.
    form
        Rasters have the marks drawn in; SVG and PDF keep text and scale bar as vectors.
    provenance
        How it was made: texts by keyword, such as ``Source``.

    Raises
    ------
    ExportError
        The picture is too large for the format, or it is one of pixels as they are.
    """
    if form not in _ENCODERS:
        raise ExportError(f"{form} holds pixels as they are, not pictures", recoverable=False)
    return _ENCODERS[form](figure, provenance or {})


def _raster(write: Callable[..., bytes], figure: Figure, provenance: Mapping[str, str]) -> bytes:
    return write(flatten(figure), figure.dpi, provenance)


_ENCODERS: Mapping[FileForm, Callable[[Figure, Mapping[str, str]], bytes]] = {
    "png": partial(_raster, png),
    "jpeg": partial(_raster, jpeg),
    "webp": partial(_raster, webp),
    "tiff": tiff,
    "ome-tiff": partial(tiff, ome=True),
    "svg": svg,
    "pdf": pdf,
}
