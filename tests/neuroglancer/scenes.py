"""Scenes as the catalog would describe them: the tomogram of a run and annotations of it."""

from typing import Any

from coverslip.model import ImageMetadata
from coverslip.neuroglancer import AnnotationLayer, ContrastLimits, Scene, Tomogram
from coverslip.neuroglancer.scene import Shape

ALIGNMENT = "10440/TS_1/Alignments/100/alignment_metadata.json"
CONTRAST = ContrastLimits.of((-1.83e-05, 2.07e-05), (-1.5e-05, 4e-06))


def annotation(number: int, name: str, shape: Shape, **more: Any) -> AnnotationLayer:
    """Return an annotation in voxels of 10.012 angstroms, shown from the start, unless something else is said."""
    facts = {"voxel_spacing": 10.012, "alignment": ALIGNMENT, "is_visualization_default": True, **more}
    return AnnotationLayer(number, name, shape, **facts)


def tomogram(**more: Any) -> Tomogram:
    """Return the tomogram that the annotations belong to."""
    facts = {"voxel_spacing": 10.012, "alignment": ALIGNMENT, "contrast": CONTRAST, "deposition": 10310, **more}
    return Tomogram(100, **facts)


def metadata(**more: Any) -> ImageMetadata:
    """Return the metadata of a tomogram of 630 x 630 x 184 voxels."""
    facts = {"size_x": 630, "size_y": 630, "size_z": 184, "dtype": "float32", **more}
    return ImageMetadata(name="TS_1.zarr", file_format="OME-Zarr", **facts)


def scene(*layers: AnnotationLayer, **more: Any) -> Scene:
    """Return the scene of the tomogram with some annotations."""
    facts = {"metadata": metadata(), "tomogram": tomogram(), "layers": layers, **more}
    return Scene("img1", **{"name": "TS_1", **facts})


EVERY_SHAPE = (
    annotation(100, "cytosolic ribosome", "OrientedPoint", has_oriented_mesh=True),
    annotation(101, "beta-galactosidase", "Point"),
    annotation(102, "actin", "InstanceSegmentation"),
    annotation(103, "membrane", "SegmentationMask"),
    annotation(104, "vesicle", "InstanceSegmentationMask", is_visualization_default=False, labels=(1, 2, 3)),
    annotation(105, "nucleus", "TriangularMesh", is_visualization_default=False),
    annotation(106, "cytoplasm", "SemanticSegmentationMask"),
    annotation(107, "cell wall", "TriangularMeshGroup"),
)
