"""Label images and cell tables over HTTP."""

from typing import Any

import numpy as np
import pytest
import zarr

from coverslip.derive import open_catalog
from coverslip.ingest import add
from tests.api.checks import check_problem
from tests.api.conftest import Service
from tests.api.test_zarr import FORMATS, opened
from tests.ngff.images import array_of
from tests.readers.generate_fov import in_natural_order, pixels, write_field, write_mask, write_table

SIZE = (600, 700)


@pytest.fixture
def field_id(service: Service) -> str:
    """Return the image of a field of view with a mask and a table."""
    base = service.settings.uploads_folder.parent.parent / "experiment"
    write_field(base / "images" / "FOV1" / "TIFs", pixels(4, shape=SIZE))
    write_mask(base / "masks" / "FOV1_whole_cell.tif", pixels(1, "int32", 3, SIZE)[0] * 70_000)
    write_table(base / "cell_table.csv", ("fov", "label"), [("FOV1", 1), ("FOV1", 2), ("FOV2", 1)])
    with open_catalog(service.settings.catalog_url) as catalog:
        assert add([base], catalog=catalog).is_sound
    (image,) = service.client.get("/api/images/").json()["images"]
    return str(image["id"])


@pytest.mark.parametrize(("word", "zarr_format"), FORMATS)
def test_a_client_reads_the_labels(service: Service, field_id: str, word: str, zarr_format: int) -> None:
    group = opened(service, field_id, word, zarr_format)
    np.testing.assert_array_equal(array_of(group, "0")[...], in_natural_order(pixels(4, shape=SIZE)))
    cells = group["labels/whole_cell"]
    assert isinstance(cells, zarr.Group)
    stored = pixels(1, "int32", 3, SIZE)[0] * 70_000
    np.testing.assert_array_equal(array_of(cells, "0")[0, 0, 0], stored)
    half = array_of(cells, "1")[0, 0, 0]
    np.testing.assert_array_equal(half, stored[1::2, 1::2])
    listed: Any = group["labels"].attrs.asdict()
    assert (listed["ome"] if zarr_format == 3 else listed)["labels"] == ["whole_cell"]


def test_metadata_tells_of_labels_and_table(service: Service, field_id: str) -> None:
    shown = service.client.get(f"/api/images/{field_id}").json()["metadata"]
    assert (shown["labels"], shown["table_rows"]) == (["whole_cell"], 2)
    full = service.client.get(f"/api/images/{field_id}/metadata").json()
    assert [(label["name"], label["dtype"]) for label in full["labels"]] == [("whole_cell", "int32")]
    assert full["table"]["columns"] == ["fov", "label"]


def test_a_label_that_is_not_there_is_not_found(service: Service, field_id: str) -> None:
    check_problem(service.client.get(f"/api/images/{field_id}/zarr/labels/nuclei/zarr.json"), 404, "not-found")
