"""A config with every type of entity, and files that it finds."""

WHOLE = """\
version: 1.3.0
standardization_config:
  deposition_id: 10301
  source_prefix: lab
  run_data_map_file: runs.csv
depositions:
- metadata:
    deposition_identifier: 10301
    deposition_title: Ribosomes
    deposition_description: Made up.
    deposition_types: [dataset, annotation]
    authors: &authors
    - {name: Ada Example, primary_author_status: true}
    dates: &dates {deposition_date: 2026-01-01, last_modified_date: 2026-01-02, release_date: 2026-01-03}
  sources:
  - literal: {value: [10301]}
deposition_keyphotos:
- sources:
  - literal: {value: {snapshot: 'https://example.org/large.GIF?v=1', thumbnail: photos/small.png}}
datasets:
- metadata:
    dataset_identifier: 30001
    dataset_title: Cells
    dataset_description: Made up.
    authors: *authors
    dates: *dates
    sample_type: cell
    assay: {name: cryo-ET, id: 'EFO:1'}
    development_stage: {name: unknown, id: unknown}
    disease: {name: normal, id: 'PATO:0000461'}
  sources:
  - literal: {value: ['30001']}
dataset_keyphotos:
- sources:
  - literal: {value: {snapshot: elsewhere/large.png, thumbnail: photos/small.png}}
runs:
- sources:
  - source_glob: {list_glob: 'runs/*', match_regex: '/TS_[0-9]+$'}
gains:
- sources:
  - source_glob: {list_glob: '*.dm4'}
collection_metadata:
- sources:
  - source_multi_glob: {list_globs: ['runs/{run_name}/*.mdoc', 'mdocs/{run_name}.mdoc']}
frames:
- metadata: {dose_rate: 'float {dose}', is_gain_corrected: false}
  sources:
  - source_glob: {list_glob: 'runs/{run_name}/frames/*.tif'}
tiltseries:
- metadata:
    acceleration_voltage: 300000
    camera: {manufacturer: Gatan, model: K3}
    data_acquisition_software: SerialEM
    is_aligned: false
    microscope: {manufacturer: TFS, model: '{scope}'}
    microscope_optical_setup: {energy_filter: none}
    pixel_spacing: 'float {pixel}'
    spherical_aberration_constant: 2.7
    tilt_axis: 84.7
    tilt_range: {min: -60, max: 60}
    tilt_series_quality: 'int {quality}'
    tilt_step: 3
    tilting_scheme: dose-symmetric
    total_flux: 120
  sources:
  - source_glob: {list_glob: 'runs/{run_name}/*.st'}
rawtilts:
- sources:
  - source_multi_glob: {list_globs: ['runs/{run_name}/*.rawtlt']}
ctfs:
- metadata: {format: CTFFIND}
  sources:
  - source_glob: {list_glob: 'runs/{run_name}/ctf.txt'}
alignments:
- metadata: {format: IMOD, method_type: fiducial_based}
  sources:
  - source_multi_glob:
      list_globs: ['runs/{run_name}/ali/*.xf', 'runs/{run_name}/ali/*.tlt', 'runs/{run_name}/ali/*.com']
identified_objects:
- metadata: {filter_value: '{run_name}-x'}
  sources:
  - source_glob: {list_glob: objects.csv}
voxel_spacings:
- sources:
  - literal: {value: [13.48]}
  - literal: {value: ['float {fine}']}
    parent_filters: {include: {run: [TS_1]}}
tomograms:
- metadata: &tomogram
    authors: *authors
    dates: *dates
    fiducial_alignment_status: FIDUCIAL
    is_visualization_default: true
    offset: {x: 0, y: 0, z: 0}
    processing: raw
    reconstruction_method: WBP
    reconstruction_software: IMOD
    tomogram_version: 1
    voxel_spacing: 'float {fine}'
  sources:
  - source_glob: {list_glob: 'runs/{run_name}/{voxel_spacing_name}/raw.mrc'}
- metadata:
    <<: *tomogram
    processing: denoised
    processing_software: cryoCARE
    is_visualization_default: false
  sources:
  - source_glob: {list_glob: 'runs/{run_name}/{voxel_spacing_name}/clean.mrc'}
key_images:
- sources:
  - literal: {value: [original]}
annotations:
- metadata: &annotation
    annotation_ingest_id: cytosolic-ribosome-1
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
      columns: zyx
      binning: 2
      is_visualization_default: true
  - OrientedPoint:
      file_format: relion4_star
      glob_string: 'points/all.star'
      filter_value: '{run_name}.tomostar'
      mesh_source_path: 'meshes/{run_name}.glb'
  - InstanceSegmentation: {file_format: tardis, glob_string: 'points/{run_name}_instances.csv'}
- metadata:
    <<: *annotation
    annotation_ingest_id: membrane-1
    annotation_object: {id: 'GO:0016020', name: membrane, description: Membrane of everything}
    version: 1.1
  sources:
  - SemanticSegmentationMask: {file_format: mrc, glob_string: 'masks/{run_name}.mrc', mask_label: 2, rescale: true}
  - InstanceSegmentationMask: {file_format: zarr, glob_string: 'masks/{run_name}.zarr'}
  - TriangularMeshGroup: {file_format: hff, glob_string: 'masks/{run_name}.hff', name: outer, scale_factor: 2.5}
  - GlobalCaption: {file_format: saber, glob_string: 'words/{run_name}.json'}
  - AnnotationCaption:
      file_format: saber
      glob_string: 'words/{run_name}_labels.json'
      companion_shape: InstanceSegmentationMask
"""

RUNS = """\
run_name,scope,pixel,quality,dose,fine
TS_1,Krios,1.685,4,2.5,6.74
TS_2,Glacios,1.685,5,2.5,6.74
"""


def files_of(run: str) -> list[str]:
    """Return what lies at the source for one run."""
    return [
        *(f"runs/{run}/{name}" for name in ("a.mdoc", "a.st", "a.rawtlt", "ctf.txt", "frames/1.tif", "frames/2.tif")),
        *(f"runs/{run}/ali/{name}" for name in ("a.xf", "a.tlt", "tilt.com", "newst.com")),
        f"runs/{run}/13.480/raw.mrc",
        f"runs/{run}/13.480/clean.mrc",
        f"points/{run}.csv",
        f"points/{run}_instances.csv",
        *(f"masks/{run}.{ending}" for ending in ("mrc", "zarr", "hff")),
        f"words/{run}.json",
        f"words/{run}_labels.json",
    ]


FILES = [
    *files_of("TS_1"),
    "runs/TS_1/6.740/raw.mrc",
    "mdocs/TS_1.mdoc",
    "gain.dm4",
    "objects.csv",
    "points/all.star",
    "photos/small.png",
]
