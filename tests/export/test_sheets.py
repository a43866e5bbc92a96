"""Contact sheets: one page in HTML with a small picture of each item and links to the files, read by an HTML parser."""

import base64
import io
import re
import time
import tracemalloc
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import numpy as np
import pytest
from PIL import Image

from coverslip.catalog import Catalog
from coverslip.export import Job
from coverslip.model.exporting import ExportResult
from tests.export.making import expected, planes_of, write_fields, write_plane
from tests.export.test_pictures import MODES, box_of, items_of


class Page(HTMLParser):
    """What is on a page: tags, links, pictures and texts."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.pictures: list[np.ndarray[Any, Any]] = []
        self.captions: list[str] = []
        self.said: list[str] = []
        self.outside: list[str] = []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        values = {name: value or "" for name, value in attrs}
        if tag == "a":
            self.links.append(values["href"])
        for name, value in values.items():
            if name == "src" and value.startswith(("data:image/jpeg;base64,", "data:image/png;base64,")):
                with Image.open(io.BytesIO(base64.b64decode(value.partition(",")[2]))) as picture:
                    self.pictures.append(np.asarray(picture.convert("RGB")))
            elif name == "src" or name.startswith("on") or "://" in value:
                self.outside.append(f"{tag} {name}={value}")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "figcaption" and data.strip():
            self.captions.append(data)
        elif self.tags and self.tags[-1] == "p" and data.strip():
            self.said.append(data)


def page_of(folder: Path) -> Page:
    (path,) = folder.glob("contact-sheet-*.html")
    return Page(path)


@pytest.mark.parametrize("form", ["png", "ome-zarr", "svg"])
@pytest.mark.parametrize("mode", MODES)
def test_a_page_shows_each_item_and_links_to_its_file(images: Path, tmp_path: Path, mode: Any, form: str) -> None:
    job = Job(mode, items_of(mode, images), "Two", tmp_path / "out", form, {"contact_sheet": True})
    assert job.start().state == "completed", job.results()
    page = page_of(tmp_path / "out")
    assert page.links == [f"./{job.results()[0].path}"]
    assert (tmp_path / "out" / page.links[0]).exists()
    assert page.captions == [job.results()[0].item_id]
    right = expected(planes_of(1), ("DNA", "CD3"), box_of(mode))
    np.testing.assert_array_equal(page.pictures[0], right)


def test_a_page_holds_all_it_needs_and_no_script(images: Path, tmp_path: Path) -> None:
    Job("fov", images, "Two", tmp_path, "png", {"contact_sheet": {"title": "<script>alert(1)</script>"}}).start()
    page = page_of(tmp_path)
    assert "script" not in page.tags
    assert page.outside == []
    assert {"link", "iframe", "object"} & set(page.tags) == set()


def test_pictures_of_large_fields_are_small_means_without_scale_bar(tmp_path: Path) -> None:
    images = write_fields(tmp_path / "data", names=("A",))
    look = {"contact_sheet": {"side": 20}, "scale_bar": {"color": "#ff00ff", "thickness": 20, "length_um": 20}}
    assert Job("fov", images, "Two", tmp_path / "out", "png", look).start().state == "completed"
    (picture,) = page_of(tmp_path / "out").pictures
    assert picture.shape == (14, 20, 3)
    assert (picture[..., 0] < 60).all()  # nothing red, as the bar would be


def test_larger_pictures_are_jpeg(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "Big"
    folder.mkdir(parents=True)
    pixels = np.tile(np.linspace(0, 1000, 300, dtype=np.uint16), (200, 1))
    write_plane(folder / "DNA.tiff", pixels)
    markers = {"name": "one", "channels": [{"channel": "DNA", "color": "white", "high": 1000}]}
    job = Job("fov", folder, markers, tmp_path / "out", "png", {"contact_sheet": {"side": 100}})
    assert job.start().state == "completed", job.results()
    (path,) = (tmp_path / "out").glob("contact-sheet-*.html")
    assert "data:image/jpeg;base64," in path.read_text()
    (picture,) = page_of(tmp_path / "out").pictures
    assert picture.shape == (67, 100, 3)
    assert np.abs(picture[..., 1].mean(axis=0) - np.linspace(0.4, 254.6, 100)).max() < 6


def test_captions_may_name_columns_of_the_table(images: Path, tmp_path: Path) -> None:
    sheet = {"caption": "{fov}/{label}: {cluster} {width}x{height}"}
    job = Job(
        "cells", {"data": images, "ids": ["A:2", "B:7"], "size": 10}, "Two", tmp_path, "png", {"contact_sheet": sheet}
    )
    assert job.start().message is None
    assert page_of(tmp_path).captions == ["A/2: tumour 10x10", "B/7: immune 10x10"]


def test_items_that_failed_have_their_message_and_no_link(images: Path, tmp_path: Path) -> None:
    (images / "A" / "CD3.tiff").unlink()
    assert Job("fov", images, "Two", tmp_path, "png", {"contact_sheet": True}).start().state == "partial"
    page = page_of(tmp_path)
    assert len(page.pictures) == 1
    assert page.links == ["./B.png"]
    assert page.captions == ["A", "B"]
    assert page.said[0].startswith("MissingChannelError: field of view 'A' has no channel 'CD3'")


def test_names_with_other_letters_are_linked(tmp_path: Path) -> None:
    images = write_fields(tmp_path / "data", names=("Fläche 1#2",))
    job = Job("fov", images, "Two", tmp_path / "out", "png", {"contact_sheet": True, "name": "ä/{fov}+%"})
    assert job.start().state == "completed"
    (link,) = page_of(tmp_path / "out").links
    assert link.isascii()
    assert (tmp_path / "out" / unquote(urlparse(link).path)).is_file()


def test_items_of_a_gallery_are_linked_to_their_page(images: Path, tmp_path: Path) -> None:
    Job("fov", images, "Two", tmp_path, "pdf", {"gallery": "1x1", "contact_sheet": True}).start()
    assert page_of(tmp_path).links == ["./gallery.pdf#page=1", "./gallery.pdf#page=2"]


def test_the_page_is_the_same_each_time_and_comes_back_when_it_is_gone(images: Path, tmp_path: Path) -> None:
    with Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite'}", versions={}) as catalog:
        job = Job("fov", images, "Two", tmp_path / "out", "png", {"contact_sheet": True}, catalog=catalog)
        job.start()
        (path,) = (tmp_path / "out").glob("contact-sheet-*.html")
        before = path.read_bytes()
        path.unlink()
        assert Job.kept(job.id, catalog).resume().state == "completed"
        assert path.read_bytes() == before


def test_a_job_that_is_cancelled_has_no_page_until_it_is_done(images: Path, tmp_path: Path) -> None:
    job = Job("cells", {"data": images, "size": 8}, "Two", tmp_path, "png", {"contact_sheet": True, "per_second": 5})

    def cancel(_: ExportResult) -> None:
        job.cancel()

    job.on_item = cancel
    assert job.start().state == "cancelled"
    assert not list(tmp_path.glob("contact-sheet*"))
    job.on_item = None
    assert job.resume().state == "completed"
    assert len(page_of(tmp_path).pictures) == 6


def test_a_page_of_thousands_of_items_takes_little_memory(tmp_path: Path) -> None:
    from coverslip.export.sheets import write_sheet
    from coverslip.readers import open_image

    images = write_fields(tmp_path / "data", names=("A",))
    rows = ["fov,label,centroid-0,centroid-1", *(f"A,{n},20,30" for n in range(3000))]
    (tmp_path / "cells.csv").write_text("\n".join(rows))
    choice = {"data": images, "table": tmp_path / "cells.csv", "size": 30}
    job = Job("cells", choice, "Two", tmp_path / "out", "png", {"contact_sheet": {"side": 64}})
    plan, items = job.plan, job.items()
    began = time.process_time()
    tracemalloc.start()
    assert plan.request.contact_sheet is not None
    write_sheet(plan, plan.request.contact_sheet, tmp_path / "page.html", items, open_file=open_image)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(re.findall("<figure>", (tmp_path / "page.html").read_text())) == 3000
    assert peak < 32e6  # the page itself has 5 MB
    assert time.process_time() - began < 120
