"""The viewer state of an image: everything that is known around it, in one document."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

from coverslip.cryoet.layout import SHAPES as PUBLISHED_SHAPES
from coverslip.derive.kind import Follows, Inputs, Of, Subject
from coverslip.derive.viewing.layout_files import precomputes_of, voxel_spacing_of
from coverslip.derive.viewing.measured import CONTRAST_LIMITS, Measured, measured
from coverslip.derive.viewing.shapes import LABELS, ORIENTED_MESH, labels_from, object_of, seed_of
from coverslip.errors import CoverslipError
from coverslip.model.annotations import Annotation
from coverslip.model.entities import EntityRecord, Surroundings
from coverslip.model.records import ImageRecord
from coverslip.neuroglancer import (
    AnnotationLayer,
    CellLayer,
    LabelLayer,
    Scene,
    Tomogram,
    build_state,
    to_bytes,
)
from coverslip.neuroglancer.layers import MOST_LABELS
from coverslip.neuroglancer.mark_files import LABEL, has_places
from coverslip.neuroglancer.scene import Shape
from coverslip.neuroglancer.state import RECIPE

NEUROGLANCER_STATE = "neuroglancer_state"


@dataclass(frozen=True, slots=True)
class NeuroglancerState:
    """The viewer state of a tomogram with its annotations, or of any other image with its labels and annotations."""

    name: str = NEUROGLANCER_STATE
    version: int = RECIPE
    of: Of = "image"
    needs: tuple[str, ...] = (CONTRAST_LIMITS, LABELS)
    follows: tuple[Follows, ...] = ("annotations", "entities")
    allows_stale: bool = True
    media_type: str = "application/json"
    suffix: str = ".json"

    def cost(self, _subject: Subject) -> int:
        """Return none: no pixel is read."""
        return 1

    def build(self, subject: Subject, inputs: Inputs) -> bytes:
        """Return the state as JSON, with addresses on our own server that have no host yet."""
        surroundings = inputs.known.surroundings(subject.image.id)
        annotations = inputs.known.annotations_of(subject.image.id)
        labels = {number: labels_from(data) for (number, kind), data in inputs.of_entities.items() if kind == LABELS}
        found = measured(inputs.artifacts[CONTRAST_LIMITS])
        return to_bytes(build_state(scene_of(subject.image, surroundings, annotations, found, labels)))


def scene_of(
    image: ImageRecord,
    surroundings: Surroundings | None,
    annotations: tuple[Annotation, ...],
    found: Measured,
    labels: dict[int, tuple[int, ...]],
) -> Scene:
    """Return what the state of an image depends on, as the catalog knows it.

    Parameters
    ----------
    image
        The image.
    surroundings
        What is known around it where it is that of a tomogram.
    annotations
        What people made of it.
    found
        Its limits of contrast.
    labels
        The instances of masks around it, by public number of the annotation.
    """
    metadata = image.metadata
    table = metadata.table
    columns = table.columns if table is not None and table.row_count > 0 else ()
    common = {
        "image_id": image.id,
        "metadata": metadata,
        "labels": tuple(LabelLayer(one.name, has_properties=LABEL in columns) for one in metadata.labels),
        "annotations": annotations,
    }
    if surroundings is None:
        cells = (CellLayer("cells", table.row_count),) if table is not None and has_places(columns) else ()
        return Scene(name=metadata.name, windows=found.windows, cells=cells, **common)  # type: ignore[arg-type]
    tomogram = surroundings.tomogram
    run = surroundings.parents.get("run")
    return Scene(
        name=run.name if run is not None else metadata.name,
        tomogram=Tomogram(
            number=tomogram.id,
            voxel_spacing=voxel_spacing_of(tomogram),
            alignment=tomogram.alignment,
            contrast=found.limits,
            deposition=int(tomogram.deposition) if tomogram.deposition.isdecimal() else None,
            key=tomogram.image_key,
        ),
        layers=tuple(layer for one in surroundings.annotations for layer in layers_of(one, labels.get(one.id))),
        **common,  # type: ignore[arg-type]
    )


def layers_of(entity: EntityRecord, labels: tuple[int, ...] | None) -> Iterator[AnnotationLayer]:
    """Yield a layer for each shape of an annotation that Neuroglancer can show."""
    shapes = dict.fromkeys(file.shape for file in entity.files)
    listed = entity.document.get("files")
    said = {
        str(file.get("shape")): bool(file.get("is_visualization_default"))
        for file in (listed if isinstance(listed, list) else ())
        if isinstance(file, dict)
    }
    for shape in shapes:
        if shape not in get_args(Shape):
            continue
        try:
            yield AnnotationLayer(
                number=entity.id,
                object_name=str(object_of(entity).get("name") or entity.name),
                shape=shape,  # type: ignore[arg-type]  # it is one
                voxel_spacing=voxel_spacing_of(entity),
                alignment=entity.alignment,
                is_visualization_default=said.get(shape, said.get(PUBLISHED_SHAPES.get(shape, shape), False)),
                has_oriented_mesh=shape == "OrientedPoint" and ORIENTED_MESH in shapes,
                seed=seed_of(entity, shape),
                labels=labels if labels is None or len(labels) <= MOST_LABELS else None,
                key=_key(entity),
            )
        except CoverslipError:
            continue  # it lies below no voxel spacing: nobody knows where it is


def _key(entity: EntityRecord) -> str:
    """Return where the precomputes of an annotation are published; empty where they cannot be."""
    try:
        return precomputes_of(entity)
    except CoverslipError:
        return ""
