"""Files that are copied as they are, and tables of which a run has some rows."""

import csv
import json
from typing import Any

from coverslip.cryoet.files import read_text
from coverslip.errors import ReadError
from coverslip.ingest.deposition.recipes.copying import copy_file
from coverslip.ingest.deposition.recipes.work import Work

RUN_COLUMN = "run_name"
MOST_ROWS = 1_000_000


def copy(work: Work) -> dict[str, Any]:
    """Copy one file.

    Facts: ``path``, where it is now.
    """
    key = work.only_output()
    copy_file(work, work.only_input(), key)
    return {"path": key}


def identified_objects(work: Work) -> dict[str, Any]:
    """Write the rows of a run out of a table, as a list of objects without the column that names the run.

    A table without such a column is of one run. An empty cell is ``null``; every other one is text.

    Facts: ``object_count``, ``columns``, ``file_format`` and ``source_file``.
    """
    options = work.step.options
    wanted = work.only_input()
    path = work.file(wanted)
    run = str(options.get("filter_value") or options.get("run_name") or work.target.run.rsplit("/", 1)[-1])
    text = read_text(path)
    try:
        rows = list(csv.reader(text.lines, strict=True))
    except csv.Error as error:
        raise ReadError(f"{path}: this is no table of comma-separated values: {error}") from error
    if not rows or not any(rows[0]):
        raise text.wrong(1, "there is no row with the names of columns")
    header = [name.strip() for name in rows[0]]
    if len(set(header)) != len(header) or "" in header:
        raise text.wrong(1, "every column has a name of its own")
    if len(rows) > MOST_ROWS:
        raise ReadError(f"{path}: the table has more than {MOST_ROWS:,} rows")
    found = []
    for number, row in enumerate(rows[1:], 2):
        if not row:
            continue
        if len(row) != len(header):
            raise text.wrong(number, f"expected {len(header)} cells, found {len(row)}")
        cells = {name: cell.strip() or None for name, cell in zip(header, row, strict=True)}
        if cells.pop(RUN_COLUMN, run) == run:
            found.append(cells)
    columns = [name for name in header if name != RUN_COLUMN]
    work.publish(work.only_output(), json.dumps(found, indent=4, ensure_ascii=False).encode())
    return {"object_count": len(found), "columns": columns, "file_format": "json", "source_file": wanted.path}
