"""Whole fields of view in one call, as viewers that Coverslip replaces have it."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from coverslip.errors import NotFoundError
from coverslip.export.job import Job
from coverslip.export.sources import Source, fields_of
from coverslip.model.export import MarkerSet


def export_fovs_batch(  # noqa: PLR0917  # the order that its callers have
    marker_set: str | Mapping[str, Any] | MarkerSet,
    output_dir: str | os.PathLike[str],
    fovs: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    file_format: str = "png",
    downsample_factor: int = 1,
    dpi: float = 300,
    figure_size: tuple[float, float] | None = None,
    *,
    data: str | os.PathLike[str] | None = None,
    **overrides: Any,
) -> dict[str, bool | str]:
    """Export whole fields of view and say for each whether its file is there.

    Parameters
    ----------
    marker_set
        Name of one saved beside the data, a mapping as it is saved, or a ``MarkerSet``.
    output_dir
        Folder of the files; files of the same names are replaced.
    fovs
        Names of fields of view in ``data``, or paths.
    file_format
        As for ``Job``.
    downsample_factor
        Pixels of the image along one side of a pixel of the picture.
    dpi
        Pixels of the picture on an inch of paper.
    figure_size
        Width and height of the paper in inches, in place of ``dpi``.
    data
        Folder of the fields of view.
    overrides
        As for ``Job``.

    Returns
    -------
    dict[str, bool | str]
        For each field of view ``True``, or why there is no file.

    Raises
    ------
    InvalidRequestError
        Some of it makes no sense.
    NotFoundError
        There is no such marker set or folder.
    """
    asked = [fovs] if isinstance(fovs, str | os.PathLike) else list(fovs)
    found: dict[str, bool | str] = {}
    places: list[Path] = []
    for one in asked:
        try:
            places.append(_place(one, data).path)
        except NotFoundError as error:
            found[str(one)] = str(error)
    if not places:
        return found
    look = {"downsample": downsample_factor, "dpi": dpi, "figure_size": figure_size}
    choices = {"existing": "replace", **look, **overrides}
    job = Job("fov", places, marker_set, output_dir, file_format, choices)
    job.start()
    for item in job.items():
        result = item.result
        said = job.status().message if result is None else result.message
        found[item.planned.name] = True if result is not None and result.ok else said or "it was not made"
    return found


def _place(fov: str | os.PathLike[str], data: str | os.PathLike[str] | None) -> Source:
    if data is not None and not Path(fov).is_absolute():
        known = {source.fov: source for source in fields_of(Path(data))}
        if str(fov) not in known:
            raise NotFoundError(f"there is no field of view {str(fov)!r} in {data}")
        return known[str(fov)]
    return fields_of(Path(fov))[0]
