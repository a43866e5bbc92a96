"""The table as text."""

from collections import Counter
from collections.abc import Sequence

from conformance.run import Line

WIDEST_DETAIL = 200


def table(lines: Sequence[Line]) -> str:
    """Return a row per format and feature."""
    cells = [
        (
            line.format,
            line.feature,
            line.origin,
            line.outcome.compared or "-",
            str(line.outcome.images or "-"),
            f"{line.outcome.pixels:,}" if line.outcome.pixels else "-",
            line.outcome.status,
        )
        for line in lines
    ]
    head = ("format", "feature", "independent file", "reference", "images", "pixels", "result")
    return "\n".join([*_columns([head, *cells]), *_details(lines)])


def listing(lines: Sequence[Line]) -> str:
    """Return a line per file of the folder of samples."""
    cells = [
        (
            line.origin,
            line.outcome.compared or "-",
            f"{line.outcome.pixels:,}" if line.outcome.pixels else "-",
            line.outcome.status,
            line.outcome.detail.split(":")[0] if line.outcome.status == "refused" else "",
        )
        for line in lines
    ]
    return "\n".join([*_columns([("file", "reference", "pixels", "result", ""), *cells]), *_details(lines)])


def summary(title: str, lines: Sequence[Line]) -> str:
    """Return how many there are of each result."""
    counts = Counter(line.outcome.status for line in lines)
    return f"{title}: {', '.join(f'{count} {status}' for status, count in sorted(counts.items()))}"


def _columns(cells: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    return ["  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def _details(lines: Sequence[Line]) -> list[str]:
    """Return what has to be looked at, below the table: reasons are long."""
    wrong = [
        line for line in lines if line.outcome.is_failure or (line.outcome.status == "right" and line.outcome.detail)
    ]
    return [""] * bool(wrong) + [
        f"{line.outcome.status}: {line.format} {line.feature} ({line.origin}): "
        f"{line.outcome.detail.strip()[:WIDEST_DETAIL]}"
        for line in wrong
    ]
