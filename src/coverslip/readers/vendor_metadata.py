"""What every vendor's metadata document needs: safe XML, bounded documents, numbers that may be nonsense."""

import json
import math
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time
from enum import Enum
from itertools import islice
from typing import Any
from xml.etree import ElementTree as ET

from coverslip.readers.budgets import check_xml_bytes, check_xml_depth

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

MAX_DEPTH = 64
MAX_LIST = 1000
MAX_TEXT = 20_000
MAX_NODES = 200_000
MAX_DOCUMENT = 200_000
"""Size of a vendor document in JSON characters; one lies in the catalog for every image."""
LEFT_OUT = 60
"""Characters a remark about what was left out may take."""
MOMENTS = (
    "%Y:%m:%d %H:%M:%S",
    "%d %b %Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p",
    "%d.%m.%Y %H:%M:%S",
    "%Y%m%d %H:%M:%S.%f",
    "%Y%m%d %H:%M:%S",
)
"""Dates that can be read in one way only."""


def optional[T](call: Callable[[], T], default: T) -> T:
    """Return ``call()``, or ``default`` where the optional part of a file it parses is broken."""
    try:
        return call()
    except BROKEN:
        return default


class _Careful(ET.TreeBuilder):
    """A tree builder that refuses documents that are too deep or have a DTD: the only way to declare entities."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> ET.Element:
        self._depth += 1
        check_xml_depth(self._depth)
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ET.Element:
        self._depth -= 1
        return super().end(tag)

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError(f"the XML declares a document type ({name}); metadata never does")


def parse_xml(text: str | bytes) -> ET.Element:
    """Return the root element of a vendor's XML document.

    Raises
    ------
    ValueError
        The document declares a DTD or entities.
    BudgetError
        It is too large or too deep.
    xml.etree.ElementTree.ParseError
        It is not well-formed.
    """
    check_xml_bytes(len(text))
    parser = ET.XMLParser(target=_Careful())  # noqa: S314  # document types, and so entities, are refused
    parser.feed(text)
    root: ET.Element = parser.close()
    return root


def declares_type(text: str | bytes) -> bool:
    """Return whether a text declares a document type or entities, in any of the encodings that instruments write.

    For documents that a format library parses by itself: metadata never needs either.
    """
    if isinstance(text, str):
        return "<!DOCTYPE" in text or "<!ENTITY" in text
    words = ("<!DOCTYPE", "<!ENTITY")
    return any(word.encode(encoding) in text for word in words for encoding in ("ascii", "utf-16-le", "utf-16-be"))


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


def vendor_document(value: object) -> dict[str, Any]:
    """Return a foreign dict as the bounded JSON document that the catalog keeps; empty where it is no dict."""
    kept = bounded(json_document(value))
    return kept if isinstance(kept, dict) else {}


def json_document(value: object, depth: int = 0) -> Any:
    """Return a foreign value as JSON: of bounded depth and size, without NaN and NUL, which no database takes.

    Long lists and texts are cut; of bytes and large arrays only the size is told; NaN is ``None``.
    """
    return _Cleaner().clean(value, depth)


class _Cleaner:
    """Turns foreign values into JSON values, as many as may be."""

    def __init__(self) -> None:
        self._left = MAX_NODES

    def clean(self, value: object, depth: int) -> Any:
        self._left -= 1
        if depth > MAX_DEPTH:
            return None
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, list | tuple | set | frozenset):
            return self._sequence(value, len(value), depth)
        return self._of_numpy(value, depth) if hasattr(value, "tolist") else _scalar(value)

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, item in value.items():
            if self._left <= 0:
                break
            result[_text(str(key))] = self.clean(item, depth + 1)
        return result

    def _sequence(self, items: Iterable[object], count: int, depth: int) -> list[Any]:
        kept = [self.clean(item, depth + 1) for item in islice(items, min(MAX_LIST, max(0, self._left)))]
        return kept if len(kept) == count else [*kept, f"(left out: {count - len(kept)} more)"]

    def _of_numpy(self, value: Any, depth: int) -> Any:
        """Arrays, records and scalars of numpy, without knowing numpy."""
        dtype: Any = getattr(value, "dtype", None)
        kind = getattr(dtype, "kind", "")
        if getattr(value, "ndim", 0) and value.size > MAX_LIST:
            return f"<array {value.shape} {dtype}>"
        if kind == "V" and dtype.names and not value.ndim:
            return self._mapping({name: value[name] for name in dtype.names}, depth)
        plain = value.astype("datetime64[ms]").tolist() if kind == "M" else value.tolist()
        if kind == "S" and isinstance(plain, bytes):  # text of fixed length, as old headers have it
            return _text(plain.decode("latin-1").strip("\0 "))
        return _scalar(str(plain)) if hasattr(plain, "tolist") else self.clean(plain, depth)


def _scalar(value: object) -> str | int | float | None:
    """Return a single value as JSON, ``None`` where it has no place there."""
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray):
        return f"<{len(value)} bytes>"
    if isinstance(value, str | complex):
        return _text(str(value))
    if isinstance(value, int):
        return value if value.bit_length() <= 64 else f"{value:#x}"[:MAX_TEXT]
    return value if isinstance(value, float) and math.isfinite(value) else None


def _text(text: str) -> str:
    """Return a text that every database takes: of bounded length, without NUL and halves of characters."""
    return text[:MAX_TEXT].replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def bounded(document: Any, budget: int = MAX_DOCUMENT) -> Any:
    """Return a JSON document of at most ``budget`` characters: small parts stay whole, large ones are thinned."""
    size = _size(document)
    if size <= budget:
        return document
    if isinstance(document, list) and budget > 2 * LEFT_OUT:
        return [bounded(document[0], budget - LEFT_OUT), f"(left out: {len(document) - 1} more)"]
    if isinstance(document, dict) and budget > 2 * LEFT_OUT:
        return _thinned(document, budget)
    return f"(left out: {size} characters)" if budget >= LEFT_OUT else None


def _thinned(document: dict[str, Any], budget: int) -> dict[str, Any]:
    """Return the smallest entries of a dict whole, larger ones thinned, as many as there is room for."""
    left = budget - LEFT_OUT
    sizes = {key: _size(value) for key, value in document.items()}
    kept: dict[str, Any] = {}
    for position, key in enumerate(sorted(document, key=lambda key: sizes[key])):
        name = _size(key) + len(": , ")
        share = left // (len(document) - position) - name
        room = max(share, min(sizes[key], LEFT_OUT))
        if name + room > left:
            break
        kept[key] = document[key] if sizes[key] <= room else bounded(document[key], room)
        left -= name + _size(kept[key])
    shown = {key: kept[key] for key in document if key in kept}
    missing = len(document) - len(kept)
    return {**shown, "...": f"(left out: {missing} more)"} if missing else shown


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
    """Return a text without superfluous blanks and NULs, ``None`` where nothing is left."""
    return (" ".join(value.strip("\0 \t\r\n").split()) or None) if isinstance(value, str) else None


def moment(value: object, formats: Sequence[str] = MOMENTS) -> datetime | None:
    """Return a date and time: aware where the text states a zone, else naive as it is written.

    ``None`` for anything that is neither ISO 8601 nor one of the formats, and for the year 1, which vendors use for
    *unknown*.
    """
    if isinstance(value, datetime):
        return value
    written = words(value)
    if written is None:
        return None
    with suppress(ValueError):
        found = datetime.fromisoformat(written)
        return found if found.year > 1 else None
    for pattern in formats:
        with suppress(ValueError):
            return datetime.strptime(written, pattern)  # the file states no zone
    return None


def mean_step(times: Sequence[float]) -> float | None:
    """Return the mean step of a rising series, ``None`` where it does not rise."""
    return positive((times[-1] - times[0]) / (len(times) - 1)) if len(times) > 1 else None


def seconds_since_epoch(seconds: float) -> datetime | None:
    """Return a UTC time, ``None`` outside 1970 to 2200: clocks that were never set."""
    return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < 7_258_118_400 else None
