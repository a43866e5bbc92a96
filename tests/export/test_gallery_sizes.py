"""Crops of a gallery that an edge of the image cuts."""

from pathlib import Path

import pypdfium2
import pytest

from coverslip.export import Job


def test_cells_at_an_edge_have_the_magnification_of_the_others(images: Path, tmp_path: Path) -> None:
    # cell 1 is 9 pixels from the left edge, 7 is 5 from the right and 5 from the lower one
    items = {"data": images, "fovs": ["A"], "size": 20, "gallery": "2x2"}
    job = Job("cells", items, "Two", tmp_path, "pdf")
    assert job.start().state == "completed"
    page = pypdfium2.PdfDocument(tmp_path / "gallery.pdf")[0]
    pictures = list(page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]))
    boxes = [picture.get_bounds() for picture in pictures]
    sizes = [picture.get_px_size() for picture in pictures]
    assert sizes == [(19, 20), (20, 20), (15, 15)]
    scales = [(right - left) / width for (left, _, right, _), (width, _) in zip(boxes, sizes, strict=True)]
    assert scales == pytest.approx([scales[1]] * 3, rel=1e-4)
