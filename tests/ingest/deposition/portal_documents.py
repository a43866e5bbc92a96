"""What the portal's metadata documents look like: strict models, written from its schema and its files.

A key that is not here is an error, and nothing is converted. ``WHOLE`` says which keys the documents of a whole
ingest have besides; the portal's own samples leave many of them out.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Day = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\d$")]
Key = Annotated[str, StringConstraints(pattern=r"^[^/\s][^\s]*[^/\s]$")]
"""A place below the top of the layout: no address, no slash at either end."""
Side = Annotated[int, Field(gt=0)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Document(Strict):
    deposition_id: Side | None = None
    last_updated_at: Side | None = None


class Author(Strict):
    name: str
    ORCID: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{4}-\d{4}-\d{3}[\dX]$")] | None = None
    kaggle_id: str | None = None
    email: str | None = None
    affiliation_name: str | None = None
    affiliation_address: str | None = None
    affiliation_identifier: str | None = None
    corresponding_author_status: bool | None = None
    primary_author_status: bool | None = None
    author_list_order: int | None = None


class Dates(Strict):
    deposition_date: Day
    last_modified_date: Day
    release_date: Day


class CrossReferences(Strict):
    publications: str | None = None
    related_database_entries: str | None = None
    related_database_links: str | None = None
    dataset_citations: str | None = None


class Photos(Strict):
    snapshot: str | None = None
    thumbnail: str | None = None


class Term(Strict):
    name: str
    id: str | int | None = None


class Organism(Strict):
    name: str
    taxonomy_id: int | None = None


class Funding(Strict):
    funding_agency_name: str | None = None
    grant_id: str | None = None


class Deposition(Document):
    deposition_identifier: Side
    deposition_title: str
    deposition_description: str
    deposition_types: list[Literal["annotation", "dataset", "tomogram"]]
    authors: list[Author]
    dates: Dates
    cross_references: CrossReferences | None = None
    key_photos: Photos | None = None
    tag: str | None = None


class Dataset(Document):
    dataset_identifier: Side
    dataset_title: str
    dataset_description: str
    authors: list[Author]
    dates: Dates
    sample_type: str
    assay: Term
    development_stage: Term
    disease: Term
    organism: Organism | None = None
    tissue: Term | None = None
    cell_type: Term | None = None
    cell_strain: Term | None = None
    cell_component: Term | None = None
    sample_preparation: str | None = None
    grid_preparation: str | None = None
    other_setup: str | None = None
    funding: list[Funding] | None = None
    cross_references: CrossReferences | None = None
    key_photos: Photos | None = None


class Run(Document):
    run_name: str


class Vector(Strict):
    x: float
    y: float
    z: float


class Size(Strict):
    x: Side
    y: Side
    z: Side


class WholeVector(Strict):
    x: int
    y: int
    z: int


Row = Annotated[list[float], Field(min_length=4, max_length=4)]
Matrix = Annotated[list[Row], Field(min_length=4, max_length=4)]


class Frame(Strict):
    acquisition_order: Annotated[int, Field(ge=0)]
    accumulated_dose: float
    exposure_dose: float
    is_gain_corrected: bool
    path: Key | None


class Frames(Document):
    frames_acquisition_file: Key | None
    frames: list[Frame]
    dose_rate: float | None = None
    is_gain_corrected: bool | None = None


class Camera(Strict):
    manufacturer: str
    model: str
    acquire_mode: str | None = None


class Microscope(Strict):
    manufacturer: str
    model: str
    additional_info: str | None = None


class OpticalSetup(Strict):
    energy_filter: str
    image_corrector: str | None = None
    phase_plate: str | None = None


class TiltRange(Strict):
    min: float
    max: float


class TiltSection(Strict):
    z_index: Annotated[int, Field(ge=0)]
    frame_acquisition_order: Annotated[int, Field(ge=0)]
    raw_angle: float
    astigmatic_angle: float | None
    cross_correlation: float | None
    major_defocus: float | None
    max_resolution: float | None
    minor_defocus: float | None
    phase_shift: float | None


class TiltSeries(Document):
    acceleration_voltage: float
    camera: Camera
    data_acquisition_software: str
    microscope: Microscope
    microscope_optical_setup: OpticalSetup
    pixel_spacing: float
    spherical_aberration_constant: float
    tilt_axis: float
    tilt_range: TiltRange
    tilt_series_quality: Annotated[int, Field(ge=1, le=5)]
    tilt_step: float
    tilting_scheme: str
    total_flux: float
    omezarr_dir: Key
    mrc_file: Key
    run_name: str
    is_aligned: bool | None = None
    aligned_tiltseries_binning: float | None = None
    binning_from_frames: float | None = None
    related_empiar_entry: str | None = None
    tilt_alignment_software: str | None = None
    frames_count: int | None = None
    size: Size | None = None
    scales: list[Size] | None = None
    raw_tlt_path: Key | None = None
    ctf_path: Key | None = None
    per_section_parameter: list[TiltSection] | None = None


class AlignedSection(Strict):
    z_index: Annotated[int, Field(ge=0)]
    tilt_angle: float | None
    volume_x_rotation: float
    in_plane_rotation: (
        Annotated[list[Annotated[list[float], Field(min_length=2, max_length=2)]], Field(min_length=2, max_length=2)]
        | Row
    )
    """Two rows of two; old documents have the four numbers in one list."""
    x_offset: float
    y_offset: float


class Alignment(Document):
    format: Literal["IMOD", "ARETOMO3"] | None = None
    alignment_type: Literal["LOCAL", "GLOBAL"] | None = None
    method_type: str | None = None
    per_section_alignment_parameters: list[AlignedSection]
    alignment_path: Key | None
    tilt_path: Key | None
    tiltx_path: Key | None
    tiltseries_path: Key | None
    files: list[Key]
    volume_dimension: Vector
    affine_transformation_matrix: Matrix
    volume_offset: Vector | None = None
    tilt_offset: float | None = None
    x_rotation_offset: float | None = None
    is_portal_standard: bool | None = None


class IdentifiedObjects(Document):
    object_count: Annotated[int, Field(ge=0)]
    columns: list[str]
    file_format: str
    source_file: str
    identifier: int | None = None
    filter_value: str | None = None


class Tomogram(Document):
    voxel_spacing: float
    reconstruction_method: Literal["SART", "Fourier Space", "SIRT", "WBP", "Unknown"]
    reconstruction_software: str
    fiducial_alignment_status: Literal["FIDUCIAL", "NON_FIDUCIAL"]
    ctf_corrected: bool | Literal[""] | None = None
    processing: Literal["raw", "filtered", "denoised"]
    processing_software: str | None = None
    align_software: str | None = None
    align_softwares: list[str] | None = None
    is_visualization_default: bool
    offset: WholeVector
    affine_transformation_matrix: Matrix
    authors: list[Author]
    dates: Dates
    tomogram_version: float
    size: Size
    scales: list[Size]
    omezarr_dir: Key
    mrc_file: Key
    run_name: str
    alignment_metadata_path: str
    key_photo: Photos | None = None
    neuroglancer_config_path: Key | None = None
    cross_references: CrossReferences | None = None


class AnnotatedObject(Strict):
    id: str
    name: str
    description: str | None = None
    state: str | None = None


class Confidence(Strict):
    precision: float | None = None
    recall: float | None = None
    ground_truth_used: str | None = None


class MethodLink(Strict):
    link: str
    link_type: Literal["documentation", "models_weights", "other", "source_code", "website"]
    custom_name: str | None = None
    name: str | None = None


Shape = Literal[
    "Point",
    "OrientedPoint",
    "InstanceSegmentation",
    "InstanceSegmentationMask",
    "SegmentationMask",
    "TriangularMesh",
    "GlobalCaption",
    "AnnotationCaption",
]


class AnnotationFile(Strict):
    format: Literal["ndjson", "mrc", "zarr", "glb", "saber", "json"]
    path: Key
    shape: Shape
    is_visualization_default: bool


class Annotation(Document):
    annotation_ingest_id: str
    annotation_method: str
    annotation_object: AnnotatedObject
    authors: list[Author]
    dates: Dates
    method_type: Literal["manual", "automated", "hybrid", "simulated"]
    version: str | float
    object_count: Annotated[int, Field(ge=0)]
    files: list[AnnotationFile]
    annotation_publications: str | None = None
    annotation_software: str | None = None
    confidence: Confidence | None = None
    ground_truth_status: bool | None = None
    is_curator_recommended: bool | None = None
    method_links: list[MethodLink] | None = None
    alignment_metadata_path: Key | None = None


BY_NAME: dict[str, type[Document]] = {
    "deposition_metadata.json": Deposition,
    "dataset_metadata.json": Dataset,
    "run_metadata.json": Run,
    "frames_metadata.json": Frames,
    "tiltseries_metadata.json": TiltSeries,
    "alignment_metadata.json": Alignment,
    "identified_objects_metadata.json": IdentifiedObjects,
    "tomogram_metadata.json": Tomogram,
}

ALWAYS = frozenset({"deposition_id", "last_updated_at"})
WHOLE: dict[type[Document], frozenset[str]] = {
    Deposition: ALWAYS,
    Dataset: ALWAYS | {"organism", "tissue", "cell_type", "cell_strain", "cell_component"},
    Run: ALWAYS,
    Frames: ALWAYS | {"dose_rate", "is_gain_corrected"},
    TiltSeries: ALWAYS
    | {"is_aligned", "frames_count", "size", "scales", "raw_tlt_path", "ctf_path", "per_section_parameter"},
    Alignment: ALWAYS,
    IdentifiedObjects: ALWAYS,
    Tomogram: ALWAYS,
    Annotation: ALWAYS | {"alignment_metadata_path", "ground_truth_status"},
}


def model_of(key: str) -> type[Document] | None:
    """Return the model of the document at a key of the layout, ``None`` for a file that is no metadata document."""
    folder, _, name = key.rpartition("/")
    if "/Annotations/" in f"{folder}/" and name.endswith(".json"):
        return None if name.rsplit("-", 1)[-1].count("_") else Annotation
    return BY_NAME.get(name)


def read_document(key: str, content: bytes, *, is_whole: bool = True) -> Document:
    """Return a checked document.

    Parameters
    ----------
    key
        Its place in the layout.
    content
        JSON.
    is_whole
        Whether it must say everything that an ingest can know.
    """
    model = model_of(key)
    assert model is not None, key
    found = model.model_validate_json(content)
    if is_whole:
        missing = WHOLE[model] - found.model_fields_set
        assert not missing, f"{key} does not say {sorted(missing)}"
    return found
