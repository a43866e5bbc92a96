"""The command: ``python3 dev.py conformance [--seed N] [--samples FOLDER] [--format NAME] [--rows]``."""

import argparse
import logging
import os
import random
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from conformance.report import listing, summary, table
from conformance.rows import ROWS
from conformance.run import run_rows, run_samples

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = Path(os.environ.get("COVERSLIP_SAMPLES", ROOT.parent / "shared" / "samples"))


def main(words: Sequence[str] | None = None) -> int:
    """Print the table and return the exit code: 0 where everything is right or listed as experimental, else 1."""
    arguments = parse(words)
    logging.disable(logging.ERROR)  # some samples are damaged, and the libraries say so at length
    warnings.simplefilter("ignore")
    wanted = [row for row in ROWS if not arguments.format or row.format.lower() in arguments.format]
    print(f"seed {arguments.seed}", flush=True)
    lines = list(run_rows(wanted, arguments.samples, arguments.seed))
    print(table(lines), "", summary("features", lines), sep="\n", flush=True)
    if not arguments.rows and not arguments.format and arguments.samples.is_dir():
        files = list(run_samples(arguments.samples, arguments.seed))
        print("", listing(files), "", summary("files", files), sep="\n")
        lines += files
    return int(any(line.outcome.is_failure for line in lines))


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(prog="dev.py conformance", description="Compare every reader with another one.")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="where the dice begin")
    parser.add_argument("--samples", type=Path, default=SAMPLES, help="the folder of real files")
    parser.add_argument("--format", type=str.lower, action="append", help="rows of this format alone; may be repeated")
    parser.add_argument("--rows", action="store_true", help="the table alone, without the list of files")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
