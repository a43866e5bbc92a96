"""For every kind and every way a source can change: just what follows is stale, and what is built is the recipe's."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import psycopg
import pytest
import tifffile
from sqlalchemy import make_url

from coverslip.catalog import Catalog
from coverslip.cleanup import plan_purge, purge
from coverslip.derive import KINDS, VERSIONS, Builder, Subject, open_catalog
from coverslip.derive.kind import by_name
from coverslip.ingest import add
from coverslip.model.annotations import Annotation, AnnotationContent, Box, Frames
from coverslip.storage import Storage, open_storage
from tests.flows.recipes import by_recipe
from tests.services.postgres import postgres

FRAMES = 24
PLAIN = {name: kind for name, kind in KINDS.items() if kind.of != "entity" and not kind.follows}
"""What shows entities and annotations has a flow of its own: ``test_views_follow``."""
PLAIN = {name: kind for name, kind in PLAIN.items() if set(kind.needs) <= PLAIN.keys()}
OF_IMAGE = sorted(name for name, kind in PLAIN.items() if kind.of == "image")
OF_ANNOTATION = sorted(name for name, kind in PLAIN.items() if kind.of == "annotation")
ALL = sorted(PLAIN)

Names = set[tuple[str, str]]
"""Artifacts: the kind, and ``image`` or the name of the annotation."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as address:
        yield address


@dataclass
class Lab:
    """A film with two annotations, every kind of both asked for and fresh; and another film that nobody touches."""

    folder: Path
    url: str
    catalog: Catalog
    storage: Storage
    image_id: str = ""
    left: str = ""
    right: str = ""

    @property
    def film(self) -> Path:
        return self.folder / "images" / "film.tif"

    def builder(self) -> Builder:
        return Builder(self.catalog, self.storage, lease_seconds=30)

    def write(self, seed: int, frames: int = FRAMES, path: Path | None = None) -> None:
        """Write a film of noise."""
        place = path or self.film
        place.parent.mkdir(exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 4000, (frames, 30, 40), dtype=np.uint16)
        tifffile.imwrite(place, pixels, imagej=True, metadata={"axes": "TYX"})

    def add(self) -> None:
        add([self.film.parent], catalog=self.catalog)

    def annotate(self, first: int, last: int) -> str:
        content = AnnotationContent(frames=Frames(first=first, last=last))
        return self.catalog.create_annotation(self.image_id, content, tiled=True).annotation.id

    def save(self, annotation_id: str, **changes: Any) -> None:
        revision = self.catalog.annotation(annotation_id).revision
        self.catalog.save_annotation(annotation_id, changes, revision=revision, author="ada", tiled=True)

    def delete(self, annotation_id: str) -> None:
        revision = self.catalog.annotation(annotation_id).revision
        self.catalog.delete_annotation(annotation_id, revision=revision, tiled=True)

    def name_of(self, annotation_id: str | None) -> str:
        return {None: "image", self.left: "left", self.right: "right"}.get(annotation_id, "new")

    def stale(self) -> Names:
        """Return what is stale; the other film must not be."""
        found = self.catalog.artifacts(VERSIONS, state="stale", limit=1000).artifacts
        assert {one.image_id for one in found} <= {self.image_id}
        return {(one.kind, self.name_of(one.annotation_id)) for one in found}

    def settle(self) -> None:
        """Build everything and see that it is what the recipes give now."""
        builder = self.builder()
        while (outcome := builder.build_next()) is not None:
            assert outcome.state == "built", outcome.error
        assert self.stale() == set()
        page = self.catalog.artifacts(VERSIONS, state="fresh", limit=1000)
        for record in page.artifacts:
            image = self.catalog.get_image(record.image_id)
            annotation = None if record.annotation_id is None else self.catalog.annotation(record.annotation_id)
            assert record.key is not None
            assert self.storage.read(record.key) == by_recipe(KINDS[record.kind], Subject(image, annotation))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.service)])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'catalog.sqlite'}"
    else:
        server: str = request.getfixturevalue("server")
        name = f"test_{uuid4().hex}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        url = make_url(server).set(database=name).render_as_string(hide_password=False)
    with open_catalog(url) as catalog:
        lab = Lab(tmp_path, url, catalog, open_storage(str(tmp_path / "artifacts")))
        lab.write(1)
        lab.write(2, path=lab.film.with_name("other.tif"))
        lab.add()
        ids = {image.filename: image.id for image in catalog.list_images().images}
        lab.image_id = ids["film.tif"]
        lab.left, lab.right = lab.annotate(0, 9), lab.annotate(10, 19)
        lab.builder().ensure("thumbnail", ids["other.tif"], 20)
        for kind in ALL:
            for annotation_id in (None,) if KINDS[kind].of == "image" else (lab.left, lab.right):
                lab.builder().ensure(kind, lab.image_id, 20, annotation_id)
        lab.settle()
        yield lab


def of(*who: str) -> Names:
    """Return all artifacts of the image or of annotations."""
    return {(kind, one) for one in who for kind in (OF_IMAGE if one == "image" else OF_ANNOTATION)}


def change_file(lab: Lab) -> None:
    lab.write(3)
    lab.add()


def lose_and_find(lab: Lab) -> None:
    """Move the file away and another back in its place."""
    lab.film.rename(lab.folder / "away.tif")
    lab.add()
    lab.write(4)
    lab.add()


def save_frames_of_left(lab: Lab) -> None:
    lab.save(lab.left, frames={"axis": "t", "first": 0, "last": 12})


def save_box(lab: Lab) -> None:
    lab.save(lab.right, box={"x": 3, "y": 4, "width": 20, "height": 10})


def save_words(lab: Lab) -> None:
    lab.save(lab.right, label="division", text="two cells", stages={"boundaries": "done", "text": "annotate"})


def save_shapes(lab: Lab) -> None:
    lab.save(lab.right, shapes=[{"type": "points", "points": [{"x": 1, "y": 2}]}])


def save_the_same(lab: Lab) -> None:
    lab.save(lab.left, frames={"axis": "t", "first": 0, "last": 9})


def undo_a_save(lab: Lab) -> None:
    save_frames_of_left(lab)
    lab.settle()
    lab.catalog.undo_annotation(lab.left)


def delete_left(lab: Lab) -> None:
    lab.delete(lab.left)


def delete_and_undo(lab: Lab) -> None:
    lab.delete(lab.left)
    lab.catalog.undo_annotation(lab.left)


def delete_change_and_undo(lab: Lab) -> None:
    """While it was away, the file changed."""
    lab.delete(lab.left)
    change_file(lab)
    lab.settle()
    lab.catalog.undo_annotation(lab.left)


def delete_image_and_restore(lab: Lab) -> None:
    lab.catalog.delete_image(lab.image_id)
    lab.catalog.restore_image(lab.image_id)


def purge_image_and_restore(lab: Lab) -> None:
    lab.catalog.delete_image(lab.image_id)
    purge(lab.catalog, lab.storage, lab.folder / "uploads", plan_purge(lab.catalog, older_than_days=-1))
    lab.catalog.restore_image(lab.image_id)


def annotate_more(lab: Lab) -> None:
    lab.annotate(20, 23)


def annotate_between(lab: Lab) -> None:
    """Both neighbours give way."""
    lab.annotate(8, 12)


NEW = {("combined", "new")}
ALWAYS = {("thumbnail", "image"), ("combined", "left"), ("combined", "right")}
CHANGES: list[tuple[Callable[[Lab], None], Names]] = [
    (change_file, of("image", "left", "right")),
    (lose_and_find, of("image", "left", "right")),
    (save_frames_of_left, of("left", "right")),
    (save_box, of("right")),
    (save_words, set()),
    (save_shapes, set()),
    (save_the_same, set()),
    (undo_a_save, of("left", "right")),
    (delete_left, set()),
    (delete_and_undo, set()),
    (delete_change_and_undo, of("left")),
    (delete_image_and_restore, set()),
    (purge_image_and_restore, ALWAYS),
    (annotate_more, NEW),
    (annotate_between, NEW | of("left", "right")),
]


@pytest.mark.parametrize(("change", "expected"), CHANGES, ids=[change.__name__ for change, _ in CHANGES])
def test_just_what_follows_is_stale(lab: Lab, change: Callable[[Lab], None], expected: Names) -> None:
    change(lab)
    assert lab.stale() == expected
    lab.settle()


def test_each_knows_why_it_is_stale(lab: Lab) -> None:
    save_frames_of_left(lab)
    causes = {
        lab.name_of(one.annotation_id): one.cause for one in lab.catalog.artifacts(VERSIONS, state="stale").artifacts
    }
    assert causes == {
        "left": "save by ada: frames 0 to 12 along t",
        "right": "neighbour by ada: beside frames 0 to 12 along t",
    }
    lab.settle()
    lab.catalog.undo_annotation(lab.left, author="bob")
    causes = {
        lab.name_of(one.annotation_id): one.cause for one in lab.catalog.artifacts(VERSIONS, state="stale").artifacts
    }
    assert causes == {
        "left": "undo by bob: frames 0 to 9 along t",
        "right": "undo by bob: beside frames 0 to 9 along t",
    }


def test_a_file_that_comes_back_as_it_was(lab: Lab) -> None:
    """Between two looks of ``add`` it was another, and something was made of that."""
    as_it_was = lab.folder / "as_it_was.tif"
    shutil.copy2(lab.film, as_it_was)
    lab.write(6)
    lab.catalog.mark("thumbnail", [lab.image_id])
    lab.builder().ensure("thumbnail", lab.image_id, 20)
    shutil.copy2(as_it_was, lab.film)
    lab.add()
    assert lab.stale() == of("image", "left", "right")
    lab.settle()


@pytest.mark.parametrize("name", ALL)
def test_a_new_recipe_makes_all_of_its_kind_stale(lab: Lab, name: str) -> None:
    kind: Any = KINDS[name]
    kinds = by_name({**KINDS, name: replace(kind, version=kind.version + 1)}.values())
    versions = {one.name: one.version for one in kinds.values()}
    stale = lab.catalog.artifacts(versions, state="stale", limit=1000).artifacts
    of_film = {(one.kind, lab.name_of(one.annotation_id)) for one in stale if one.image_id == lab.image_id}
    assert of_film == {(name, "image")} if kind.of == "image" else {(name, "left"), (name, "right")}
    builder = Builder(lab.catalog, lab.storage, lease_seconds=30, kinds=kinds)
    built = 0
    while builder.build_next() is not None:
        built += 1
    assert built == len(stale), "the same bytes came out: nothing that is made of them is built"
    assert lab.catalog.artifacts(versions, state="stale").total == 0


def test_an_annotation_that_does_not_fit_any_more_is_a_row_that_says_so(lab: Lab) -> None:
    lab.write(5, frames=12)
    lab.add()
    builder = lab.builder()
    while builder.build_next() is not None:
        pass
    assert lab.stale() == of("right")
    failed = lab.catalog.artifacts(VERSIONS, state="failed").artifacts
    assert {(one.kind, one.annotation_id) for one in failed} == {(kind, lab.right) for kind in OF_ANNOTATION}
    for one in failed:
        assert "frames 10 to 19 along t do not fit the image any more: it has 12 now" in str(one.error)
    lab.save(lab.right, frames={"axis": "t", "first": 10, "last": 11})
    lab.settle()


def test_a_wrong_mark_would_be_noticed(lab: Lab) -> None:
    """What is compared with is the recipe's own output: other sources give other bytes."""
    image = lab.catalog.get_image(lab.image_id)
    left, right = (lab.catalog.annotation(one) for one in (lab.left, lab.right))
    boxed: Annotation = left.model_copy(update={"box": Box(x=0, y=0, width=9, height=9)})
    for name in OF_ANNOTATION:
        made = {by_recipe(KINDS[name], Subject(image, one)) for one in (left, right, boxed)}
        assert len(made) == 3
