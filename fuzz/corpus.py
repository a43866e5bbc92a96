"""The files that mutants are made of: those that the reader tests generate, and those of a folder of samples."""

import hashlib
import os
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from coverslip import open_image
from coverslip.errors import CoverslipError
from coverslip.readers import recognise
from fuzz.mutate import mutate
from tests.readers.generate_companion import make_companions
from tests.readers.generate_czi import make_czi
from tests.readers.generate_deltavision import make_deltavision
from tests.readers.generate_dicom import make_dicom
from tests.readers.generate_dm import make_dm
from tests.readers.generate_eer import make_eer
from tests.readers.generate_fov import make_fields
from tests.readers.generate_imaris import make_imaris
from tests.readers.generate_lif import make_lif
from tests.readers.generate_mrc import make_mrc
from tests.readers.generate_nd2 import make_nd2
from tests.readers.generate_nifti import make_nifti
from tests.readers.generate_numbered import make_numbered
from tests.readers.generate_oif import make_oif
from tests.readers.generate_ome_zarr import make_ome_zarr
from tests.readers.generate_picture import make_pictures
from tests.readers.generate_series import make_series
from tests.readers.generate_slide import make_slides
from tests.readers.generate_tiff import make_tiff
from tests.readers.generate_video import make_video

LARGEST_BYTES = 4 << 20
"""Samples with more bytes than this make too few mutants in a minute."""

MAKERS: Mapping[str, Callable[[Path], Mapping[Path, object]]] = MappingProxyType(
    {
        "czi": make_czi,
        "deltavision": make_deltavision,
        "dicom": lambda folder: {
            **make_dicom(folder),
            **make_series(folder / "series"),
            **make_slides(folder / "slides"),
        },
        "dm": make_dm,
        "eer": make_eer,
        "fov": make_fields,
        "imaris": make_imaris,
        "lif": make_lif,
        "mrc": make_mrc,
        "nd2": make_nd2,
        "nifti": make_nifti,
        "numbered": make_numbered,
        "oif": make_oif,
        "ome-companion": make_companions,
        "ome-zarr": make_ome_zarr,
        "picture": make_pictures,
        "tiff": make_tiff,
        "video": make_video,
    }
)
"""Who writes good files, by the name of the reader."""


@dataclass(frozen=True, slots=True)
class Seed:
    """A good image in one or more files."""

    reader: str
    name: PurePosixPath
    """What is opened: a file, or the folder of an OME-Zarr, relative to ``root``."""
    root: Path
    parts: tuple[PurePosixPath, ...]
    """Every file the image consists of, relative to ``root``, sorted."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A damaged copy of a seed."""

    seed: Seed
    number: int
    parts: Mapping[PurePosixPath, bytes]
    """Relative path -> content; one of them is damaged."""
    damage: str
    """What was done to which part, in words."""

    @property
    def digest(self) -> str:
        """16 hex digits of all names and contents."""
        total = hashlib.sha256(str(self.seed.name).encode())
        for name, content in sorted(self.parts.items()):
            total.update(f"\0{name}\0{len(content)}\0".encode() + content)
        return total.hexdigest()[:16]

    def write(self, folder: Path) -> Path:
        """Write the files into a folder and return what is to be opened."""
        for name, content in self.parts.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return folder / self.seed.name


def generated(folder: Path, names: Iterable[str]) -> list[Seed]:
    """Write the files of the reader tests below a folder and return them as seeds, in a fixed order."""
    seeds = []
    for name in names:
        root = folder / name
        root.mkdir(parents=True)
        seeds += [_seed(name, path, root) for path in MAKERS[name](root)]
    return seeds


def sampled(folder: Path, names: Iterable[str], largest: int = LARGEST_BYTES) -> list[Seed]:
    """Return the images below a folder of samples that one of the readers opens, up to a size in bytes."""
    wanted, seeds = set(names), []
    for place, folders, files in os.walk(folder):
        folders.sort()
        images = [name for name in folders if name.endswith(".zarr")]
        for name in sorted([*images, *files]):
            path = Path(place, name)
            try:
                reader = recognise(path)
            except CoverslipError:
                continue
            if reader is None or reader.name not in wanted:
                continue
            seed = _seed(reader.name, path, path.parent)
            if sum((seed.root / part).stat().st_size for part in seed.parts) <= largest:
                seeds.append(seed)
        folders[:] = [name for name in folders if name not in images]
    return seeds


def choose(seeds: Sequence[Seed], most: int) -> list[Seed]:
    """Return at most so many seeds per reader, spread over what there is."""
    chosen = []
    for name in sorted({seed.reader for seed in seeds}):
        own = [seed for seed in seeds if seed.reader == name]
        chosen += own[:: -(-len(own) // most)]
    return chosen


def make_mutant(seeds: Sequence[Seed], seed: int, number: int) -> Mutant:
    """Return one mutant of the seeds of one reader.

    Parameters
    ----------
    seeds
        At least one, all of one reader.
    seed
        Where the dice begin. The same seeds, seed and number give the same mutant.
    number
        Counts the mutants of a reader.
    """
    dice = random.Random(f"{seed} {seeds[0].reader} {number}")
    chosen, donor = dice.choice(seeds), dice.choice(seeds)
    parts = {name: (chosen.root / name).read_bytes() for name in chosen.parts}
    victim = dice.choice(chosen.parts)
    other = (donor.root / dice.choice(donor.parts)).read_bytes()
    parts[victim], damage = mutate(parts[victim], other, dice)
    return Mutant(chosen, number, parts, f"{victim}: {damage}")


def _seed(reader: str, path: Path, root: Path) -> Seed:
    """Return a seed with every file its image consists of; a file that cannot be opened stands alone."""
    try:
        with open_image(path) as file:
            found = [part for part in file.files if part.is_relative_to(root)]
    except CoverslipError:
        found = []
    names: set[Path] = set()
    for part in [path, *found]:
        names.update(child for child in part.rglob("*") if child.is_file()) if part.is_dir() else names.add(part)
    parts = sorted(PurePosixPath(name.relative_to(root).as_posix()) for name in names)
    return Seed(reader, PurePosixPath(path.relative_to(root).as_posix()), root, tuple(parts))
