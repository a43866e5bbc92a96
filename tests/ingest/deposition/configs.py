"""A small config that is valid, to be made invalid in one place."""

from coverslip.ingest.deposition import Checked, check_text

SMALL = """\
version: 1.3.0
standardization_config:
  deposition_id: 10001
  source_prefix: lab/session
depositions:
- metadata:
    deposition_identifier: 10001
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
  - literal:
      value: [10001]
datasets:
- sources:
  - literal:
      value: ['10002']
runs:
- sources:
  - source_glob:
      list_glob: 'runs/*'
      match_regex: /TS_[0-9]+$
      name_regex: (.*)
voxel_spacings:
- sources:
  - literal:
      value: [10.0]
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
  - source_glob:
      list_glob: 'runs/{run_name}/*.mrc'
annotations:
- metadata:
    annotation_ingest_id: ribosome-1
    annotation_method: By hand
    annotation_object: {id: 'GO:0022626', name: cytosolic ribosome}
    authors: *authors
    dates: *dates
    method_type: manual
    version: 1.0
  sources:
  - Point:
      file_format: csv
      glob_string: 'points/{run_name}.csv'
"""


def with_text(old: str, new: str, text: str = SMALL) -> str:
    """Return the small config with one place changed; it must be there once."""
    assert text.count(old) == 1, (old, text.count(old))
    return text.replace(old, new)


def changed(old: str, new: str) -> Checked:
    """Check the small config with one place changed."""
    return check_text(with_text(old, new), "c.yaml")


def said(checked: Checked) -> list[str]:
    """Return the problems as they are printed."""
    return [str(problem) for problem in checked.problems]
