"""Derived artifacts: how each stands, and what is published."""

from collections.abc import Iterable

from sqlalchemy import select

from coverslip.catalog.marks import ARTIFACT, mark_stale, select_shown
from coverslip.catalog.part import Part, known_form
from coverslip.catalog.tables import Artifact
from coverslip.errors import NotFoundError
from coverslip.model.records import ArtifactRecord


class Artifacts(Part):
    """Looking at artifacts, and marking them."""

    def artifact(self, kind: str, image_id: str, annotation_id: str | None = None) -> ArtifactRecord:
        """Return how one artifact of one image, or of one annotation of it, stands.

        Raises
        ------
        NotFoundError
            There is no such image or annotation, it is deleted, or it has no artifact of this kind.
        """
        of = Artifact.annotation_id.is_(None) if annotation_id is None else Artifact.annotation_id == annotation_id
        wanted = select_shown(*ARTIFACT).where(Artifact.image_id == known_form(image_id), Artifact.kind == kind, of)
        with self._database.reading() as connection:
            row = connection.execute(wanted).one_or_none()
        if row is None:
            whole = f"image {image_id!r}" if annotation_id is None else f"annotation {annotation_id!r}"
            raise NotFoundError(f"there is no {kind} of {whole}")
        return ArtifactRecord(**row._mapping)

    def mark(
        self, kind: str, image_ids: Iterable[str], *, annotation_id: str | None = None, cause: str = "asked for"
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
        cause
            What changed, in words.
        """
        of = Artifact.annotation_id.is_(None) if annotation_id is None else Artifact.annotation_id == annotation_id
        with self._database.writing() as connection:
            return mark_stale(connection, image_ids, self._clock(), Artifact.kind == kind, of, cause=cause)

    def artifact_keys(self) -> set[str]:
        """Return the storage name of everything that is published, current or not."""
        with self._database.reading() as connection:
            return set(connection.scalars(select(Artifact.key).where(Artifact.key.is_not(None)).distinct()))
