"""Where entities are found: the finders, and what keeps them from being looked for."""

from typing import Annotated

from pydantic import Field

from coverslip.ingest.deposition.schema.values import InRange, Name, NameRegex, Regex, Strict, Text
from coverslip.ingest.deposition.templates import Template

Globs = Annotated[tuple[Text, ...], Field(min_length=1)]


class Glob(Strict):
    """Files or folders whose path fits a glob and a regular expression; the name is a part of the file name."""

    list_glob: Text
    match_regex: Regex = ".*"
    name_regex: NameRegex = "(.*)"


class MultiGlob(Strict):
    """Files that fit any of several globs."""

    list_globs: Globs


class Literal(Strict):
    """Names that stand in the config."""

    value: Annotated[tuple[Name, ...], Field(min_length=1)]


class SpacingLiteral(Strict):
    """Voxel spacings in angstrom that stand in the config or in a column of the map."""

    value: Annotated[tuple[Annotated[float | Template, InRange(low=0.001, templated=True)], ...], Field(min_length=1)]


class PhotoPaths(Strict):
    """Where the large and the small picture are."""

    snapshot: Text | None = None
    thumbnail: Text | None = None


class PhotoLiteral(Strict):
    """Pictures by their address."""

    value: PhotoPaths


class MetadataFilter(Strict):
    """A value that the metadata of an entity must have."""

    key: tuple[Text, ...]
    value: object


class DestinationFilter(Strict):
    """Entities that exist already, chosen by their metadata."""

    filters: tuple[MetadataFilter, ...]


class TomogramHeader(Strict):
    """Voxel spacings read from the headers of tomograms."""

    list_glob: Text
    match_regex: Regex = ".*"
    header_key: Text = "voxel_size"


class Parents(Strict):
    """Expressions for the names of parents, by their type."""

    deposition: tuple[Regex, ...] | None = None
    dataset: tuple[Regex, ...] | None = None
    run: tuple[Regex, ...] | None = None
    tiltseries: tuple[Regex, ...] | None = None
    voxel_spacing: tuple[Regex, ...] | None = None
    tomogram: tuple[Regex, ...] | None = None


class ParentFilters(Strict):
    """Below which parents a source counts."""

    include: Parents | None = None
    exclude: Parents | None = None


class AnySource(Strict):
    """What every source may say beside its finder."""

    parent_filters: ParentFilters | None = None
    exclude: tuple[Regex, ...] | None = None


class Source(AnySource):
    """Where entities of most types are found: by one of these finders."""

    source_glob: Glob | None = None
    source_multi_glob: MultiGlob | None = None
    destination_glob: Glob | None = None
    destination_filter: DestinationFilter | None = None
    literal: Literal | None = None


class SpacingSource(AnySource):
    """Where voxel spacings are found."""

    source_glob: Glob | None = None
    destination_glob: Glob | None = None
    destination_filter: DestinationFilter | None = None
    literal: SpacingLiteral | None = None
    tomogram_header: TomogramHeader | None = None


class PhotoSource(AnySource):
    """Where key photos are found."""

    source_glob: Glob | None = None
    source_multi_glob: MultiGlob | None = None
    destination_glob: Glob | None = None
    destination_filter: DestinationFilter | None = None
    literal: PhotoLiteral | None = None
