"""Where annotations are found: by the shape that a file gives."""

from typing import Annotated

from coverslip.ingest.deposition.schema.finders import AnySource, Globs
from coverslip.ingest.deposition.schema.values import Flag, InRange, Number, OneOf, Strict, Text, Whole

Scale = Annotated[float, InRange(low=0)]
Volume = Annotated[str, OneOf(("mrc", "zarr"))]
STARS = ("relion3_star", "relion4_star", "tomoman_relion_star")


class ShapeFile(Strict):
    """What the files of every shape say. Exactly one of the two globs is needed."""

    glob_string: Text | None = None
    glob_strings: Globs | None = None
    is_visualization_default: Flag | None = None
    is_portal_standard: Flag | None = None


class PointFile(ShapeFile):
    """Coordinates. ``binning`` is how much coarser the annotated volume is than they are."""

    file_format: Annotated[str, OneOf(("csv", "csv_with_header", "tsv", "mod", *STARS, "copick"))]
    binning: Scale | None = None
    columns: Text | None = None
    delimiter: Text | None = None
    filter_value: Text | None = None
    order: Text | None = None


class OrientedPointFile(ShapeFile):
    """Coordinates with a rotation each."""

    file_format: Annotated[str, OneOf(("mod", *STARS, "stopgap_star", "copick"))]
    binning: Scale | None = None
    filter_value: Text | None = None
    mesh_source_path: Text | None = None
    order: Text | None = None


class InstanceSegmentationFile(ShapeFile):
    """Coordinates with the number of the object each belongs to."""

    file_format: Annotated[str, OneOf(("tardis", "copick"))]
    binning: Scale | None = None
    filter_value: Text | None = None
    mesh_source_path: Text | None = None
    order: Text | None = None


class SegmentationMaskFile(ShapeFile):
    """A volume: something or nothing at each voxel, or the number of an object."""

    file_format: Volume
    mask_label: Whole | None = None
    rescale: Flag | None = None
    threshold: Number | None = None


class TriangularMeshFile(ShapeFile):
    """A surface."""

    file_format: Annotated[str, OneOf(("obj", "stl", "vtk", "glb"))]
    scale_factor: Scale | None = None


class TriangularMeshGroupFile(ShapeFile):
    """One surface of a file with several. The format knows its name by two keys."""

    file_format: Annotated[str, OneOf(("hff",))]
    scale_factor: Scale | None = None
    name: Text | None = None
    mesh_name: Text | None = None


class CaptionFile(ShapeFile):
    """What is said in words."""

    file_format: Annotated[str, OneOf(("saber",))]
    companion_shape: Text | None = None


class AnnotationSource(AnySource):
    """Where one shape of an annotation is found."""

    Point: PointFile | None = None
    OrientedPoint: OrientedPointFile | None = None
    InstanceSegmentation: InstanceSegmentationFile | None = None
    InstanceSegmentationMask: SegmentationMaskFile | None = None
    SegmentationMask: SegmentationMaskFile | None = None
    SemanticSegmentationMask: SegmentationMaskFile | None = None
    TriangularMesh: TriangularMeshFile | None = None
    TriangularMeshGroup: TriangularMeshGroupFile | None = None
    GlobalCaption: CaptionFile | None = None
    AnnotationCaption: CaptionFile | None = None
