"""What cryo-ET programs write about a tomogram -> frozen values: points, meshes, masks, captions, alignments ...

Everything read is hostile: sizes are bounded, what is no finite number is refused, and errors name file and line. Which
program counts how, and where that is said, is in ``docs/cryoet-formats.md``.
"""

from coverslip.cryoet.captions import Caption, Captions, read_captions
from coverslip.cryoet.masks import Mask, instance_mask, is_empty, labels_of, semantic_mask
from coverslip.cryoet.meshes import Mesh, read_mesh, read_mesh_group, to_glb
from coverslip.cryoet.ndjson import read_ndjson, to_ndjson
from coverslip.cryoet.points import FORMATS, PointFormat, read_points
from coverslip.cryoet.pointset import Points

__all__ = [
    "FORMATS",
    "Caption",
    "Captions",
    "Mask",
    "Mesh",
    "PointFormat",
    "Points",
    "instance_mask",
    "is_empty",
    "labels_of",
    "read_captions",
    "read_mesh",
    "read_mesh_group",
    "read_ndjson",
    "read_points",
    "semantic_mask",
    "to_glb",
    "to_ndjson",
]
