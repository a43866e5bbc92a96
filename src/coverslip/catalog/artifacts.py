"""Derived artifacts: how each stands, and what is published."""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, select, true

from coverslip.catalog.around import numbers
from coverslip.catalog.marks import ARTIFACT, OF_IMAGE, count_change, mark_stale, note_marked, select_shown
from coverslip.catalog.part import Part, known_form
from coverslip.catalog.tables import Artifact
from coverslip.errors import NotFoundError
from coverslip.model.records import ArtifactRecord


class Artifacts(Part):
    """Looking at artifacts, and marking them."""

    def artifact(
        self, kind: str, image_id: str, annotation_id: str | None = None, entity_id: int | None = None
    ) -> ArtifactRecord:
        """Return how one artifact of one image, of one annotation of it, or of an entity, stands.

        Raises
        ------
        NotFoundError
            There is no such image, annotation or entity, it is deleted, or it has no artifact of this kind.
        """
        of = _of(annotation_id, entity_id)
        # what is of an entity goes along with one image or another
        with_image = Artifact.image_id == known_form(image_id) if entity_id is None else true()
        wanted = select_shown(*ARTIFACT).where(with_image, Artifact.kind == kind, of)
        with self._database.reading() as connection:
            row = connection.execute(wanted).one_or_none()
        if row is None:
            whole = f"image {image_id!r}" if annotation_id is None else f"annotation {annotation_id!r}"
            raise NotFoundError(f"there is no {kind} of {whole if entity_id is None else f'entity {entity_id}'}")
        return ArtifactRecord(**row._mapping)

    def artifacts_of_entities(self, entity_ids: Iterable[int]) -> list[ArtifactRecord]:
        """Return the artifacts of entities that an image shows, in the order of the entities and kinds."""
        found: list[ArtifactRecord] = []
        with self._database.reading() as connection:
            for some in numbers(entity_ids):
                wanted = select_shown(*ARTIFACT).where(Artifact.entity_id.in_(some))
                rows = connection.execute(wanted.order_by(Artifact.entity_id, Artifact.kind))
                found += [ArtifactRecord(**row._mapping) for row in rows]
        return found

    def mark(
        self,
        kind: str,
        image_ids: Iterable[str],
        *,
        annotation_id: str | None = None,
        entity_id: int | None = None,
        cause: str = "asked for",
    ) -> int:
        """Note that the sources of these artifacts changed; return how many artifacts that made or left stale.

        Parameters
        ----------
        kind
            Of the artifacts.
        image_ids
            Their images.
        annotation_id
            The annotation they are of; ``None`` is the image itself.
        entity_id
            The entity they are of, whatever image they go along with.
        cause
            What changed, in words.
        """
        is_it = (Artifact.kind == kind, _of(annotation_id, entity_id))
        with self._database.writing() as connection:
            if entity_id is None:
                return mark_stale(connection, image_ids, self._clock(), *is_it, cause=cause)
            note_marked(connection, image_ids)
            return count_change(connection, self._clock(), cause, *is_it)

    def artifact_keys(self) -> set[str]:
        """Return the storage name of everything that is published, current or not."""
        with self._database.reading() as connection:
            return set(connection.scalars(select(Artifact.key).where(Artifact.key.is_not(None)).distinct()))


def _of(annotation_id: str | None, entity_id: int | None) -> ColumnElement[bool]:
    """Return the condition for what an artifact is of; without either it is of the whole image."""
    if entity_id is not None:
        return Artifact.entity_id == entity_id
    return OF_IMAGE if annotation_id is None else Artifact.annotation_id == annotation_id
