"""Points, meshes and captions of annotations, as the portal publishes them."""

from typing import Any, cast, get_args

from coverslip.cryoet import read_captions, read_mesh, read_points, to_glb, to_ndjson
from coverslip.cryoet.captions import CaptionShape
from coverslip.cryoet.pointset import PointShape
from coverslip.errors import BuildError
from coverslip.ingest.deposition.recipes.confined import group_as_glb
from coverslip.ingest.deposition.recipes.work import Work
from coverslip.sources import RemotePath

MESH = "mesh"
"""The fact that says where a mesh is that stays at the source."""
VERSION = "version"
POINT_OPTIONS = ("binning", "order", "columns", "delimiter", "filter_value")


def points(work: Work) -> dict[str, Any]:
    """Write points as ndjson.

    Facts: ``object_count``.
    """
    options = work.step.options
    shape = cast("PointShape", _shape(work, get_args(PointShape)))
    path = work.file(work.only_input())
    asked = {name: options[name] for name in POINT_OPTIONS if name in options}
    found = read_points(path, shape, str(options.get("file_format")), **asked)
    work.publish(work.only_output(), "".join(to_ndjson(found)).encode())
    return {"object_count": found.object_count}


def mesh(work: Work) -> dict[str, Any]:
    """Write a mesh, or one or all of a group, as glb.

    Facts: ``object_count``.
    """
    options = work.step.options
    factor = float(options.get("scale_factor") or 1.0)
    file_format = str(options.get("file_format"))
    path = work.file(work.only_input())
    if file_format == "hff":
        name = options.get("mesh_name") or options.get("name")
        count, content = group_as_glb(path, mesh_name=str(name) if name else None, scale_factor=factor)
    else:
        count, content = 1, to_glb([read_mesh(path, file_format, scale_factor=factor)])
    work.publish(work.only_output(), content)
    return {"object_count": count}


def oriented_mesh(work: Work) -> dict[str, Any]:
    """Look whether the mesh of oriented points can be read where it lies.

    Facts: ``mesh``, the place of its file, and ``version``, what tells its content apart.
    """
    path = work.file(work.only_input())
    read_mesh(path, path.suffix.lower().removeprefix("."))
    return {MESH: str(path if isinstance(path, RemotePath) else path.absolute()), VERSION: work.digest}


def caption(work: Work) -> dict[str, Any]:
    """Write captions that were checked.

    Facts: ``object_count``.
    """
    shape = cast("CaptionShape", _shape(work, get_args(CaptionShape)))
    found = read_captions(work.file(work.only_input()), shape, str(work.step.options.get("file_format") or "saber"))
    work.publish(work.only_output(), found.to_json().encode())
    return {"object_count": found.object_count}


def _shape(work: Work, known: tuple[str, ...]) -> str:
    shape = str(work.step.options.get("shape"))
    if shape not in known:
        raise BuildError(f"{work.step.name}: the plan asks for the shape {shape}, not for {' or '.join(known)}")
    return shape
