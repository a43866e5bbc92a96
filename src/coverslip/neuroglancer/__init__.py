"""What Neuroglancer shows of an image and of everything that is known about it. Pure: metadata -> documents.

``build_state`` makes the viewer state of a ``Scene``; ``ContrastLimits`` and colours are what a state is made with.
Nothing here opens a file or knows a catalog.
"""

from coverslip.neuroglancer.channels import neuroglancer_state
from coverslip.neuroglancer.colors import ColorSeed
from coverslip.neuroglancer.contrast import ContrastLimits, measure_contrast
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
    "colored",
    "matching",
    "measure_contrast",
    "neuroglancer_state",
    "to_bytes",
    "with_origin",
]
