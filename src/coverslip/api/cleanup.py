"""The routes of cleanups: plans, applying and undoing them, and the log of removals. For this machine alone."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import BaseModel, Field

from coverslip.api.errors import responses
from coverslip.api.guard import host_name, is_loopback
from coverslip.api.rooms import InRooms
from coverslip.catalog.visible import told_lines
from coverslip.cleanup import apply_plan, asking, make_plan
from coverslip.model.annotations import Name
from coverslip.model.removal import (
    BrakeStop,
    CleanupPlan,
    Kept,
    Removal,
    Scope,
)
from coverslip.model.removed import Applied, AuditEntry, AuditProblem
from coverslip.sources import RemoteRules

FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
"""Headers of a proxy: whoever asked it may be anywhere."""


def only_from_here(request: Request) -> None:
    """Refuse whoever is not on this machine: there are no passwords yet, and these routes remove records.

    The name that was asked for has to mean this machine too, also where the server answers to other names: a web page
    elsewhere may have pointed its own name at 127.0.0.1 (DNS rebinding), and its requests come from a browser here.
    """
    asked_by = request.client.host if request.client is not None else ""
    asked_for = host_name(request.headers.get("host", ""))
    is_forwarded = any(name in request.headers for name in FORWARDED)
    if is_forwarded or not (is_loopback(asked_by) and is_loopback(asked_for)):
        raise HTTPException(403, "cleanups are planned, looked at and applied on the machine of the server alone")


router = APIRouter(prefix="/api", tags=["cleanup"], dependencies=[Depends(only_from_here)])

RecordType = Literal[
    "record", "annotation", "tomogram", "alignment", "tiltseries", "frame", "gain", "identified_object", "image"
]
Number = Annotated[int, Field(ge=1)]
Author = Annotated[Name, Query(description="Who asks.")]


class NewPlan(BaseModel):
    """Which records are looked at."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [{"type": "annotation", "run_id": 4}]}}

    type: RecordType
    """Their type; ``record`` is every one of them but images, which are no records of a layout."""
    dataset_id: Number | None = None
    run_id: Number | None = None
    voxel_spacing_id: Number | None = None
    layout: str = ""
    """Folder or address of a layout that the catalog knows; of images, any folder that they lie below."""
    everything: bool = False
    """Whether the whole catalog is meant. Without it, one of the others has to be given."""
    author: Name = ""
    """Who asks."""

    @property
    def scope(self) -> Scope:
        """The same as the catalog knows it."""
        return Scope(
            self.type,
            self.dataset_id,
            self.run_id,
            self.voxel_spacing_id,
            self.layout,
            everything=self.everything,
        )


class PlanHead(BaseModel):
    """A plan without its rows."""

    id: str
    scope: Scope
    state: Literal["open", "applied", "undone", "purged"]
    actor: str
    command: str
    counts: dict[str, int]
    created_at: datetime
    applied_at: datetime | None
    undone_at: datetime | None


class PlanDocument(PlanHead):
    """A plan with its rows."""

    removals: tuple[Removal, ...]
    """Rows that go."""
    unknown: tuple[Kept, ...]
    """Rows that nobody knows about. They stay."""
    incomplete: tuple[Kept, ...]
    """Rows whose document is there and whose files are not. They stay, and are marked."""
    orphans: tuple[str, ...]
    """Documents that the catalog lacks."""
    stops: tuple[BrakeStop, ...]
    """Where nothing goes before somebody has looked: ``allow_removal`` may let it through."""


class PlanList(BaseModel):
    """Plans, newest first."""

    plans: list[PlanHead]


class ApplyPlan(BaseModel):
    """How a plan is applied."""

    model_config = {"extra": "forbid"}

    author: Name = ""
    """Who removes."""
    allow_removal: Annotated[int, Field(ge=0)] = 0
    """A number that was reviewed: if no more rows go in all, scopes of which many would go are let through; empty ones
    if exactly so many go; those that could not be listed never."""


class UndoPlan(BaseModel):
    """Who undoes a plan."""

    model_config = {"extra": "forbid"}

    author: Name = ""


class AuditLines(BaseModel):
    """Lines of the log, oldest first unless asked for otherwise."""

    lines: list[AuditEntry]


class AuditCheck(BaseModel):
    """Whether the log is as it was written."""

    lines: int
    problems: tuple[AuditProblem, ...]


@router.post(
    "/cleanup/plans",
    response_model=PlanDocument | PlanHead,
    status_code=201,
    responses=responses(400, 403, 404, 409, 503),
)
def create_plan(
    rooms: InRooms,
    new: NewPlan,
    with_rows: Annotated[bool, Query(alias="rows", description="Whether its rows are given too.")] = True,
) -> PlanDocument | PlanHead:
    """Look which records are stale, and keep a plan that would remove them. Nothing is removed."""
    look = asking(RemoteRules.of(rooms.settings))
    plan = make_plan(
        *(rooms.catalog, new.scope, look),
        actor=new.author,
        command="POST /api/cleanup/plans",
        permitted=rooms.permit,
    )
    return PlanDocument(**_values(plan)) if with_rows else PlanHead.model_validate(plan, from_attributes=True)


@router.get("/cleanup/plans", response_model=PlanList, responses=responses(403, 503))
def list_plans(rooms: InRooms, limit: Annotated[int, Query(ge=1, le=1000)] = 100, author: Author = "") -> PlanList:
    """List plans, newest first."""
    plans = rooms.catalog.plans(limit, actor=author, permitted=rooms.permit)
    return PlanList(plans=[PlanHead(**_values(plan)) for plan in plans])


@router.get("/cleanup/plans/{plan_id}", response_model=PlanDocument, responses=responses(403, 404, 503))
def get_plan(rooms: InRooms, plan_id: str, author: Author = "") -> PlanDocument:
    """Return one plan with its rows."""
    return PlanDocument(**_values(rooms.catalog.plan(plan_id, actor=author, permitted=rooms.permit)))


@router.post("/cleanup/plans/{plan_id}/apply", response_model=Applied, responses=responses(403, 404, 409, 503))
def apply(rooms: InRooms, plan_id: str, how: ApplyPlan) -> Applied:
    """Remove what a plan says, unless anything in it changed since it was made."""
    look = asking(RemoteRules.of(rooms.settings))
    done = apply_plan(rooms.catalog, plan_id, look, actor=how.author, permitted=rooms.permit, allow=how.allow_removal)
    rooms.wake.set()
    return done


@router.post("/cleanup/plans/{plan_id}/undo", response_model=Applied, responses=responses(403, 404, 409, 503))
def undo(rooms: InRooms, plan_id: str, who: UndoPlan) -> Applied:
    """Bring back what a plan removed: the same records with their numbers and artifacts."""
    done = rooms.catalog.undo_plan(plan_id, actor=who.author, permitted=rooms.permit)
    rooms.wake.set()
    return done


@router.get("/audit", response_model=AuditLines, responses=responses(403, 503))
def list_audit(  # noqa: PLR0917  one for each parameter
    rooms: InRooms,
    plan_id: Annotated[str | None, Query(description="Only what this plan did.")] = None,
    after: Annotated[int, Query(ge=0, description="Only lines after this one.")] = 0,
    before: Annotated[int | None, Query(ge=1, description="Only lines before this one.")] = None,
    newest: Annotated[bool, Query(description="Newest line first.")] = False,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    author: Author = "",
) -> AuditLines:
    """List what was removed, brought back and purged, by whom and why, and how each record was before."""
    lines = rooms.catalog.audit(plan_id=plan_id, after=after, before=before, newest=newest, limit=limit)
    return AuditLines(lines=told_lines(lines, author, rooms.permit))


@router.get("/audit/check", response_model=AuditCheck, responses=responses(403, 503))
def check_audit(rooms: InRooms) -> AuditCheck:
    """Check that no line of the log was changed, removed or put elsewhere."""
    lines, problems = rooms.catalog.verify_audit()
    return AuditCheck(lines=lines, problems=problems)


def _values(plan: CleanupPlan) -> dict[str, Any]:
    return {name: getattr(plan, name) for name in CleanupPlan.__slots__ if name != "complete"}
