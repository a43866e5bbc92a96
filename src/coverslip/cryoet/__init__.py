"""What cryo-ET programs write about a tomogram -> frozen values: points, meshes, masks, captions, alignments ...

Everything read is hostile: sizes are bounded, what is no finite number is refused, and errors name file and line. Which
program counts how, and where that is said, is in ``docs/cryoet-formats.md``.
"""

from coverslip.cryoet.alignments import Alignment, read_alignment
from coverslip.cryoet.captions import Caption, Captions, read_captions
from coverslip.cryoet.ctf import CtfRow, read_ctf
from coverslip.cryoet.masks import Mask, instance_mask, is_empty, labels_of, semantic_mask
from coverslip.cryoet.mdoc import Mdoc, MdocSection, read_mdoc
from coverslip.cryoet.meshes import Mesh, read_mesh, read_mesh_group, to_glb
from coverslip.cryoet.ndjson import read_ndjson, to_ndjson
from coverslip.cryoet.points import FORMATS, PointFormat, read_points
from coverslip.cryoet.pointset import Points
from coverslip.cryoet.sections import Section

__all__ = [
    "FORMATS",
    "Alignment",
    "Caption",
    "Captions",
    "CtfRow",
    "Mask",
    "Mdoc",
    "MdocSection",
    "Mesh",
    "PointFormat",
    "Points",
    "Section",
    "instance_mask",
    "is_empty",
    "labels_of",
    "read_alignment",
    "read_captions",
    "read_ctf",
    "read_mdoc",
    "read_mesh",
    "read_mesh_group",
    "read_ndjson",
    "read_points",
    "semantic_mask",
    "to_glb",
    "to_ndjson",
]
