"""The routes that look through a plan of a cleanup a page at a time; only looking. For this machine alone."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from coverslip.api.cleanup import Author, PlanHead, only_from_here
from coverslip.api.errors import responses
from coverslip.api.rooms import InRooms, Rooms
from coverslip.model.plan_pages import GroupTotals, RowTotals
from coverslip.model.removal import BrakeStop, Kept, Removal

LARGEST_SKIP = 2**31 - 1

router = APIRouter(prefix="/api/cleanup/plans/{plan_id}", tags=["cleanup"], dependencies=[Depends(only_from_here)])


@dataclass(frozen=True, slots=True)
class Slice:
    """Which rows of a list are given, and to whom."""

    skip: Annotated[int, Query(ge=0, le=LARGEST_SKIP, description="How many are left out first.")] = 0
    limit: Annotated[int, Query(ge=1, le=1000, description="How many at most.")] = 100
    author: Author = ""

    def asked(self, rooms: Rooms) -> dict[str, Any]:
        """Return what the catalog is asked with."""
        return {"skip": self.skip, "limit": self.limit, "actor": self.author, "permitted": rooms.permit}


InSlice = Annotated[Slice, Depends()]


class PlanReportDocument(BaseModel):
    """What a plan comes to, and a page of the groups of its rows."""

    plan: PlanHead
    totals: RowTotals
    going: int
    """Rows that go when it is applied and no number is allowed; the brake holds the others."""
    complete: int
    """Rows that are marked as incomplete and are so no more: applying it takes the mark off."""
    stops: tuple[BrakeStop, ...]
    """The first scopes in which the brake holds; ``counts`` of the plan tell how many there are."""
    total: int
    """Groups there are."""
    groups: tuple[GroupTotals, ...]
    """Some of them: rows that lie in the same dataset, run and voxel spacing."""


class RemovalPage(BaseModel):
    """Some of the rows that go."""

    total: int
    rows: tuple[Removal, ...]


class KeptPage(BaseModel):
    """Some of the rows that stay although they are not as they should be."""

    total: int
    rows: tuple[Kept, ...]


class OrphanPage(BaseModel):
    """Some of the documents that the catalog lacks, as places."""

    total: int
    rows: tuple[str, ...]


@router.get("/report", response_model=PlanReportDocument, responses=responses(403, 404, 422, 503))
def get_report(rooms: InRooms, plan_id: str, some: InSlice) -> PlanReportDocument:
    """Return what a plan comes to, and a page of its groups."""
    found = rooms.catalog.plan_report(plan_id, **some.asked(rooms))
    return PlanReportDocument(
        plan=PlanHead.model_validate(found.plan, from_attributes=True),
        totals=found.totals,
        going=found.going,
        complete=found.complete,
        stops=found.stops,
        total=found.total,
        groups=found.groups,
    )


@router.get("/removals", response_model=RemovalPage, responses=responses(403, 404, 422, 503))
def list_removals(
    rooms: InRooms,
    plan_id: str,
    some: InSlice,
    group: Annotated[int | None, Query(ge=0, description="Only those of this group of the report.")] = None,
    duplicates: Annotated[bool, Query(description="Only those that become part of another row.")] = False,
) -> RemovalPage:
    """Return a page of the rows that go."""
    found = rooms.catalog.plan_removals(plan_id, group=group, duplicates=duplicates, **some.asked(rooms))
    return RemovalPage(total=found.total, rows=found.rows)


@router.get("/kept", response_model=KeptPage, responses=responses(403, 404, 422, 503))
def list_kept(
    rooms: InRooms,
    plan_id: str,
    some: InSlice,
    state: Annotated[Literal["unknown", "incomplete"], Query(description="Which of them.")],
) -> KeptPage:
    """Return a page of the rows that stay: nobody knows about them, or files of them are missing."""
    found = rooms.catalog.plan_kept(plan_id, state, **some.asked(rooms))
    return KeptPage(total=found.total, rows=found.rows)


@router.get("/orphans", response_model=OrphanPage, responses=responses(403, 404, 422, 503))
def list_orphans(rooms: InRooms, plan_id: str, some: InSlice) -> OrphanPage:
    """Return a page of the documents in the layout that the catalog lacks."""
    found = rooms.catalog.plan_orphans(plan_id, **some.asked(rooms))
    return OrphanPage(total=found.total, rows=found.rows)
