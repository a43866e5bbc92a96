"""Metadata to JSON documents and back. The vendor's document is kept apart: lists never need it."""

import math
from collections.abc import Mapping
from typing import Any

from coverslip.model.metadata import ImageMetadata

Document = dict[str, Any]


def to_documents(metadata: ImageMetadata) -> tuple[Document, Document]:
    """Return the metadata without the vendor's part, and the vendor's part, as JSON-able documents."""
    return metadata.model_dump(mode="json", exclude={"vendor"}), plain(metadata.vendor)


def to_metadata(document: Document, vendor: Document | None = None) -> ImageMetadata:
    """Return the metadata of two documents; ``vendor`` stays empty where it was not asked for."""
    return ImageMetadata.model_validate({**document, "vendor": vendor or {}})


def plain(value: Any) -> Any:
    """Return the value with nothing in it that JSON does not know.

    One odd value in one vendor's document must not keep a whole batch of files out of the catalog. NaN and
    infinity become null, as JSON has no word for them.
    """
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(item) for item in value]
        case _:
            return str(value)
