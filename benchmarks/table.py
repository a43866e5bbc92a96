"""Rows as a table: for the terminal and for docs/performance.md."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.row import Row

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def printed(row: Row) -> str:
    """Return a row as one line for the terminal, its note below."""
    peers = ", ".join(f"{name} {number(value)}" for name, value in row.peers.items()) or "-"
    limit = "-" if row.limit is None else number(row.limit)
    line = f"{row.work:<52} {number(row.ours):>9} {row.unit:<3} limit {limit:>8} {_ratio(row):>7}  "
    line += f"{'reached' if row.reached else 'MISSED '}  {row.goal}; {peers}"
    return line + (f"\n{'':<54}{row.note}" if row.note else "")


def markdown(families: Sequence[tuple[str, Sequence[Row]]]) -> str:
    """Return all rows as a table."""
    lines = ["| work | limit | peers | ours | ours / limit | goal | reached |", "|---|---|---|---|---|---|---|"]
    for _, rows in families:
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


def put_into(page: Path, text: str) -> None:
    """Replace what stands between the two marks of a page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def number(value: float) -> str:
    """Return a number with three significant digits."""
    if value != value or value == 0:  # noqa: PLR0124  # not a number
        return "?" if value else "0"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _ratio(row: Row) -> str:
    return f"{row.ours / row.limit:.2f}x" if row.limit else "-"
