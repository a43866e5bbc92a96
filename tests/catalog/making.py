"""Short ways to make what catalogs are fed with."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from coverslip.catalog import Catalog
from coverslip.model import ImageMetadata
from coverslip.model.records import AssetState, Built, Claim, ImageRecord, Origin, SeenFile, SyncItem

READ_BY = "coverslip 1"
VERSIONS: Mapping[str, int] = {"thumbnail": 1}
BACK_OFF = 5.0
LEASE = 30.0


class Clock:
    """Tells the time it was told. Does not move by itself."""

    def __init__(self) -> None:
        self.now = datetime(2024, 5, 17, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> datetime:
        """Move on and return the new time."""
        self.now += timedelta(seconds=seconds)
        return self.now


def metadata(name: str = "cells", **more: Any) -> ImageMetadata:
    given: dict[str, Any] = {"file_format": "TIFF", "size_y": 32, "size_x": 48, "dtype": "uint16", **more}
    return ImageMetadata(name=name, **given)


def seen(path: str, *, size: int = 100, mtime_ns: int = 1, origin: Origin = "added", **more: Any) -> SeenFile:
    return SeenFile(path, size, mtime_ns, origin=origin, **more)


def item(path: str, *names: str, origin: Origin = "added", **more: Any) -> SyncItem:
    """Return a healthy file with images of these names; one named ``cells`` unless told otherwise."""
    return SyncItem(seen(path, origin=origin, **more), "ok", None, tuple(metadata(name) for name in names or ["cells"]))


def bad(
    path: str, state: AssetState = "broken", reason: str | None = "truncated", origin: Origin = "added"
) -> SyncItem:
    return SyncItem(seen(path, origin=origin), state, reason)


def add(catalog: Catalog, *items: SyncItem) -> None:
    catalog.sync_files(items, READ_BY)


def images(catalog: Catalog, path: str) -> tuple[ImageRecord, ...]:
    """Return the images of a file, in its order."""
    return catalog.images_of(catalog.assets_under(path)[path].id)


def add_one(catalog: Catalog, path: str = "/data/a.tif", name: str = "cells") -> str:
    """Add a file with one image and return the image's identifier."""
    add(catalog, item(path, name))
    return images(catalog, path)[0].id


def claim(catalog: Catalog, **more: Any) -> Claim | None:
    """Claim one artifact, or none when there is none to claim."""
    claims = catalog.claim(VERSIONS, lease_seconds=LEASE, **more)
    assert len(claims) <= 1
    return claims[0] if claims else None


def must_claim(catalog: Catalog, **more: Any) -> Claim:
    claimed = claim(catalog, **more)
    assert claimed is not None
    return claimed


def built(key: str = "thumbnail/aa/aaaa.png", version: int = 1) -> Built:
    return Built(key=key, etag=key[-12:], media_type="image/png", size=len(key), version=version)


def build(catalog: Catalog, image_id: str, key: str = "thumbnail/aa/aaaa.png") -> None:
    """Build the thumbnail of an image."""
    assert catalog.finish([(must_claim(catalog, image_id=image_id), built(key))])


def is_fresh(catalog: Catalog, image_id: str) -> bool:
    return catalog.artifact("thumbnail", image_id).is_fresh(VERSIONS["thumbnail"])


def event_types(catalog: Catalog, after: int = 0) -> list[tuple[str, str]]:
    """Return type and image of every event after a number."""
    return [(event.type, event.image_id) for event in catalog.events_after(after)]
