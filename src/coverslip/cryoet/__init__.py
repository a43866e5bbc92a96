"""What cryo-ET programs write about a tomogram -> frozen values: points, meshes, masks, captions, alignments ...

Everything read is hostile: sizes are bounded, what is no finite number is refused, and errors name file and line. Which
program counts how, and where that is said, is in ``docs/cryoet-formats.md``.
"""

from coverslip.cryoet.meshes import Mesh, read_mesh, read_mesh_group, to_glb
from coverslip.cryoet.ndjson import read_ndjson, to_ndjson
from coverslip.cryoet.points import FORMATS, PointFormat, read_points
from coverslip.cryoet.pointset import Points

__all__ = [
    "FORMATS",
    "Mesh",
    "PointFormat",
    "Points",
    "read_mesh",
    "read_mesh_group",
    "read_ndjson",
    "read_points",
    "to_glb",
    "to_ndjson",
]
