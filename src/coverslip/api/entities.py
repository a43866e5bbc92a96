"""The routes of what depositions consist of: lists, single entities, and what is around the image of a tomogram."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from coverslip.api.choices import only_digits
from coverslip.api.documents import shown
from coverslip.api.errors import responses
from coverslip.api.precomputed import MOST, EntityId
from coverslip.api.queries import MAX_PAGE
from coverslip.api.rooms import InRooms
from coverslip.derive import kind_of_shape
from coverslip.model.entities import EntityFile, EntityRecord

router = APIRouter(prefix="/api", tags=["entities"])

Text = Annotated[str, Field(min_length=1, max_length=1000)]
Number = Annotated[int, BeforeValidator(only_digits), Field(ge=1, le=MOST)]


class EntityBrief(BaseModel):
    """An entity as lists show it."""

    id: int
    """Its public number, which stays the same."""
    type: str
    name: str
    identity: str
    """Its path in its layout, whatever its number."""
    parent_id: int | None
    deposition: str
    image_id: str | None
    """The image that people see of it, where there is one in the library."""
    revision: int
    """Counts its changes."""
    updated_at: datetime | None
    incomplete_since: datetime | None
    """Since when files of it are known not to be there; null where none is."""

    @classmethod
    def of(cls, record: EntityRecord) -> "EntityBrief":
        """Return the document of a record."""
        return cls(**_same(cls, record))


class FileDocument(BaseModel):
    """A file of an entity."""

    key: str
    """Its place below the layout."""
    format: str
    shape: str
    """What it gives of an annotation; empty for files of others."""
    version: str

    @classmethod
    def of(cls, file: EntityFile) -> "FileDocument":
        """Return the document of a file."""
        return cls(key=shown(file.key), format=file.format, shape=file.shape, version=file.version)


class EntityDocument(EntityBrief):
    """Everything known about an entity."""

    layout: str
    number: int | None
    """That of its folder, of types that have one."""
    key: str
    """Place of its metadata document or folder below the layout."""
    alignment: str
    image_key: str
    document: dict[str, Any]
    """Its metadata document."""
    files: list[FileDocument]
    children: dict[str, int]
    """How many entities are directly below it, by type."""
    created_at: datetime | None


class EntityList(BaseModel):
    """A page of entities, in the order of their numbers."""

    entities: list[EntityBrief]
    next_cursor: str | None


class SurroundingAnnotation(EntityBrief):
    """An annotation that is shown with a tomogram."""

    object_name: str
    shapes: list[str]
    """What there is of it to be shown."""
    voxel_spacing: str
    """Name of the voxel spacing it was made at; empty where it lies below none."""


class SurroundingsDocument(BaseModel):
    """What is known around the image of a tomogram."""

    tomogram: EntityBrief | None = None
    """Null for the image of something else: all the others are null too then."""
    voxel_spacing: EntityBrief | None = None
    run: EntityBrief | None = None
    dataset: EntityBrief | None = None
    alignment: EntityBrief | None = None
    annotations: list[SurroundingAnnotation] = []
    """Those of its run with its alignment, of every voxel spacing and deposition, oldest first."""


class EntitiesQuery(BaseModel):
    """Which entities."""

    model_config = ConfigDict(extra="forbid")

    type: Annotated[Text | None, Field(description="`dataset`, `run`, `tomogram`, `annotation` ...")] = None
    run: Annotated[Text | None, Field(description="Name, identity or public number; with all below it.")] = None
    dataset: Annotated[Text | None, Field(description="Name; with all below it.")] = None
    deposition: Annotated[Text | None, Field(description="Number of the deposition they came with.")] = None
    parent: Annotated[Number | None, Field(description="Public number of what contains them.")] = None
    q: Annotated[str | None, Field(max_length=200, description="Part of the name or identity.")] = None
    incomplete: Annotated[bool, Field(description="Only those of which files are not there.")] = False
    limit: Annotated[int, BeforeValidator(only_digits), Field(ge=1, le=MAX_PAGE)] = 100
    cursor: Annotated[Number | None, Field(description="next_cursor of the last page.")] = None


@router.head("/entities/", include_in_schema=False)
@router.get("/entities/", response_model=EntityList, responses=responses(422, 503))
def list_entities(rooms: InRooms, query: Annotated[EntitiesQuery, Query()]) -> EntityList:
    """List what depositions consist of."""
    found = rooms.catalog.find_entities(
        type=query.type,
        run=query.run,
        dataset=query.dataset,
        deposition=query.deposition,
        parent_id=query.parent,
        q=query.q or None,
        incomplete=query.incomplete,
        after=query.cursor or 0,
        limit=query.limit + 1,
    )
    page = found[: query.limit]
    following = str(page[-1].id) if len(found) > query.limit else None
    return EntityList(entities=[EntityBrief.of(one) for one in page], next_cursor=following)


@router.head("/entities/{number}", include_in_schema=False)
@router.get("/entities/{number}", response_model=EntityDocument, responses=responses(404, 422, 503))
def get_entity(rooms: InRooms, number: EntityId) -> EntityDocument:
    """Return one entity, with its metadata document and files."""
    record = rooms.catalog.entity(number)
    same = _same(EntityDocument, record, but=("files", "children", "layout"))
    return EntityDocument(
        **same,
        layout=shown(record.layout),
        files=[FileDocument.of(file) for file in record.files],
        children=rooms.catalog.count_children(record.id),
    )


@router.head("/images/{image_id}/surroundings", include_in_schema=False)
@router.get("/images/{image_id}/surroundings", response_model=SurroundingsDocument, responses=responses(404, 503))
def get_surroundings(rooms: InRooms, image_id: str) -> SurroundingsDocument:
    """Return what is known around the image of a tomogram; nothing for an image of something else."""
    rooms.catalog.get_image(image_id)
    around = rooms.catalog.surroundings(image_id)
    if around is None:
        return SurroundingsDocument()
    above = {type_: EntityBrief.of(record) for type_, record in around.parents.items()}
    return SurroundingsDocument(
        tomogram=EntityBrief.of(around.tomogram),
        voxel_spacing=above.get("voxel_spacing"),
        run=above.get("run"),
        dataset=above.get("dataset"),
        alignment=None if around.alignment is None else EntityBrief.of(around.alignment),
        annotations=[
            _annotation(rooms, one, around.spacings.get(one.parent_id or 0, "")) for one in around.annotations
        ],
    )


def _annotation(rooms: InRooms, record: EntityRecord, spacing: str) -> SurroundingAnnotation:
    about = record.document.get("annotation_object")
    name = about.get("name") if isinstance(about, dict) else None
    shapes = dict.fromkeys(file.shape for file in record.files if kind_of_shape(file.shape) in rooms.builder.kinds)
    return SurroundingAnnotation(
        **_same(EntityBrief, record),
        object_name=name if isinstance(name, str) and name else record.name,
        shapes=list(shapes),
        voxel_spacing=spacing,
    )


def _same(document: type[BaseModel], record: EntityRecord, but: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the values of a record that a document calls the same; paths as text any document can hold."""
    values = {name: getattr(record, name) for name in document.model_fields if name not in but}
    return {name: shown(value) if isinstance(value, str) else value for name, value in values.items()}
