"""Catalogs with many images and annotations and no files, for work that never looks at pixels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from uuid import uuid4

from sqlalchemy import create_engine, insert, update

from coverslip.catalog import Catalog
from coverslip.catalog.address import parse_address
from coverslip.catalog.annotation_tables import Annotation
from coverslip.catalog.tables import Artifact
from coverslip.derive import Inputs, Kind, Subject
from coverslip.derive.kind import Follows, Of
from coverslip.model import ImageMetadata
from coverslip.model.annotations import AnnotationContent, Frames
from coverslip.model.records import SeenFile, SyncItem

FRAMES_EACH = 500
"""Annotations of one film, of two frames each."""
PORTION = 1_000


@dataclass(frozen=True)
class Noop:
    """A kind that costs nothing and always gives the same."""

    name: str = "noop"
    of: Of = "image"
    needs: tuple[str, ...] = ()
    version: int = 1
    allows_stale: bool = False
    follows: tuple[Follows, ...] = ()
    media_type: str = "text/plain"
    suffix: str = ".txt"

    def cost(self, subject: Subject) -> int:
        """Return 1."""
        return 1

    def build(self, subject: Subject, inputs: Inputs) -> bytes:
        """Return the same bytes, whatever it is of."""
        return b"nothing"


KINDS: Mapping[str, Kind] = MappingProxyType({"noop": Noop()})


def fill(catalog: Catalog, count: int) -> list[str]:
    """Add images of films that do not exist; return their identifiers."""
    for first in range(0, count, PORTION):
        items = [
            SyncItem(SeenFile(path=f"/films/{number:06}.tif", size=1, mtime_ns=1), "ok", None, (_film(number),))
            for number in range(first, min(count, first + PORTION))
        ]
        catalog.sync_files(items, read_by="bench")
    return [
        image.id for skip in range(0, count, PORTION) for image in catalog.list_images(skip=skip, limit=PORTION).images
    ]


def _film(number: int) -> ImageMetadata:
    return ImageMetadata(
        name=f"film {number}", file_format="TIFF", size_t=4_000_000, size_y=512, size_x=512, dtype="uint8"
    )


def annotate_many(url: str, images: Sequence[str], each: int = FRAMES_EACH) -> None:
    """Give every image so many annotations that tile one track, each with an artifact, without a transaction each."""
    now = datetime.now(UTC)
    engine = create_engine(parse_address(url).url)
    with engine.begin() as connection:
        for image_id in images:
            annotations, artifacts = [], []
            for number in range(each):
                frames = Frames(first=3 * number, last=3 * number + 2)
                annotation_id = str(uuid4())
                annotations.append(
                    {
                        "id": annotation_id,
                        "image_id": image_id,
                        "axis": "t",
                        "track": "events",
                        "first": frames.first,
                        "last": frames.last,
                        "content": AnnotationContent(frames=frames).model_dump(mode="json"),
                        "revision": 1,
                        "author": "",
                        "created_at": now,
                        "updated_at": now,
                        "deleted_at": None,
                    }
                )
                artifacts.append(
                    {
                        "id": str(uuid4()),
                        "kind": "noop",
                        "image_id": image_id,
                        "annotation_id": annotation_id,
                        "wanted": 1,
                        "built": 0,
                        "version": 0,
                        "attempts": 0,
                        "marked_at": now,
                        "cause": "never built before",
                    }
                )
            connection.execute(insert(Annotation), annotations)
            connection.execute(insert(Artifact), artifacts)
    engine.dispose()


def settle(url: str) -> None:
    """Make everything fresh, as if it had been built, and let the database look at what it holds."""
    values = {"built": Artifact.wanted, "version": 1, "key": "noop/00/00.txt", "etag": "00", "size": 7}
    engine = create_engine(parse_address(url).url)
    with engine.begin() as connection:
        connection.execute(update(Artifact).values(**values, media_type="text/plain"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE" if engine.dialect.name == "postgresql" else "ANALYZE")
    engine.dispose()
