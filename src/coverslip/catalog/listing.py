"""Conditions and orders of lists of images, as SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    Text,
    and_,
    bindparam,
    cast,
    column,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    table,
    tuple_,
)
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.orm import InstrumentedAttribute

from coverslip.catalog.facts import as_line, words_of
from coverslip.catalog.tables import FULL_TEXT, Facts, Image
from coverslip.catalog.types import UtcTime, folded
from coverslip.model.search import Cursor, ImageFilter, Key, Sort, to_utc

_INDEX = table(FULL_TEXT, column("rowid"))


def matches_text(question: str, *, is_sqlite: bool) -> ColumnElement[bool] | None:
    """Return the condition of a search in words; ``None`` where nothing is asked for.

    An image is found by part of its name or file name, in which nothing is special; or by all the words of the
    question, the last of which may be the beginning of one, anywhere in its text.
    """
    text = folded(question).strip()
    if not text:
        return None
    in_name = Image.search.contains(text, autoescape=True)
    words = words_of(question)
    if not words:
        return in_name
    return or_(in_name, Image.id.in_(_found_by(words, is_sqlite=is_sqlite)))


def _found_by(words: list[str], *, is_sqlite: bool) -> Select[str]:
    """Return the query for images with these words. They are letters and digits only, and quoted all the same."""
    found = select(Facts.image_id)
    if is_sqlite:
        question = " ".join(f'"{word}"' for word in words) + " *"
        matching = select(_INDEX.c.rowid).where(literal_column(FULL_TEXT).op("MATCH")(literal(question, Text())))
        return found.where(Facts.id.in_(matching))
    question = " & ".join(f"'{word}'" for word in words) + ":*"
    return found.where(Facts.text.op("@@")(cast(literal(question, Text()), TSQUERY)))


def matches_filter(given: ImageFilter) -> list[ColumnElement[bool]]:
    """Return the conditions on facts."""
    conditions: list[ColumnElement[bool]] = []
    if given.format is not None:
        wanted = as_line(given.format)
        conditions.append(or_(Facts.format == wanted, Facts.variant == wanted) if wanted else false())
    if given.channel is not None:
        conditions.append(Facts.channels.contains(as_line(given.channel), autoescape=True))
    if given.objective is not None:
        conditions.append(Facts.objective.contains(as_line(given.objective), autoescape=True))
    if given.min_pixel_size is not None:
        conditions.append(Facts.pixel_size_um >= given.min_pixel_size)
    if given.max_pixel_size is not None:
        conditions.append(Facts.pixel_size_um <= given.max_pixel_size)
    if given.acquired_after is not None:
        conditions.append(Facts.acquired_at >= given.acquired_after)
    if given.acquired_before is not None:
        conditions.append(Facts.acquired_at < given.acquired_before)
    return conditions


@dataclass(frozen=True, slots=True)
class Order:
    """One order of a list, total: the identifier decides last, so every image has one place in it."""

    sort: Sort

    @property
    def is_falling(self) -> bool:
        """Whether the largest comes first."""
        return self.sort.startswith("-")

    @property
    def columns(self) -> tuple[InstrumentedAttribute[Any], ...]:
        """What decides, most important first."""
        if self.sort in {"added", "-added"}:
            return (Image.created_at, Image.place, Image.id)
        return (_BY[self.sort.removeprefix("-")], Facts.image_id)

    @property
    def has_facts(self) -> bool:
        """Whether it goes by something in the facts."""
        return self.columns[0].class_ is Facts

    @property
    def _has_gaps(self) -> bool:
        return bool(self.columns[0].property.columns[0].nullable)

    def clauses(self, columns: Sequence[Any]) -> list[ColumnElement[Any]]:
        """Return what goes into ORDER BY. What is unknown comes last, both ways round."""
        gaps: list[ColumnElement[Any]] = [columns[0].is_(None)] if self._has_gaps else []
        return gaps + [one.desc() if self.is_falling else one.asc() for one in columns]

    def cursor_of(self, row: Any) -> Cursor:
        """Return the place of a row that has the keys of a page."""
        found: Mapping[str, Any] = row._mapping
        values = (found[f"key_{position}"] for position in range(len(self.columns)))
        return Cursor(self.sort, tuple(one.isoformat() if isinstance(one, datetime) else one for one in values))

    def after(self, cursor: Cursor) -> ColumnElement[bool]:
        """Return the condition for everything behind a place.

        Comparing rows of values is what both databases answer from an index with these columns.
        """
        first, *rest = cursor.key
        if self._has_gaps and first is None:
            return and_(self.columns[0].is_(None), self._beyond(self.columns[1:], rest))
        behind = self._beyond(self.columns, [first, *rest])
        return or_(self.columns[0].is_(None), behind) if self._has_gaps else behind

    def _beyond(self, columns: tuple[InstrumentedAttribute[Any], ...], key: list[Key]) -> ColumnElement[bool]:
        there = tuple_(*columns)
        here = tuple_(*(_bound(one, value) for one, value in zip(columns, key, strict=True)))
        return there < here if self.is_falling else there > here


_BY: Mapping[str, InstrumentedAttribute[Any]] = {
    "name": Facts.name,
    "acquired": Facts.acquired_at,
    "size": Facts.pixels,
    "pixel_size": Facts.pixel_size_um,
}


def _bound(one: InstrumentedAttribute[Any], value: Key) -> ColumnElement[Any]:
    """Return a value of a cursor as one that is compared with a column."""
    kind = one.property.columns[0].type
    time = to_utc(value) if isinstance(kind, UtcTime) and isinstance(value, str) else None
    return bindparam(None, value if time is None else time, kind, unique=True)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The images somebody asks for, in an order."""

    conditions: Sequence[ColumnElement[bool]]
    order: Order
    with_facts: bool

    @classmethod
    def of(cls, q: str | None, having: ImageFilter, sort: Sort, *, is_sqlite: bool) -> Self:
        """Return the images that are not deleted and meet all of this."""
        order, facts = Order(sort), matches_filter(having)
        found = matches_text(q, is_sqlite=is_sqlite) if q else None
        shown = [Image.deleted_at.is_(None), *facts, *([] if found is None else [found])]
        return cls(shown, order, bool(facts) or order.has_facts)

    def count(self) -> Select[Any]:
        """Return the query for how many there are."""
        return self._from(select(func.count().label("total")).select_from(Image))

    def page(self, skip: int, limit: int, after: Cursor | None) -> Subquery:
        """Return a page of identifiers (``id``) and of what they are sorted by (``key_0`` ...).

        Only these short columns are sorted and skipped; the records are looked up for what is left.
        """
        keys = [one.label(f"key_{position}") for position, one in enumerate(self.order.columns)]
        page = self._from(select(Image.id, *keys).order_by(*self.order.clauses(self.order.columns)))
        if after is not None:
            page = page.where(self.order.after(after))
        return page.offset(skip).limit(limit).subquery()

    def sorted_keys(self, page: Subquery) -> list[ColumnElement[Any]]:
        """Return what goes into the ORDER BY of a query that looks up the records of a page."""
        return self.order.clauses(self.keys(page))

    def keys(self, page: Subquery) -> list[ColumnElement[Any]]:
        """Return what a page is sorted by, for ``Order.cursor_of``."""
        return [page.c[f"key_{position}"] for position in range(len(self.order.columns))]

    def _from(self, wanted: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
        joined = wanted.join(Facts, Facts.image_id == Image.id) if self.with_facts else wanted
        return joined.where(*self.conditions)
