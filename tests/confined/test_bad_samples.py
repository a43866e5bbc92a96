"""Every damaged or hostile sample file gives a typed error or what is said of it here, within its budgets."""

from pathlib import Path

import pytest

from coverslip import RenderSpec
from coverslip.confined import Pool
from coverslip.errors import ImageLoadError
from coverslip.model import Budgets
from coverslip.render import draw

MEMORY = 1 << 30
PARTLY_READ = {
    "bad_datatype.tif": "a tag of an unknown type, which says nothing about pixels, is left out",
    "bad_jpeg.tif": "all pixels; its quantisation tables have 16 bits, which an 8-bit JPEG may not have",
    "bad_sequence.dcm": "all pixels, and what can be made of a sequence that contradicts itself",
    "bad_unicode.tif": "all pixels; a text that is no UTF-8 is read as Latin-1",
}
"""What is opened all the same, as the guide "Opening files" says, and what is read of it."""


def high_water(pid: int) -> int:
    """Return the most memory that a process ever had, in bytes."""
    text = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) << 10 for line in text.splitlines() if line.startswith("VmHWM"))


@pytest.mark.samples
def test_bad_samples(samples: Path) -> None:
    bad = samples / "bad"
    files = [path for path in sorted(bad.rglob("*")) if path.is_file() and ".zarr" not in str(path)]
    read: set[str] = set()
    unnamed: list[Path] = []
    with Pool(1, Budgets(seconds=60, memory_bytes=MEMORY)) as pool:
        with pytest.raises(ImageLoadError):
            pool.open_image(bad / "absent.tif")
        for path in (*files, *bad.glob("*.zarr")):
            before = {pid: high_water(pid) for pid in pool.pids}
            try:
                with pool.open_image(path) as file:
                    for image in file.images:
                        t, c, z = (length - 1 for length in image.metadata.shape[:3])
                        image.plane(t=t, c=c, z=z)
                        draw(image, RenderSpec(width=64, height=64))
                read.add(path.name)
            except ImageLoadError as error:
                unnamed += [path] if str(path) not in str(error) else []
            after = {pid: high_water(pid) for pid in pool.pids}
            assert all(after[pid] < before[pid] + MEMORY for pid in after.keys() & before.keys()), path
    assert read == set(PARTLY_READ)
    assert unnamed == []
