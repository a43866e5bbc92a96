"""Annotations as objects of SQLAlchemy with relationships, and their deletion in the natural way: one by one."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ForeignKey, create_engine, insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from coverslip.catalog.address import parse_address

CASCADE = "all, delete-orphan"
SHAPES, AUTHORS = 3, 3
ROWS_EACH = 1 + 2 * SHAPES + AUTHORS + 1
"""Of one annotation with its shapes, a file of each, its authors and a link: eleven."""


class Base(DeclarativeBase):
    """The tables of this module."""


class Annotation(Base):
    """An annotation."""

    __tablename__ = "annotation"
    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str]
    shapes: Mapped[list["Shape"]] = relationship(cascade=CASCADE)
    authors: Mapped[list["Author"]] = relationship(cascade=CASCADE)
    links: Mapped[list["Link"]] = relationship(cascade=CASCADE)


class Shape(Base):
    """A shape of an annotation."""

    __tablename__ = "shape"
    id: Mapped[int] = mapped_column(primary_key=True)
    annotation_id: Mapped[int] = mapped_column(ForeignKey("annotation.id"), index=True)
    name: Mapped[str]
    files: Mapped[list["File"]] = relationship(cascade=CASCADE)


class File(Base):
    """A file of a shape."""

    __tablename__ = "file"
    id: Mapped[int] = mapped_column(primary_key=True)
    shape_id: Mapped[int] = mapped_column(ForeignKey("shape.id"), index=True)
    path: Mapped[str]


class Author(Base):
    """An author of an annotation."""

    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    annotation_id: Mapped[int] = mapped_column(ForeignKey("annotation.id"), index=True)
    name: Mapped[str]


class Link(Base):
    """A link to a method."""

    __tablename__ = "link"
    id: Mapped[int] = mapped_column(primary_key=True)
    annotation_id: Mapped[int] = mapped_column(ForeignKey("annotation.id"), index=True)
    url: Mapped[str]


def fill(url: str, count: int) -> None:
    """Write so many annotations with everything that belongs to them."""
    engine = create_engine(parse_address(url).url)
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        for table, rows in _rows(count):
            connection.execute(insert(table), rows)
    engine.dispose()


def _rows(count: int) -> Iterator[tuple[type[Base], list[dict[str, Any]]]]:
    every = range(1, count + 1)
    yield Annotation, [{"id": one, "path": f"{one}/membrane-1.0.json"} for one in every]
    shapes = [
        {"id": one * SHAPES + place, "annotation_id": one, "name": "Point"} for one in every for place in range(SHAPES)
    ]
    yield Shape, shapes
    yield File, [{"id": one["id"], "shape_id": one["id"], "path": f"{one['id']}.ndjson"} for one in shapes]
    yield (
        Author,
        [{"annotation_id": one, "name": f"author {place}"} for one in every for place in range(AUTHORS)],
    )
    yield Link, [{"annotation_id": one, "url": "https://example.org"} for one in every]


def delete_each(url: str) -> int:
    """Delete every annotation as an object, with what its relationships hold, in one transaction; return how many."""
    engine = create_engine(parse_address(url).url)
    count = 0
    with Session(engine) as session:
        for row in session.scalars(select(Annotation)).all():
            session.delete(row)
            count += 1
        session.commit()
    engine.dispose()
    return count
