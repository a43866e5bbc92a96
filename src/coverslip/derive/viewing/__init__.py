"""Kinds that show images with what is known around them: contrast limits, precomputes, viewer states, key photos."""

from coverslip.derive.viewing.key_photos import KEY_PHOTOS, MIDDLE, Middle
from coverslip.derive.viewing.layout_files import voxel_spacing_of
from coverslip.derive.viewing.measured import CONTRAST_LIMITS, Contrast, measured
from coverslip.derive.viewing.shapes import LABELS, ORIENTED_MESH, SHAPES, kind_of_shape, shape_kinds
from coverslip.derive.viewing.states import NEUROGLANCER_STATE, NeuroglancerState, scene_of

__all__ = [
    "CONTRAST_LIMITS",
    "KEY_PHOTOS",
    "LABELS",
    "MIDDLE",
    "NEUROGLANCER_STATE",
    "ORIENTED_MESH",
    "SHAPES",
    "Contrast",
    "Middle",
    "NeuroglancerState",
    "kind_of_shape",
    "measured",
    "scene_of",
    "shape_kinds",
    "voxel_spacing_of",
]
