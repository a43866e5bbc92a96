from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from coverslip.catalog import Catalog
from coverslip.model.exporting import ExportJob
from coverslip.notebook import BatchExport, Viewer
from tests.export.making import roi, write_fields, write_rois

type Heard = list[tuple[dict[str, Any], list[bytes]]]
"""Messages that a page would have got: content and buffers."""


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Return a folder of two small fields of view with three regions each."""
    images = write_fields(tmp_path / "data")
    boxes = {"left": (0, 20, 0, 20), "right": (30, 60, 10, 40), "low": (10, 30, 20, 40)}
    write_rois(images, [roi(name, fov, box, tags=name) for fov in ("A", "B") for name, box in boxes.items()])
    return images


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite'}", versions={}) as opened:
        yield opened


@pytest.fixture
def opened() -> Iterator[Callable[..., BatchExport]]:
    """Return what makes widgets that are closed afterwards."""
    made: list[BatchExport] = []

    def make(data: Path, *args: Any, **choices: Any) -> BatchExport:
        widget = BatchExport(data, *args, **{"catalog": None, **choices})
        made.append(widget)
        assert widget.settle(20)
        return widget

    yield make
    for one in made:
        one.close()


def say(widget: BatchExport | Viewer, /, **content: Any) -> Heard:
    """Send a widget what a page would send, and return what it answers."""
    heard: Heard = []
    usual = widget.send
    widget.send = lambda said, buffers=None: heard.append((said, list(buffers or ())))
    try:
        widget._handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})
        assert widget.settle(20)
    finally:
        widget.send = usual
    return heard


def finished(widget: BatchExport) -> ExportJob:
    """Return how a job stands when it is over."""
    found = widget.wait(30)
    assert found is not None
    return found


def fill_in(widget: BatchExport, **values: Any) -> None:
    """Fill in fields as a page does: the whole form comes as a new state."""
    state = {"form": {**widget.form, **values}}
    widget._handle_msg({"content": {"data": {"method": "update", "state": state}}, "buffers": []})
    assert widget.settle(20)
