"""What Neuroglancer shows of an image and of everything that is known about it. Pure: metadata -> documents.

``build_state`` makes the viewer state of a ``Scene``; ``ContrastLimits`` and colours are what a state is made with.
Nothing here opens a file or knows a catalog.
"""

from coverslip.neuroglancer.addresses import check_origin, displace, entities_of, place, renumbered
from coverslip.neuroglancer.colors import ColorSeed
from coverslip.neuroglancer.contrast import ContrastLimits, measure_contrast
from coverslip.neuroglancer.merged import check_state, with_edits
from coverslip.neuroglancer.scene import AnnotationLayer, CellLayer, LabelLayer, Place, Scene, Tomogram, matching
from coverslip.neuroglancer.sources import Published, Served, Sources
from coverslip.neuroglancer.state import build_state, colored, to_bytes, with_origin

__all__ = [
    "AnnotationLayer",
    "CellLayer",
    "ColorSeed",
    "ContrastLimits",
    "LabelLayer",
    "Place",
    "Published",
    "Scene",
    "Served",
    "Sources",
    "Tomogram",
    "build_state",
    "check_origin",
    "check_state",
    "colored",
    "displace",
    "entities_of",
    "matching",
    "measure_contrast",
    "place",
    "renumbered",
    "to_bytes",
    "with_edits",
    "with_origin",
]
