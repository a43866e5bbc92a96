"""Which files the demo library holds, and making those that are not there yet."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from coverslip.demo import brain, cells, dividing, histology, tomogram, yeast
from coverslip.demo.fields import FIELD_FILES, fields_of_view
from coverslip.demo.write import (
    OmeImage,
    publish,
    write_imagej,
    write_mrc,
    write_ome_tiff,
    write_ome_zarr,
    write_table,
)

VERSION = 1
"""Raise it when any file changes: libraries of another version are made again."""
MARKER = ".coverslip-demo.json"

type Write = Callable[[Path], None]
type Files = Iterator[tuple[str, Write]]
"""Places inside the library, with what writes each of them."""


def make_library(folder: Path, *, on_file: Callable[[Path], None] | None = None) -> list[Path]:
    """Return the images and tables of the demo library, after making those that are missing.

    The same version of the generator gives the same bytes (on one machine and one set of packages; another
    processor may round a pixel differently). A file appears under its name when it is complete; one
    that is there already from the same version of the generator is left alone.

    Parameters
    ----------
    folder
        Where the library is; made if need be.
    on_file
        Told about every file that was made, as soon as it is there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done = _made_before(folder)
    paths = []
    for names, make in PARTS.items():
        if all(name in done for name in names):
            paths += [folder / name for name in names]
            continue
        for name, write in make():
            paths.append(folder / name)
            if name not in done:
                publish(folder / name, write)
                done.append(name)
                _note(folder, done)
                if on_file is not None:
                    on_file(folder / name)
    return paths


def _made_before(folder: Path) -> list[str]:
    """Return the files that are there from this version of the generator."""
    try:
        marker = json.loads((folder / MARKER).read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return []
    if not isinstance(marker, dict) or marker.get("version") != VERSION:
        return []
    return [name for name in marker.get("files", ()) if (folder / name).exists()]


def _note(folder: Path, done: list[str]) -> None:
    text = json.dumps({"version": VERSION, "files": sorted(done)}, indent=1)
    publish(folder / MARKER, lambda path: _write_text(path, text))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text + "\n", encoding="utf-8")


def _hela() -> Files:
    stack = cells.hela_stack()
    about = OmeImage(
        name="HeLa, metaphase",
        acquired="2026-03-12T14:07:31",
        pixel_um=cells.PIXEL_UM,
        step_um=cells.STEP_UM,
        channels=(
            _fluorescent("DAPI", "DAPI", 405, 461),
            _fluorescent("Tubulin-AF488", "Alexa Fluor 488", 488, 520),
            _fluorescent("Actin-AF568", "Alexa Fluor 568", 561, 603),
        ),
        exposures_s=(0.08, 0.12, 0.15),
        objective={
            "Model": "Plan-Apochromat 63x/1.40 Oil",
            "NominalMagnification": "63.0",
            "LensNA": "1.4",
            "Immersion": "Oil",
            "Correction": "PlanApo",
            "WorkingDistance": "190.0",
            "WorkingDistanceUnit": "µm",
        },
        microscope={"Manufacturer": "Coverslip", "Model": "Demo Inverted", "Type": "Inverted", "SerialNumber": "0001"},
        settings={"RefractiveIndex": "1.518"},
    )
    yield HELA, lambda path: write_ome_tiff(path, stack, about)


def _dividing() -> Files:
    frames = dividing.time_lapse()
    yield (
        DIVIDING,
        lambda path: write_imagej(
            path,
            frames,
            pixel_um=dividing.PIXEL_UM,
            interval_s=dividing.INTERVAL_S,
            names=("H2B-mCherry", "GFP"),
        ),
    )


def _tomogram() -> Files:
    made = tomogram.cytoplasm()
    angstrom = tomogram.VOXEL_ANGSTROM
    header = ("particle", "x", "y", "z", "x_angstrom", "y_angstrom", "z_angstrom", "rot", "tilt", "psi")
    rows = []
    for i, particle in enumerate(made.particles, start=1):
        place = tuple(reversed(particle.center))
        numbers = (*place, *(at * angstrom for at in place), *particle.angles)
        rows.append((i, *(f"{number:.2f}" for number in numbers)))
    label = "Coverslip demo: simulated tomogram of cytoplasm with ribosomes"
    yield TOMOGRAM, lambda path: write_mrc(path, made.density, voxel_angstrom=angstrom, label=label)
    yield PARTICLES, lambda path: write_table(path, header, rows)


def _histology() -> Files:
    section = histology.stained_section().transpose(2, 0, 1)
    yield (
        SECTION,
        lambda path: write_ome_zarr(
            path,
            section,
            name="Colon, H&E",
            pixel_um=histology.PIXEL_UM,
            colors={"Red": "FF0000", "Green": "00FF00", "Blue": "0000FF"},
        ),
    )


def _brain() -> Files:
    section = brain.hippocampus()[:, None]
    about = OmeImage(
        name="Hippocampus, GFAP",
        acquired="2026-02-03T10:22:10",
        pixel_um=brain.PIXEL_UM,
        channels=(_fluorescent("DAPI", "DAPI", 385, 461), _fluorescent("GFAP-AF594", "Alexa Fluor 594", 590, 617)),
        exposures_s=(0.02, 0.06),
        objective={
            "Model": "Plan-Apochromat 20x/0.80",
            "NominalMagnification": "20.0",
            "LensNA": "0.8",
            "Immersion": "Air",
            "Correction": "PlanApo",
        },
        microscope={"Manufacturer": "Coverslip", "Model": "Demo Scanner", "Type": "Upright"},
    )
    yield BRAIN, lambda path: write_ome_tiff(path, section, about, levels=3)


def _yeast() -> Files:
    picture = yeast.yeast()[None, None]
    about = OmeImage(
        name="Budding yeast, DIC",
        acquired="2026-04-21T16:45:00",
        pixel_um=yeast.PIXEL_UM,
        channels=({"Name": "DIC", "ContrastMethod": "DIC", "IlluminationType": "Transmitted"},),
        exposures_s=(0.01,),
        objective={
            "Model": "Plan-Neofluar 100x/1.30 Oil",
            "NominalMagnification": "100.0",
            "LensNA": "1.3",
            "Immersion": "Oil",
            "Correction": "PlanNeofluar",
        },
        microscope={"Manufacturer": "Coverslip", "Model": "Demo Upright", "Type": "Upright"},
    )
    yield YEAST, lambda path: write_ome_tiff(path, picture, about)


def _fluorescent(name: str, dye: str, excitation: int, emission: int) -> Mapping[str, str]:
    return {
        "Name": name,
        "Fluor": dye,
        "ExcitationWavelength": str(excitation),
        "ExcitationWavelengthUnit": "nm",
        "EmissionWavelength": str(emission),
        "EmissionWavelengthUnit": "nm",
        "ContrastMethod": "Fluorescence",
        "IlluminationType": "Epifluorescence",
    }


HELA = "fluorescence/hela_zstack.ome.tif"
DIVIDING = "timelapse/dividing_cells.tif"
TOMOGRAM = "tomograms/ribosomes.mrc"
PARTICLES = "tomograms/ribosomes.csv"
SECTION = "wholeslide/tissue.ome.zarr"
BRAIN = "immunofluorescence/tissue_pyramid.ome.tif"
YEAST = "brightfield/yeast_dic.tif"

PARTS: Mapping[tuple[str, ...], Callable[[], Files]] = {
    (HELA,): _hela,
    (DIVIDING,): _dividing,
    (TOMOGRAM, PARTICLES): _tomogram,
    (SECTION,): _histology,
    (BRAIN,): _brain,
    (YEAST,): _yeast,
    FIELD_FILES: fields_of_view,
}
"""Files that are made together, in the order of the library."""
