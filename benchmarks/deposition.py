"""Depositions of one run with many tomograms and annotations, and what comes to it later; seeded."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import mrcfile
import numpy as np
import yaml
from numpy.typing import NDArray

from coverslip.demo.deposition import tilts

RUN = "TS_1"
SPACINGS = (10.0, 13.48)
"""Voxel spacings in angstrom; tomograms and annotations are dealt out to them in turn."""
POINTS = 200
"""Of each annotation."""
AUTHORS = [{"name": "Ada Example", "primary_author_status": True}]
DATES = dict.fromkeys(("deposition_date", "last_modified_date", "release_date"), "2026-01-01")
PARTICLE = ("CoordinateX", "CoordinateY", "CoordinateZ", "AngleRot", "AngleTilt", "AnglePsi")
EVERY_RUN = {"list_glob": "{dataset_output_path}/*", "match_regex": ".*/TS_[^/]*$"}
EVERY_SPACING = {
    "list_glob": "{run_output_path}/Reconstructions/VoxelSpacing*",
    "name_regex": "VoxelSpacing(.*)",
}
FIRST_ALIGNMENT = "{run_output_path}/Alignments/100/alignment_metadata.json"

type Config = dict[str, Any]
type Shape = Literal["Point", "OrientedPoint"]
SHAPES: tuple[Shape, ...] = ("Point", "OrientedPoint")


@dataclass(frozen=True, slots=True)
class Crowded:
    """A run with many tomograms and annotations: its files and the configs of its depositions.

    Parameters
    ----------
    folder
        Where the sources lie, each deposition's in a folder of its own, beside the configs.
    tomograms, annotations
        How many, about half of them at each voxel spacing. Every second annotation has orientations.
    side
        Of every tomogram, in voxels.
    dataset
        The number of the dataset and of the first deposition; later ones are given theirs by counting on.
    """

    folder: Path
    tomograms: int = 10
    annotations: int = 50
    side: int = 64
    dataset: int = 90301
    _dice: np.random.Generator = field(default_factory=lambda: np.random.default_rng(5))

    def write(self) -> Path:
        """Write the sources of the first deposition, everything that there is to begin with; return its config."""
        sources = self.folder / "first" / RUN
        for number in range(self.tomograms):
            write_tomogram(sources / f"tomogram-{number}.mrc", self.side, spacing_of(number), self._dice)
        blocks = [
            self._annotation(sources, "picks", number, (SHAPES[number % 2],)) for number in range(self.annotations)
        ]
        config = self._config(self.dataset, "first") | {
            "runs": [{"sources": [{"source_glob": {"list_glob": "TS_*"}}]}],
            "voxel_spacings": [{"sources": [{"literal": {"value": list(SPACINGS)}}]}],
            "tomograms": [tomogram(number) for number in range(self.tomograms)],
            "annotations": blocks,
        }
        config["datasets"] = [dataset(self.dataset)]
        return self._written(config, "first")

    def add(self, number: int, shapes: Sequence[Shape] = ("Point",)) -> Path:
        """Write a deposition of one annotation that has the alignment of the first one; return its config.

        It is shown when a viewer opens.
        """
        name = f"later-{number}"
        config = self._later(number, name)
        config["alignments"] = [{"sources": [{"destination_glob": {"list_glob": FIRST_ALIGNMENT}}]}]
        config["annotations"] = [self._annotation(self.folder / name / RUN, "added", 0, shapes, is_shown=True)]
        return self._written(config, name)

    def align_anew(self, number: int) -> Path:
        """Write a deposition of one tomogram of the same run, with an alignment of its own; return its config."""
        name = f"later-{number}"
        here = self.folder / name / RUN
        write_tomogram(here / "tomogram-0.mrc", self.side, spacing_of(0), self._dice)
        (here / f"{RUN}.aln").write_text(tilts.aln(tilts.straight(), (self.side,) * 3), encoding="ascii")
        said = {"format": "ARETOMO3", "alignment_type": "GLOBAL", "method_type": "projection_matching"}
        found = {"source_multi_glob": {"list_globs": [f"{{run_name}}/{RUN}.aln"]}}
        config = self._later(number, name)
        config["alignments"] = [{"metadata": {**said, "is_portal_standard": False}, "sources": [found]}]
        config["tomograms"] = [tomogram(0)]
        return self._written(config, name)

    def _later(self, number: int, name: str) -> Config:
        return self._config(self.dataset + number, name) | {
            "datasets": [{"sources": [{"literal": {"value": [str(self.dataset)]}}]}],
            "runs": [{"sources": [{"destination_glob": EVERY_RUN}]}],
            "voxel_spacings": [{"sources": [{"destination_glob": EVERY_SPACING}]}],
        }

    def _config(self, number: int, name: str) -> Config:
        about = {
            "deposition_identifier": number,
            "deposition_title": f"A crowded run, {name}",
            "deposition_description": "Noise, and points at random.",
            "deposition_types": ["annotation"] if name != "first" else ["dataset", "tomogram", "annotation"],
            "authors": AUTHORS,
            "dates": DATES,
        }
        return {
            "version": "1.3.0",
            "standardization_config": {"deposition_id": number, "source_prefix": name},
            "depositions": [{"metadata": about, "sources": [{"literal": {"value": [number]}}]}],
        }

    def _annotation(
        self, sources: Path, kind: str, number: int, shapes: Sequence[Shape], *, is_shown: bool = False
    ) -> Config:
        """Write the files of an annotation and return its block of the config."""
        name, spacing = f"{kind}-{number:02}", spacing_of(number)
        sources.mkdir(parents=True, exist_ok=True)
        files: Config = {}
        for shape in shapes:
            places = self._dice.uniform(1, self.side * SPACINGS[0] / spacing - 1, (POINTS, 3))
            if shape == "Point":
                np.savetxt(sources / f"{name}.csv", places, "%.3f", ",")
                files[shape] = {"file_format": "csv", "glob_string": f"{{run_name}}/{name}.csv"}
            else:
                rows = np.hstack([places, self._dice.uniform(0, 180, (POINTS, 3))])
                (sources / f"{name}.star").write_text(star(rows), encoding="ascii")
                given = {"file_format": "relion3_star", "binning": 1, "filter_value": "{run_name}"}
                files[shape] = {**given, "glob_string": f"{{run_name}}/{name}.star"}
            files[shape]["is_visualization_default"] = is_shown
        said = {
            "annotation_ingest_id": name,
            "annotation_method": "Drawn by lot",
            "annotation_object": {"id": "GO:0022626", "name": f"particle {number}"},
            "authors": AUTHORS,
            "dates": DATES,
            "method_type": "simulated",
            "version": 1.0,
        }
        found = [{shape: file, "parent_filters": only_at(spacing)} for shape, file in files.items()]
        return {"metadata": said, "sources": found}

    def _written(self, config: Config, name: str) -> Path:
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        return path


def spacing_of(number: int) -> float:
    """Return the voxel spacing of a tomogram or annotation, in angstrom: two of each in turn."""
    return SPACINGS[number // 2 % len(SPACINGS)]


def only_at(spacing: float) -> Config:
    """Return the filter of a source that counts at one voxel spacing."""
    return {"include": {"voxel_spacing": [rf"{spacing:.3f}$"]}}


def dataset(number: int) -> Config:
    """Return the block of a dataset."""
    said = {
        "dataset_identifier": number,
        "dataset_title": "A crowded run",
        "dataset_description": "One run with many tomograms and annotations.",
        "authors": AUTHORS,
        "dates": DATES,
        "sample_type": "in_silico",
        "assay": {"name": "cryo-ET", "id": "EFO:0002909"},
        "development_stage": {"name": "unknown", "id": "unknown"},
        "disease": {"name": "unknown", "id": "unknown"},
    }
    return {"metadata": said, "sources": [{"literal": {"value": [str(number)]}}]}


def tomogram(number: int) -> Config:
    """Return the block of a tomogram. Those of one voxel spacing differ in the software they were processed with."""
    said = {
        "authors": AUTHORS,
        "dates": DATES,
        "fiducial_alignment_status": "NON_FIDUCIAL",
        "is_visualization_default": number == 0,
        "offset": {"x": 0, "y": 0, "z": 0},
        "processing": "filtered",
        "processing_software": f"filter {number}",
        "reconstruction_method": "WBP",
        "reconstruction_software": "IMOD",
        "tomogram_version": 1,
        "voxel_spacing": spacing_of(number),
    }
    source = {"list_glob": f"{{run_name}}/tomogram-{number}.mrc"}
    return {"metadata": said, "sources": [{"source_glob": source, "parent_filters": only_at(spacing_of(number))}]}


def write_tomogram(path: Path, side: int, spacing: float, dice: np.random.Generator) -> None:
    """Write a cube of noise as MRC, ``spacing`` in angstrom."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with mrcfile.new(path, overwrite=True) as file:
        file.set_data(dice.normal(0, 10, (side, side, side)).astype(np.float32))
        file.set_volume()
        file.voxel_size = spacing


def star(rows: NDArray[np.float64]) -> str:
    """Return particles as RELION 3 writes them; rows are X, Y, Z in voxels and three angles in degrees."""
    columns = ("MicrographName", *PARTICLE)
    lines = ["", "data_", "", "loop_", *(f"_rln{name} #{number}" for number, name in enumerate(columns, start=1))]
    lines += [" ".join([RUN, *(f"{value:.3f}" for value in row)]) for row in rows]
    return "\n".join([*lines, "", ""])
