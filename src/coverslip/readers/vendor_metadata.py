"""What every vendor's metadata document needs: safe XML, bounded documents, numbers that may be nonsense."""

import json
import math
import struct
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

BROKEN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What parsing a broken document raises; ``OSError`` is not among them, an unreadable disk is no broken document."""

MAX_XML_BYTES = 256 << 20
MAX_DEPTH = 64
MAX_LIST = 1000
MAX_TEXT = 20_000
MAX_DOCUMENT = 200_000
"""Size of a vendor document in JSON characters; one lies in the catalog for every image."""


def optional[T](call: Callable[[], T], default: T) -> T:
    """Return ``call()``, or ``default`` where the optional part of a file it parses is broken."""
    try:
        return call()
    except BROKEN:
        return default


class _NoDoctype(ET.TreeBuilder):
    """A tree builder that refuses documents with a DTD: the only way entities could be declared."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError(f"the XML declares a document type ({name}); metadata never does")


def parse_xml(text: str | bytes) -> ET.Element:
    """Return the root element of a vendor's XML document.

    Raises
    ------
    ValueError
        The document declares a DTD or entities, or is absurdly large.
    xml.etree.ElementTree.ParseError
        It is not well-formed.
    """
    if len(text) > MAX_XML_BYTES:
        raise ValueError(f"{len(text)} bytes of XML are too many")
    parser = ET.XMLParser(target=_NoDoctype())  # noqa: S314  # document types, and so entities, are refused
    parser.feed(text)
    root: ET.Element = parser.close()
    return root


def element_document(element: ET.Element, depth: int = 0) -> Any:
    """Return an XML element as JSON: attributes as ``"@name"``, repeated children as lists, leaves as text."""
    text = (element.text or "").strip()[:MAX_TEXT]
    if not len(element) and not element.attrib:
        return text
    document: dict[str, Any] = {f"@{_local(key)}": value[:MAX_TEXT] for key, value in element.attrib.items()}
    if text:
        document["#text"] = text
    if depth >= MAX_DEPTH:
        return document
    for child in element:
        _append(document, _local(str(child.tag)), element_document(child, depth + 1))
    return document


def _append(document: dict[str, Any], key: str, value: Any) -> None:
    """Add a child; the second one of a name turns the entry into a list, up to a bound."""
    present = document.get(key)
    if key not in document:
        document[key] = value
    elif not isinstance(present, list):
        document[key] = [present, value]
    elif len(present) < MAX_LIST:
        present.append(value)


def _local(tag: str) -> str:
    """Return a tag or attribute name without its namespace."""
    return tag.rsplit("}", 1)[-1]


def json_document(value: Any, depth: int = 0) -> Any:
    """Return a foreign value as JSON: no bytes, no NaN, no arrays, lists and texts of bounded length."""
    if isinstance(value, Mapping) and depth < MAX_DEPTH:
        return {str(key): json_document(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple) and depth < MAX_DEPTH:
        return [json_document(item, depth + 1) for item in value[:MAX_LIST]]
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value[:MAX_TEXT] if isinstance(value, str) else None


def bounded(document: Any, budget: int = MAX_DOCUMENT) -> Any:
    """Return a JSON document cut to about ``budget`` characters: small parts stay whole, large ones are thinned."""
    size = _size(document)
    if size <= budget:
        return document
    if isinstance(document, list) and document and budget > 100:
        return [bounded(document[0], budget - 50), f"(left out: {len(document) - 1} more)"]
    if not isinstance(document, dict) or budget < 100:
        return f"(left out: {size} characters)"
    kept: dict[str, Any] = {}
    left = budget
    by_size = sorted(document, key=lambda key: _size(document[key]))
    for position, key in enumerate(by_size):
        kept[key] = bounded(document[key], left // (len(by_size) - position) - len(key) - 6)
        left -= _size(kept[key]) + len(key) + 6
    return {key: kept[key] for key in document}


def _size(document: Any) -> int:
    return len(json.dumps(document))


def number(value: object) -> float | None:
    """Return a finite number from a text or a number, ``None`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        parsed = float(value)
    except (ValueError, OverflowError):
        return None
    return parsed if math.isfinite(parsed) else None


def positive(value: object, scale: float = 1.0) -> float | None:
    """Return a finite number above zero times ``scale``, ``None`` for anything else."""
    parsed = number(value)
    scaled = parsed * scale if parsed is not None and parsed > 0 else None
    return scaled if scaled is not None and math.isfinite(scaled) else None


def words(value: object) -> str | None:
    """Return a text without superfluous blanks, ``None`` where nothing is left."""
    return (" ".join(value.split()) or None) if isinstance(value, str) else None


def moment(text: object) -> datetime | None:
    """Return an ISO date and time; ``None`` for anything else and for the year 1, which vendors use for *unknown*."""
    if not isinstance(text, str):
        return None
    try:
        parsed = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return parsed if parsed.year > 1 else None


def seconds_since_epoch(seconds: float) -> datetime | None:
    """Return a UTC time, ``None`` outside 1970 to 2200: clocks that were never set."""
    return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < 7_258_118_400 else None
