"""What a deposition is made of: one tree, as data.

Visualization states and precomputed annotations are not in it: nobody configures them, and they are derived artifacts.
"""

from dataclasses import dataclass
from typing import Literal

Finder = Literal[
    "source_glob", "source_multi_glob", "destination_glob", "destination_filter", "literal", "tomogram_header"
]

USUAL: tuple[Finder, ...] = (
    "source_glob",
    "source_multi_glob",
    "destination_glob",
    "destination_filter",
    "literal",
)
SPACING: tuple[Finder, ...] = ("source_glob", "destination_glob", "destination_filter", "literal", "tomogram_header")

SHAPES = (
    "Point",
    "OrientedPoint",
    "InstanceSegmentation",
    "InstanceSegmentationMask",
    "SegmentationMask",
    "SemanticSegmentationMask",
    "TriangularMesh",
    "TriangularMeshGroup",
    "GlobalCaption",
    "AnnotationCaption",
)
"""What the source of an annotation is called by: the shape it gives."""


@dataclass(frozen=True, slots=True)
class EntityType:
    """One sort of entity.

    Parameters
    ----------
    name
        Its name in parent filters and in the names of variables.
    section
        The key of the config that lists where it is found.
    parent
        The name of the type that contains it.
    finders
        What its sources may be.
    is_one
        Whether all files that one block finds below one parent are one entity.
    is_templated
        Whether its metadata may hold names of columns.
    """

    name: str
    section: str
    parent: str | None
    finders: tuple[Finder, ...] = USUAL
    is_one: bool = False
    is_templated: bool = False


ENTITIES: dict[str, EntityType] = {
    one.name: one
    for one in (
        EntityType("deposition", "depositions", None),
        EntityType("deposition_keyphoto", "deposition_keyphotos", "deposition"),
        EntityType("dataset", "datasets", "deposition"),
        EntityType("dataset_keyphoto", "dataset_keyphotos", "dataset"),
        EntityType("run", "runs", "dataset"),
        EntityType("gain", "gains", "run"),
        EntityType("collection_metadata", "collection_metadata", "run"),
        EntityType("frame", "frames", "run", is_one=True, is_templated=True),
        EntityType("tiltseries", "tiltseries", "run", is_templated=True),
        EntityType("ctf", "ctfs", "tiltseries"),
        EntityType("rawtilt", "rawtilts", "tiltseries"),
        EntityType("alignment", "alignments", "run", is_one=True),
        EntityType("identified_object", "identified_objects", "run"),
        EntityType("voxel_spacing", "voxel_spacings", "run", SPACING),
        EntityType("tomogram", "tomograms", "voxel_spacing", is_templated=True),
        EntityType("key_image", "key_images", "tomogram"),
        EntityType("annotation", "annotations", "voxel_spacing", ()),
    )
}
"""Every type by its name, parents before children, in the order in which they are expanded."""

SECTIONS: dict[str, EntityType] = {one.section: one for one in ENTITIES.values()}
"""Every type by its section of the config."""


def children(name: str | None) -> tuple[EntityType, ...]:
    """Return the types directly below one, in the order in which they are expanded."""
    return tuple(one for one in ENTITIES.values() if one.parent == name)


def ancestors(name: str) -> tuple[str, ...]:
    """Return the names of the types above one, the nearest first."""
    found, parent = [], ENTITIES[name].parent
    while parent is not None:
        found.append(parent)
        parent = ENTITIES[parent].parent
    return tuple(found)


def is_below_run(name: str) -> bool:
    """Return whether entities of a type belong to one run, and so to one row of the maps."""
    return "run" in ancestors(name)


def variables(name: str) -> tuple[str, ...]:
    """Return the names that a template of a type may use beside the columns of the maps."""
    found = ["output_path"]
    for above in ancestors(name):
        found += [f"{above}_name", f"{above}_path", f"{above}_id", f"int_{above}_name", f"{above}_output_path"]
    return tuple(found)
