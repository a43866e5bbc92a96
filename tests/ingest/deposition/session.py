"""A little deposition: two runs with everything a microscope session leaves, and a config that describes it."""

from pathlib import Path

import numpy as np

from tests.cryoet import written
from tests.cryoet.test_meshes import OBJ
from tests.readers import generate_mrc

RUNS = ("TS_1", "TS_2")
ANGLES = (-60.0, 0.0, 60.0)
CONFIG = """\
version: 1.3.0
standardization_config:
  deposition_id: 10301
  source_prefix: session
depositions:
- metadata:
    deposition_identifier: 10301
    deposition_title: Ribosomes
    deposition_description: Made up.
    deposition_types: [dataset]
    authors: &authors
    - name: Ada Example
    dates: &dates
      deposition_date: 2026-01-01
      last_modified_date: '2026-01-02'
      release_date: '2026-01-03'
  sources:
  - literal: {value: [10301]}
datasets:
- metadata:
    dataset_identifier: 30001
    dataset_title: Yeast
    dataset_description: Made up.
    authors: *authors
    dates: *dates
    sample_type: cell
    assay: {name: cryoET, id: 'EFO:0600021'}
    development_stage: {name: unknown, id: unknown}
    disease: {name: normal, id: 'PATO:0000461'}
  sources:
  - literal: {value: ['30001']}
runs:
- sources:
  - source_glob:
      list_glob: 'TS_*'
      match_regex: /TS_[0-9]+$
voxel_spacings:
- sources:
  - literal: {value: [10.0]}
gains:
- sources:
  - source_glob: {list_glob: '{run_name}/gain.txt'}
collection_metadata:
- sources:
  - source_glob: {list_glob: '{run_name}/*.mdoc'}
frames:
- metadata: {dose_rate: 2.0, is_gain_corrected: true}
  sources:
  - source_glob: {list_glob: '{run_name}/frames/*.tif'}
tiltseries:
- metadata:
    acceleration_voltage: 300000
    camera: {manufacturer: Gatan, model: K3}
    data_acquisition_software: SerialEM
    is_aligned: false
    microscope: {manufacturer: TFS, model: KRIOS}
    microscope_optical_setup: {energy_filter: none}
    pixel_spacing: 5.0
    spherical_aberration_constant: 2.7
    tilt_axis: 85.0
    tilt_range: {min: -60.0, max: 60.0}
    tilt_series_quality: 4
    tilt_step: 60.0
    tilting_scheme: bidirectional
    total_flux: 120.0
  sources:
  - source_glob: {list_glob: '{run_name}/series.st'}
rawtilts:
- sources:
  - source_glob: {list_glob: '{run_name}/*.rawtlt'}
ctfs:
- metadata: {format: CTFFIND}
  sources:
  - source_glob: {list_glob: '{run_name}/ctf.txt'}
alignments:
- metadata: {format: IMOD, alignment_type: GLOBAL, is_portal_standard: false}
  sources:
  - source_multi_glob:
      list_globs: ['{run_name}/align.xf', '{run_name}/align.tlt']
tomograms:
- metadata:
    authors: *authors
    dates: *dates
    fiducial_alignment_status: FIDUCIAL
    is_visualization_default: true
    offset: {x: 0, y: 0, z: 0}
    processing: raw
    reconstruction_method: WBP
    reconstruction_software: IMOD
    tomogram_version: 1
    voxel_spacing: 10.0
  sources:
  - source_glob: {list_glob: '{run_name}/tomogram.mrc'}
annotations:
- metadata: &annotation
    annotation_ingest_id: dots
    annotation_method: By hand
    annotation_object: {id: 'GO:0022626', name: cytosolic ribosome}
    authors: *authors
    dates: *dates
    method_type: manual
    version: '1.0'
  sources:
  - Point: {file_format: csv, glob_string: '{run_name}/dots.csv', binning: 2, is_visualization_default: true}
  - OrientedPoint:
      file_format: relion3_star
      glob_string: 'particles.star'
      filter_value: '{run_name}'
      binning: 1
- metadata:
    <<: *annotation
    annotation_ingest_id: membrane
    annotation_object: {id: 'GO:0016020', name: membrane}
  sources:
  - SemanticSegmentationMask: {file_format: mrc, glob_string: '{run_name}/mask.mrc', mask_label: 1}
  - TriangularMesh: {file_format: obj, glob_string: '{run_name}/mesh.obj', scale_factor: 2}
"""
STAR = """
data_

loop_
_rlnMicrographName #1
_rlnCoordinateX #2
_rlnCoordinateY #3
_rlnCoordinateZ #4
_rlnAngleRot #5
_rlnAngleTilt #6
_rlnAnglePsi #7
_rlnOriginX #8
_rlnOriginY #9
_rlnOriginZ #10
TS_1 10 20 30   0  0  0   1 2 3
TS_2 11 21 31   0  0  0   0 0 0
"""
MDOC_SECTION = """[ZValue = {n}]
TiltAngle = {angle}
ExposureTime = 1.5
SubFramePath = X:\\frames\\f_{n}.tif

"""


def volume(run: str) -> np.ndarray:
    """Return the voxels of the tomogram of a run, shape Z, Y, X."""
    dice = np.random.default_rng(RUNS.index(run) if run in RUNS else len(run))
    return dice.normal(size=(5, 12, 14)).astype("f4")


def mask(run: str) -> np.ndarray:
    """Return the labels of a run, shape Z, Y, X."""
    return (volume(run) > 0).astype("i1")


def write_session(folder: Path, runs: tuple[str, ...] = RUNS) -> Path:
    """Write the files of a session below a folder, and the config beside them, and return the config."""
    session = folder / "session"
    for number, run in enumerate(runs):
        place = session / run
        (place / "frames").mkdir(parents=True)
        generate_mrc.write(place / "tomogram.mrc", volume(run), voxel_size=10)
        generate_mrc.write(place / "series.st", volume(run)[:3], stack=True, voxel_size=5)
        generate_mrc.write(place / "mask.mrc", mask(run), voxel_size=10)
        mdoc = "PixelSpacing = 5.0\n\n"
        for n, angle in enumerate(ANGLES):
            mdoc += MDOC_SECTION.format(n=n, angle=angle)
            (place / "frames" / f"f_{n}.tif").write_bytes(bytes([number, n]) * 10)
        texts = {
            "series.mdoc": mdoc,
            "series.rawtlt": "".join(f"{angle}\n" for angle in ANGLES),
            "align.xf": written.XF,
            "align.tlt": written.TLT,
            "ctf.txt": written.CTFFIND4,
            "gain.txt": f"gain of {run}",
            "dots.csv": f"{2 * number},4,6\n8,10,12\n",
            "mesh.obj": OBJ,
        }
        for name, text in texts.items():
            (place / name).write_text(text)
    (session / "particles.star").write_text(STAR)
    config = folder / "deposition.yaml"
    config.write_text(CONFIG)
    return config
