"""Arrays -> files of Neuroglancer's "precomputed" formats: annotations, segmentations, meshes; and those files as one.

Nothing is read or written here but what is handed in. The same input gives the same bytes. Neuroglancer's positions are
corners of voxels: the first voxel of a precomputed volume lies between 0 and 1, and that of an OME-Zarr image, which it
takes for centred, between -0.5 and 0.5. A layer of segments that lies over such an image has to be moved by half a
voxel there.
"""

from coverslip.neuroglancer.precomputed.annotation_files import Property
from coverslip.neuroglancer.precomputed.annotations import (
    line_annotations,
    oriented_annotations,
    point_annotations,
    polygon_lines,
)
from coverslip.neuroglancer.precomputed.archive import Packed, pack
from coverslip.neuroglancer.precomputed.multilod import meshes, oriented_mesh
from coverslip.neuroglancer.precomputed.surface_nets import Triangles, surfaces
from coverslip.neuroglancer.precomputed.values import Files
from coverslip.neuroglancer.precomputed.volumes import segment_properties, segmentation

__all__ = [
    "Files",
    "Packed",
    "Property",
    "Triangles",
    "line_annotations",
    "meshes",
    "oriented_annotations",
    "oriented_mesh",
    "pack",
    "point_annotations",
    "polygon_lines",
    "segment_properties",
    "segmentation",
    "surfaces",
]
