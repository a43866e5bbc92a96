"""The metadata documents of a config, one model each, in the field names of the portal's format.

Lengths and spacings are in angstrom, angles in degrees, the acceleration voltage in volts, the spherical aberration in
millimetres, the flux in electrons per square angstrom.
"""

from typing import Annotated

from coverslip.ingest.deposition.schema.values import (
    Day,
    Flag,
    Id,
    InRange,
    MapText,
    Number,
    OneOf,
    Strict,
    Text,
    Version,
    Whole,
)
from coverslip.ingest.deposition.templates import Template

Row = tuple[Number, Number, Number, Number]
Matrix = tuple[Row, Row, Row, Row]
"""An affine transformation, row by row."""


class Author(Strict):
    """Who did it."""

    name: Text
    ORCID: Text | None = None
    kaggle_id: Text | None = None
    email: Text | None = None
    affiliation_name: Text | None = None
    affiliation_address: Text | None = None
    affiliation_identifier: Text | None = None
    corresponding_author_status: Flag | None = None
    primary_author_status: Flag | None = None
    author_list_order: Whole | None = None


class Dates(Strict):
    """When it was handed in, changed and published."""

    deposition_date: Day
    last_modified_date: Day
    release_date: Day


class CrossReferences(Strict):
    """Publications and entries of other databases, as lists with commas."""

    publications: Text | None = None
    related_database_entries: Text | None = None
    related_database_links: Text | None = None
    dataset_citations: Text | None = None


class Term(Strict):
    """A word of an ontology."""

    name: Text
    id: Text | None = None


class Organism(Strict):
    """A species with its number in the taxonomy of NCBI."""

    name: Text
    taxonomy_id: Id | None = None


class Funding(Strict):
    """Who paid."""

    funding_agency_name: Text | None = None
    grant_id: Text | None = None


class DepositionMetadata(Strict):
    """What a deposition is."""

    deposition_identifier: Id
    deposition_title: Text
    deposition_description: Text
    deposition_types: tuple[Annotated[str, OneOf(("annotation", "dataset", "tomogram"))], ...]
    authors: tuple[Author, ...]
    dates: Dates
    cross_references: CrossReferences | None = None
    tag: Text | None = None


class DatasetMetadata(Strict):
    """What was imaged, and how it was prepared."""

    dataset_identifier: Id
    dataset_title: Text
    dataset_description: Text
    authors: tuple[Author, ...]
    dates: Dates
    sample_type: Text
    assay: Term
    development_stage: Term
    disease: Term
    organism: Organism | None = None
    tissue: Term | None = None
    cell_type: Term | None = None
    cell_strain: Term | None = None
    cell_component: Term | None = None
    sample_preparation: Text | None = None
    grid_preparation: Text | None = None
    other_setup: Text | None = None
    funding: tuple[Funding, ...] | None = None
    cross_references: CrossReferences | None = None


class FrameMetadata(Strict):
    """How frames were exposed."""

    dose_rate: Annotated[float | Template, InRange(low=0, templated=True)]
    is_gain_corrected: Flag


class Camera(Strict):
    """What took the pictures."""

    manufacturer: MapText
    model: MapText
    acquire_mode: MapText | None = None


class Microscope(Strict):
    """What the camera was attached to."""

    manufacturer: MapText
    model: MapText
    additional_info: MapText | None = None


class OpticalSetup(Strict):
    """What was in the way of the electrons."""

    energy_filter: MapText
    image_corrector: MapText | None = None
    phase_plate: MapText | None = None


Angle = Annotated[float | Template, InRange(-90, 90, templated=True)]
Positive = Annotated[float | Template, InRange(low=0, templated=True)]


class TiltRange(Strict):
    """The smallest and the largest tilt."""

    min: Angle
    max: Angle


class TiltSeriesMetadata(Strict):
    """How a tilt series was taken."""

    acceleration_voltage: Annotated[float | Template, InRange(low=20_000, templated=True)]
    camera: Camera
    data_acquisition_software: MapText
    is_aligned: Flag
    microscope: Microscope
    microscope_optical_setup: OpticalSetup
    pixel_spacing: Annotated[float | Template, InRange(low=0.001, templated=True)]
    spherical_aberration_constant: Positive
    tilt_axis: Annotated[float | Template, InRange(-360, 360, templated=True)]
    tilt_range: TiltRange
    tilt_series_quality: Annotated[int | Template, InRange(1, 5, whole=True, templated=True)]
    tilt_step: Annotated[float | Template, InRange(0, 90, templated=True)]
    tilting_scheme: MapText
    total_flux: Positive
    aligned_tiltseries_binning: Positive | None = None
    binning_from_frames: Positive | None = None
    frames_count: Whole | None = None
    related_empiar_entry: MapText | None = None
    tilt_alignment_software: MapText | None = None


class CtfMetadata(Strict):
    """Which program measured the contrast transfer function."""

    format: Annotated[str, OneOf(("CTFFIND", "Gctf", "IMOD"))]


class Vector(Strict):
    """One number for each axis."""

    x: Number
    y: Number
    z: Number


class AlignmentMetadata(Strict):
    """How the pictures of a tilt series fit together."""

    format: Annotated[str, OneOf(("IMOD", "ARETOMO3"))]
    alignment_type: Annotated[str, OneOf(("LOCAL", "GLOBAL"))] | None = None
    method_type: Text | None = None
    affine_transformation_matrix: Matrix | None = None
    volume_dimension: Vector | None = None
    volume_offset: Vector | None = None
    tilt_offset: Number | None = None
    x_rotation_offset: Number | None = None
    is_portal_standard: Flag | None = None


class IdentifiedObjectMetadata(Strict):
    """Which rows of a table of objects belong to a run."""

    filter_value: Text | None = None


class WholeVector(Strict):
    """One whole number for each axis."""

    x: Whole
    y: Whole
    z: Whole


METHODS = ("SART", "Fourier Space", "SIRT", "WBP", "Unknown")
STATUSES = ("FIDUCIAL", "NON_FIDUCIAL")


class TomogramMetadata(Strict):
    """How a tomogram was made."""

    authors: tuple[Author, ...]
    dates: Dates
    fiducial_alignment_status: Annotated[str | Template, OneOf(STATUSES, templated=True)]
    is_visualization_default: Flag
    offset: WholeVector
    processing: Annotated[str | Template, OneOf(("raw", "filtered", "denoised"), templated=True)]
    reconstruction_method: Annotated[str | Template, OneOf(METHODS, templated=True)]
    reconstruction_software: MapText
    tomogram_version: Annotated[float | Template, InRange(low=0, templated=True)]
    voxel_spacing: Annotated[float | Template, InRange(low=0.001, templated=True)]
    affine_transformation_matrix: Matrix | None = None
    align_software: MapText | None = None
    cross_references: CrossReferences | None = None
    ctf_corrected: Flag | None = None
    processing_software: MapText | None = None
    size: WholeVector | None = None


class AnnotatedObject(Strict):
    """What an annotation marks."""

    id: Text
    name: Text
    description: Text | None = None
    state: Text | None = None


class Confidence(Strict):
    """How far an annotation can be trusted, in percent."""

    precision: Annotated[float, InRange(0, 100)] | None = None
    recall: Annotated[float, InRange(0, 100)] | None = None
    ground_truth_used: Text | None = None


class MethodLink(Strict):
    """Where to read about a method."""

    link: Text
    link_type: Text
    custom_name: Text | None = None
    name: Text | None = None


class AnnotationMetadata(Strict):
    """What an annotation says, and how it was made."""

    annotation_ingest_id: Text
    annotation_method: Text
    annotation_object: AnnotatedObject
    authors: tuple[Author, ...]
    dates: Dates
    method_type: Annotated[str, OneOf(("manual", "automated", "hybrid", "simulated"))]
    annotation_publications: Text | None = None
    annotation_software: Text | None = None
    confidence: Confidence | None = None
    ground_truth_status: Flag | None = None
    is_curator_recommended: Flag | None = None
    method_links: tuple[MethodLink, ...] | None = None
    object_count: Whole | None = None
    version: Version | None = None
