"""A whole config: one list of blocks for each section, each block with its metadata and its sources."""

from typing import Annotated

from pydantic import Field

from coverslip.ingest.deposition.schema.finders import PhotoSource, Source, SpacingSource
from coverslip.ingest.deposition.schema.metadata import (
    AlignmentMetadata,
    AnnotationMetadata,
    CtfMetadata,
    DatasetMetadata,
    DepositionMetadata,
    FrameMetadata,
    IdentifiedObjectMetadata,
    TiltSeriesMetadata,
    TomogramMetadata,
)
from coverslip.ingest.deposition.schema.shapes import AnnotationSource
from coverslip.ingest.deposition.schema.values import Id, Strict, Text, Version

Sources = Annotated[tuple[Source, ...], Field(min_length=1)]


class Standardization(Strict):
    """Whose deposition it is, where its files are, and which tables say more about its runs."""

    deposition_id: Id
    source_prefix: Text
    run_data_map_file: Text | None = None
    run_to_frame_map_csv: Text | None = None
    run_to_tomo_map_csv: Text | None = None
    run_to_ts_map_csv: Text | None = None


class Plain(Strict):
    """A block of entities without metadata of their own."""

    sources: Sources


class Spacings(Strict):
    """A block of voxel spacings."""

    sources: Annotated[tuple[SpacingSource, ...], Field(min_length=1)]


class Photos(Strict):
    """A block of key photos."""

    sources: Annotated[tuple[PhotoSource, ...], Field(min_length=1)]


class Depositions(Plain):
    """A block of depositions. Without metadata they exist already."""

    metadata: DepositionMetadata | None = None


class Datasets(Plain):
    """A block of datasets. Without metadata they exist already."""

    metadata: DatasetMetadata | None = None


class Frames(Plain):
    """A block of frames."""

    metadata: FrameMetadata | None = None


class TiltSeries(Plain):
    """A block of tilt series."""

    metadata: TiltSeriesMetadata | None = None


class Ctfs(Plain):
    """A block of measured contrast transfer functions."""

    metadata: CtfMetadata


class Alignments(Plain):
    """A block of alignments. Without metadata they exist already."""

    metadata: AlignmentMetadata | None = None


class IdentifiedObjects(Plain):
    """A block of tables of objects."""

    metadata: IdentifiedObjectMetadata | None = None


class Tomograms(Plain):
    """A block of tomograms."""

    metadata: TomogramMetadata | None = None


class Annotations(Strict):
    """One annotation and the files of its shapes."""

    metadata: AnnotationMetadata
    sources: Annotated[tuple[AnnotationSource, ...], Field(min_length=1)]


class Config(Strict):
    """A deposition as YAML describes it. The sections are called as in the file."""

    version: Version
    standardization_config: Standardization
    depositions: Annotated[tuple[Depositions, ...], Field(min_length=1)]
    datasets: Annotated[tuple[Datasets, ...], Field(min_length=1)]
    runs: Annotated[tuple[Plain, ...], Field(min_length=1)]
    voxel_spacings: Annotated[tuple[Spacings, ...], Field(min_length=1)]
    deposition_keyphotos: tuple[Photos, ...] | None = None
    dataset_keyphotos: tuple[Photos, ...] | None = None
    gains: tuple[Plain, ...] | None = None
    collection_metadata: tuple[Plain, ...] | None = None
    frames: tuple[Frames, ...] | None = None
    tiltseries: tuple[TiltSeries, ...] | None = None
    ctfs: tuple[Ctfs, ...] | None = None
    rawtilts: tuple[Plain, ...] | None = None
    alignments: tuple[Alignments, ...] | None = None
    identified_objects: tuple[IdentifiedObjects, ...] | None = None
    tomograms: tuple[Tomograms, ...] | None = None
    key_images: tuple[Plain, ...] | None = None
    annotations: tuple[Annotations, ...] | None = None
