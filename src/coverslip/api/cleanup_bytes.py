"""The routes of bytes that no record refers to: of layouts, and of Coverslip's own. For this machine alone."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from coverslip.api.cleanup import Author, only_from_here
from coverslip.api.errors import responses
from coverslip.api.rooms import InRooms, Rooms
from coverslip.cleanup import (
    ArtifactPlan,
    OwnFiles,
    asking,
    loose_files,
    own_files,
    plan_artifacts,
    remove_artifacts_of,
    remove_own_files,
)
from coverslip.derive import KINDS
from coverslip.model.annotations import Name
from coverslip.model.removal import Scope
from coverslip.sources import RemoteRules

router = APIRouter(prefix="/api/cleanup", tags=["cleanup"], dependencies=[Depends(only_from_here)])


class LooseFileDocument(BaseModel):
    """A file of a layout that no record refers to. It is never removed here."""

    model_config = {"from_attributes": True}

    layout: str
    key: str
    size: int
    """In bytes."""
    type: str
    """What lies at such a place of the layout; empty where nothing has a place."""


class OwnFileDocument(BaseModel):
    """Something in Coverslip's own storage that no record refers to."""

    model_config = {"from_attributes": True}

    place: str
    size: int
    kind: Literal["artifact", "part", "upload"]
    """``upload`` is a whole original: it is told and stays."""
    may_go: bool


class FileList(BaseModel):
    """Files that no record refers to."""

    files: list[LooseFileDocument]
    unlisted: list[str]
    """Places that could not be listed to the end: there may be more."""
    own: list[OwnFileDocument]
    held: str
    """Why the brake holds artifacts among Coverslip's own; empty where it does not."""


class StoredArtifact(BaseModel):
    """A stored artifact that no record refers to."""

    key: str
    size: int


class ArtifactList(BaseModel):
    """Artifacts that nothing needs."""

    artifacts: list[StoredArtifact]
    kinds: dict[str, int]
    """Kinds that this version has no recipe for, and how many records of each."""
    held: str
    """Why the brake holds; empty where it does not."""


class RemoveBytes(BaseModel):
    """How bytes are removed."""

    model_config = {"extra": "forbid"}

    author: Name = ""
    allow_removal: Annotated[int, Field(ge=0)] = 0
    """A number of artifacts that was reviewed."""


class RemovedBytes(BaseModel):
    """What was removed."""

    rows: int
    files: int
    bytes: int
    problems: list[str]


@router.get("/files", response_model=FileList, responses=responses(400, 403, 503))
def list_files(
    rooms: InRooms,
    layout: Annotated[str, Query(description="Only of this layout.")] = "",
    everything: Annotated[bool, Query(description="All layouts, and Coverslip's own storage.")] = False,
    author: Author = "",
) -> FileList:
    """List files that no record refers to."""
    scope = Scope("file", layout=layout, everything=everything)
    found = loose_files(rooms.catalog, scope, asking(RemoteRules.of(rooms.settings)))
    own = _own(rooms, author) if everything else None
    return FileList(
        files=[LooseFileDocument.model_validate(one) for one in found.files],
        unlisted=list(found.unlisted),
        own=[] if own is None else [OwnFileDocument.model_validate(one) for one in own.files],
        held="" if own is None else own.artifacts.held(),
    )


@router.post("/files/remove", response_model=RemovedBytes, responses=responses(403, 409, 503))
def remove_files(rooms: InRooms, how: RemoveBytes) -> RemovedBytes:
    """Remove what no record refers to from Coverslip's own storage: unused artifacts, and what is left of uploads."""
    removed = remove_own_files(
        *(rooms.catalog, rooms.storage, rooms.settings.uploads_folder, _own(rooms, how.author)),
        actor=how.author,
        command="POST /api/cleanup/files/remove",
        allow=how.allow_removal,
    )
    return RemovedBytes(rows=0, files=removed.files, bytes=removed.bytes, problems=list(removed.problems))


@router.get("/artifacts", response_model=ArtifactList, responses=responses(403, 503))
def list_artifacts_to_remove(rooms: InRooms, author: Author = "") -> ArtifactList:
    """List artifacts that no record refers to, and kinds that this version has no recipe for."""
    plan = _artifacts(rooms, author)
    stored = [StoredArtifact(key=one.key, size=one.size) for one in plan.collected.superseded]
    return ArtifactList(artifacts=stored, kinds=dict(plan.kinds), held=plan.held())


@router.post("/artifacts/remove", response_model=RemovedBytes, responses=responses(403, 409, 503))
def remove_artifacts(rooms: InRooms, how: RemoveBytes) -> RemovedBytes:
    """Remove artifacts that nothing needs. All of them can be made again."""
    rows, removed = remove_artifacts_of(
        *(rooms.catalog, rooms.storage, _artifacts(rooms, how.author)),
        actor=how.author,
        command="POST /api/cleanup/artifacts/remove",
        allow=how.allow_removal,
    )
    return RemovedBytes(rows=rows, files=removed.files, bytes=removed.bytes, problems=list(removed.problems))


def _own(rooms: Rooms, actor: str) -> OwnFiles:
    return own_files(
        *(rooms.catalog, rooms.storage, rooms.settings.uploads_folder),
        grace_seconds=rooms.settings.gc_grace_seconds,
        actor=actor,
        permitted=rooms.permit,
    )


def _artifacts(rooms: Rooms, actor: str) -> ArtifactPlan:
    return plan_artifacts(
        *(rooms.catalog, rooms.storage, KINDS),
        grace_seconds=rooms.settings.gc_grace_seconds,
        actor=actor,
        permitted=rooms.permit,
    )
