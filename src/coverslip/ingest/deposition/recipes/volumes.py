"""Tomograms, tilt series, masks and gain references: one reading, written as OME-Zarr and as MRC."""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, cast

from coverslip.cryoet.files import read_json
from coverslip.errors import BuildError, ReadError
from coverslip.ingest.deposition.recipes.copying import copy_file
from coverslip.ingest.deposition.recipes.work import StoppedError, Work

if TYPE_CHECKING:
    from coverslip.model import CanRead
    from coverslip.ngff.blocks import Reduction
    from coverslip.ngff.encoding import Version

ANGSTROM_IN_MICROMETER = 1e4
MICROGRAPHS = (".dm3", ".dm4")
"""Gain references that become MRC; others are copied."""
MASKS = ("SegmentationMask", "SemanticSegmentationMask", "InstanceSegmentationMask")
MOST_SIDE = 100_000


def volume(work: Work) -> dict[str, Any]:
    """Write a tomogram or tilt series in float32.

    Facts: ``size``, x, y, z; ``scales``, the same of every level; ``spacing`` in angstrom; ``zarr`` and ``mrc``,
    where they are, or ``None``.
    """
    with work.image(work.only_input()) as image:
        spacing = _spacing(work, image)
        return _write(work, image, spacing, "float32", "mean", is_stack=bool(work.step.options.get("is_stack")))


def mask(work: Work) -> dict[str, Any]:
    """Write a mask: int8 with 0 and 1, or uint16 with the numbers of objects.

    Facts: those of a volume; ``object_count``, how many numbers occur beside 0; ``is_empty``, whether none does.
    """
    from coverslip.cryoet import instance_mask, labels_of, semantic_mask  # noqa: PLC0415  brings numpy along

    options = work.step.options
    shape = options.get("shape")
    if shape not in MASKS or not work.step.inputs:
        raise BuildError(f"{work.step.name}: the plan asks for the shape {shape} of {len(work.step.inputs)} inputs")
    with work.image(work.step.inputs[0]) as image:
        spacing = _spacing(work, image)
        size = _size_asked(work, spacing) if options.get("rescale") else None
        if shape == "InstanceSegmentationMask":
            made = instance_mask(image, size=size)
            facts = _write(work, made, spacing, "uint16", "nearest")
        else:
            label = options.get("mask_label")
            made = semantic_mask(
                image, mask_label=1 if label is None else int(label), threshold=options.get("threshold"), size=size
            )
            facts = _write(work, made, spacing, "int8", "any")
        labels = facts.pop("labels")
        count = len(labels_of(made) if labels is None else labels)
        return {**facts, "object_count": count, "is_empty": count == 0}


def gain(work: Work) -> dict[str, Any]:
    """Write a gain reference: one of Gatan as MRC, others as they are.

    Facts: ``path``, where it is now.
    """
    wanted, key = work.only_input(), work.only_output()
    if not wanted.path.lower().endswith(MICROGRAPHS) or not key.endswith(".mrc"):
        copy_file(work, wanted, key)
        return {"path": key}
    from coverslip.ngff import write_mrc  # noqa: PLC0415  brings numpy along

    with work.image(wanted) as image, work.create(key) as out:
        spacing = _header_spacing(image) or 1.0
        write_mrc(image, out, voxel_size=(spacing,) * 3, dtype="float32", is_stack=True)
    return {"path": key}


def _write(
    work: Work, image: "CanRead", spacing: float, dtype: str, reduction: "Reduction", *, is_stack: bool = False
) -> dict[str, Any]:
    """Write a volume to the outputs of the plan and return its facts, of labels also the numbers that occur."""
    from coverslip.ngff import PLANE_CHUNK, MrcWriter, write_mrc, write_volume  # noqa: PLC0415  brings numpy along
    from coverslip.ngff.volumes import CHUNK  # noqa: PLC0415

    zarr, mrc = work.output(".zarr"), work.output(".mrc")
    voxel_size = (spacing,) * 3
    size = _zyx(image)
    facts = {"size": _xyz(size), "scales": [_xyz(size)], "spacing": spacing, "zarr": zarr, "mrc": mrc}
    has_labels = reduction != "mean"
    with ExitStack() as stack:
        out = stack.enter_context(work.create(mrc)) if mrc else None
        if zarr is None:
            if out is None:
                raise BuildError(f"{work.step.name}: the plan has neither an OME-Zarr nor an MRC")
            write_mrc(image, out, voxel_size=voxel_size, dtype=dtype, is_stack=is_stack)
            return {**facts, "labels": None} if has_labels else facts
        writer = MrcWriter(out, size, voxel_size=voxel_size, dtype=dtype, is_stack=is_stack) if out else None
        folder = stack.enter_context(work.folder(zarr))
        found = write_volume(
            image,
            folder.put,
            voxel_size=voxel_size,
            dtype=dtype,
            version=cast("Version", str(work.step.options.get("zarr_version", "0.4"))),
            halves_z=not is_stack,
            chunk=PLANE_CHUNK if is_stack else CHUNK,
            reduction=reduction,
            name=zarr.rpartition("/")[2].removesuffix(".zarr"),
            collects_labels=has_labels,
            also=writer.put if writer else None,
            should_stop=work.is_stopped,
        )
        if found is None:
            raise StoppedError("the ingest was stopped")
        if writer:
            writer.finish(found.statistics)
    facts["scales"] = [_xyz(level) for level in found.sizes]
    return {**facts, "labels": found.labels} if has_labels else facts


def _xyz(size: tuple[int, int, int]) -> dict[str, int]:
    return dict(zip("zyx", size, strict=True))


def _zyx(image: "CanRead") -> tuple[int, int, int]:
    """Return Z, Y, X of a volume; the images of a stack may lie along T."""
    meta = image.metadata
    return (meta.size_t if meta.size_t > 1 else meta.size_z, meta.size_y, meta.size_x)


def _spacing(work: Work, image: "CanRead") -> float:
    """Return the voxel size in angstrom that the plan says, or that of the file."""
    said = work.step.options.get("spacing")
    spacing = float(said) if said is not None else _header_spacing(image)
    if not spacing or spacing <= 0:
        raise ReadError(f"{image.metadata.name}: neither the config nor the file says the voxel size")
    return spacing


def _header_spacing(image: "CanRead") -> float | None:
    """Return the pixel size along X that a file says, in angstrom."""
    size = image.metadata.get_voxel_size_micrometers()[0]
    return size * ANGSTROM_IN_MICROMETER if size else None


def _size_asked(work: Work, spacing: float) -> tuple[int, int, int]:
    """Return Z, Y, X of a mask that covers what its alignment does, or else a volume of the same run."""
    if len(work.step.inputs) > 1:
        document = read_json(work.file(work.step.inputs[1]))
        asked = document.get("volume_dimension") if isinstance(document, dict) else None
        return _voxels(work, asked, 1 / spacing)
    for facts in work.needs.values():
        if isinstance(facts.get("size"), Mapping) and facts.get("spacing"):
            return _voxels(work, facts["size"], float(facts["spacing"]) / spacing)
    raise BuildError(f"{work.step.name}: nothing says to what size the mask is rescaled")


def _voxels(work: Work, size: object, factor: float) -> tuple[int, int, int]:
    """Return Z, Y, X of a size multiplied by a factor."""
    if not isinstance(size, Mapping) or not all(isinstance(size.get(axis), int | float) for axis in "zyx"):
        raise BuildError(f"{work.step.name}: nothing says to what size the mask is rescaled")
    found = [float(size[axis]) * factor for axis in "zyx"]
    if not all(MOST_SIDE > length >= 0.5 for length in found):
        raise BuildError(f"{work.step.name}: a mask of {found} voxels is none")
    z, y, x = map(round, found)
    return z, y, x
