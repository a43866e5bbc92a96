"""Column types that both databases keep the same way, and text prepared for them."""

import unicodedata
from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect, Text, TypeDecorator

_SURROGATES = range(0xDC80, 0xDD00)
_PRIVATE = 0x10DC80
_TO_PRIVATE = {surrogate: _PRIVATE + step for step, surrogate in enumerate(_SURROGATES)}
_TO_SURROGATE = {private: surrogate for surrogate, private in _TO_PRIVATE.items()}


class UtcTime(TypeDecorator[datetime]):
    """A point in time: aware and in UTC on both sides, whatever the database keeps.

    SQLite has no time type and forgets the zone; its text form sorts like the times as long as all are in one zone.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time in UTC; naive times are refused, because nobody knows what they mean."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time as an aware one in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class CleanText(TypeDecorator[str]):
    """Text from foreign files: what no database can keep (NUL, lone surrogates) becomes the replacement character."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the text as both databases can keep it."""
        if value is None:
            return None
        return value.replace("\x00", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class CodePointText(CleanText):
    """Clean text that both databases compare by code point, so that both sort it the same way."""

    impl = Text().with_variant(Text(collation="C"), "postgresql")  # type: ignore[assignment]  # as in PathText
    cache_ok = True


class PathText(TypeDecorator[str]):
    """A path, compared by code point in both databases so that ranges of paths mean folders.

    Bytes of a file name that are not UTF-8 reach Python as lone surrogates U+DC80 to U+DCFF, which no database can
    keep. They are kept as U+10DC80 to U+10DCFF (private use) and come back as they were.
    """

    impl = Text().with_variant(Text(collation="C"), "postgresql")
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the path with undecodable bytes in private use."""
        return None if value is None else value.translate(_TO_PRIVATE)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the path as the file system knows it."""
        return None if value is None else value.translate(_TO_SURROGATE)


def kept_path(path: str) -> str:
    """Return the path as it will be when read back."""
    return path.translate(_TO_PRIVATE).translate(_TO_SURROGATE)


def folded(*parts: str) -> str:
    """Return text for searching: compatibility forms and letter case do not count.

    SQLite's own ``lower`` and ``LIKE`` know ASCII only, and macOS writes accents apart from their letters.
    """
    return unicodedata.normalize("NFKC", "\n".join(parts)).casefold()
