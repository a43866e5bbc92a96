"""The kinds of artifact there are. A new one is a module and a line in ``ALWAYS`` or ``ON_DEMAND``."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from coverslip.catalog import Catalog
from coverslip.derive.combined import Combined, SmallCombined
from coverslip.derive.drawn import KEY_IMAGE, MIP, MULTIVIEW, THUMBNAIL, Drawn
from coverslip.derive.kind import Kind, by_name
from coverslip.derive.viewing import (
    KEY_PHOTOS,
    NEUROGLANCER_STATE,
    SHAPES,
    Contrast,
    Middle,
    NeuroglancerState,
    shape_kinds,
)
from coverslip.model.entities import EntityKinds
from coverslip.settings import Settings

ALWAYS: tuple[Kind, ...] = (Drawn("thumbnail", THUMBNAIL), Combined("median"))
"""What every image has: the picture in lists (middle time point, projected, in channel colours). What every annotation
has: the median of its frames."""

ON_DEMAND: tuple[Kind, ...] = (
    Drawn("key-image", KEY_IMAGE),
    Drawn("mip", MIP),
    Drawn("mip-y", MIP.model_copy(update={"axis": 1})),
    Drawn("mip-x", MIP.model_copy(update={"axis": 2})),
    Drawn("multiview", MULTIVIEW),
    Combined("mean"),
    Combined("max"),
    Combined("std"),
    SmallCombined(),
    Contrast(),
    NeuroglancerState(),
    Middle(),
    *KEY_PHOTOS,
    *SHAPES,
)
"""What an image, annotation or entity has once somebody has asked for it, or because it is part of a deposition; kept
fresh from then on."""

KINDS: Mapping[str, Kind] = MappingProxyType(by_name((*ALWAYS, *ON_DEMAND)))
"""All kinds by name."""

VERSIONS: Mapping[str, int] = MappingProxyType({kind.name: kind.version for kind in KINDS.values()})
"""The present recipe version of every kind."""

ENTITY_KINDS = EntityKinds(
    of_tomograms=(NEUROGLANCER_STATE, *(kind.name for kind in KEY_PHOTOS)),
    of_shapes=shape_kinds(),
    follow_entities=tuple(kind.name for kind in KINDS.values() if "entities" in kind.follows),
    follow_annotations=tuple(kind.name for kind in KINDS.values() if "annotations" in kind.follows),
)
"""Which kinds entities have to do with."""

BY_CHOICE: Mapping[str, str] = MappingProxyType(
    {kind.spec.digest: kind.name for kind in KINDS.values() if isinstance(kind, Drawn)}
)
"""The kind that is just what a request asks for, by the digest of its choice."""


def open_catalog(url: str, *, entity_kinds: EntityKinds | None = None, must_exist: bool = False) -> Catalog:
    """Return the catalog at an address, whose images and annotations have the artifacts that every one has.

    Parameters
    ----------
    url
        Its address.
    entity_kinds
        Which kinds follow annotations and entities; as by default where left out.
    must_exist
        Whether a catalog has to be there: nothing is created then.

    Raises
    ------
    NotFoundError
        There is none, and there has to be.
    CatalogError
        It cannot be reached or written, is of another program, or was written by a newer Coverslip.
    """
    of_images, of_annotations = (
        {kind.name: kind.version for kind in ALWAYS if kind.of == of} for of in ("image", "annotation")
    )
    return Catalog.open(
        url,
        versions=of_images,
        annotation_versions=of_annotations,
        entity_kinds=entity_kinds or ENTITY_KINDS,
        must_exist=must_exist,
    )


def entity_kinds_of(settings: Settings) -> EntityKinds:
    """Return which kinds entities have to do with, with what the settings say of annotations."""
    return replace(
        ENTITY_KINDS,
        are_annotations_followed=settings.follow_annotations,
        unfollowed_datasets=settings.unfollowed_datasets,
    )


def open_catalog_of(settings: Settings, *, must_exist: bool = False) -> Catalog:
    """Return the catalog that the settings name, with what they say of annotations; see ``open_catalog``."""
    return open_catalog(settings.catalog_url, entity_kinds=entity_kinds_of(settings), must_exist=must_exist)
