"""Rows as a table: for the terminal and for docs/performance.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.row import Row


def printed(row: Row) -> str:
    """Return a row as one line for the terminal, its note below."""
    peers = ", ".join(f"{name} {number(value)}" for name, value in row.peers.items()) or "-"
    limit = "-" if row.limit is None else number(row.limit)
    line = f"{row.work:<52} {number(row.ours):>9} {row.unit:<3} limit {limit:>8} {_ratio(row):>7}  "
    line += f"{'reached' if row.reached else 'MISSED '}  {row.goal}; {peers}"
    return line + (f"\n{'':<54}{row.note}" if row.note else "")


def markdown(families: Mapping[str, Sequence[Row]]) -> str:
    """Return all rows as a table."""
    lines = ["| work | limit | peers | ours | ours / limit | goal | reached |", "|---|---|---|---|---|---|---|"]
    for rows in families.values():
        for row in rows:
            peers = ", ".join(f"{name} {number(value)}" for name, value in row.peers.items()) or "-"
            limit = "-" if row.limit is None else f"{number(row.limit)}"
            work = row.work + (f" ({row.note})" if row.note else "")
            cells = [
                *(work, limit, peers, f"**{number(row.ours)} {row.unit}**", _ratio(row)),
                *(row.goal, "yes" if row.reached else "**no**"),
            ]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def put_into(page: Path, name: str, text: str) -> None:
    """Replace what stands between the two marks of one table of a page."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise ValueError(f"{page} has no place for the table {name!r}")
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def number(value: float) -> str:
    """Return a number with three significant digits."""
    if value != value or value == 0:  # noqa: PLR0124  # not a number
        return "?" if value else "0"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _ratio(row: Row) -> str:
    return f"{row.ours / row.limit:.2f}x" if row.limit else "-"
