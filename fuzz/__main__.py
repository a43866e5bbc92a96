"""The command: ``python3 dev.py fuzz [--seconds 30] [--reader NAME] [--samples FOLDER]``."""

import argparse
import logging
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from fuzz.corpus import MAKERS, generated, sampled
from fuzz.run import Finding, Report, fuzz, replay
from fuzz.worker import Limits

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / ".dev" / "fuzz"
SAMPLES = Path(os.environ.get("COVERSLIP_SAMPLES", ROOT.parent / "shared" / "samples"))


def main(words: Sequence[str] | None = None) -> int:
    """Run what was asked for and return the exit code: 0 nothing found, 1 something found."""
    arguments = parse(words)
    limits = Limits(seconds=arguments.time_limit, megabytes=arguments.memory)
    if arguments.replay is not None:
        verdict = replay(arguments.replay, limits)
        print(f"{verdict.outcome}: {verdict.reason}")
        return int(verdict.is_finding)
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # samples are opened once here; some are damaged already
    names = sorted(set(arguments.reader or MAKERS))
    with tempfile.TemporaryDirectory() as folder:
        seeds = generated(Path(folder), names)
        if arguments.samples.is_dir():
            seeds += sampled(arguments.samples, names)
        print(f"{len(seeds)} files, {len(names)} readers, {arguments.seconds:g} s, seed {arguments.seed}", flush=True)
        report = fuzz(
            seeds,
            KEPT,
            seed=arguments.seed,
            seconds=arguments.seconds,
            processes=arguments.processes,
            limits=limits,
            on_finding=show,
        )
    print(table(report))
    return int(bool(report.findings))


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(prog="dev.py fuzz", description="Open damaged files with every reader.")
    parser.add_argument("--seconds", type=float, default=30, help="begin no file later than this (30)")
    parser.add_argument("--reader", action="append", choices=sorted(MAKERS), help="this one alone; may be repeated")
    parser.add_argument("--samples", type=Path, default=SAMPLES, help="a folder with more files to damage")
    parser.add_argument("--seed", type=int, default=0, help="where the dice begin (0)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="how many open files at once")
    parser.add_argument("--time-limit", type=float, default=10.0, help="seconds for one file (10)")
    parser.add_argument("--memory", type=int, default=1024, help="megabytes for one file (1024)")
    parser.add_argument("--replay", type=Path, help="open a finding again: a folder below .dev/fuzz")
    return parser.parse_args(words)


def show(finding: Finding) -> None:
    """Print a finding and the last line of its reason."""
    last = (finding.verdict.reason.strip().splitlines() or [""])[-1]
    print(f"{finding.reader}: {finding.verdict.outcome}: {last[:300]}\n    {finding.kept}", flush=True)


def table(report: Report) -> str:
    """Return the table of a report, a line per reader."""
    lines = [f"{'reader':<12} {'mutants':>9} {'opened':>9} {'refused':>9} {'findings':>9}"]
    lines += [
        f"{row.reader:<12} {row.tried:>9} {row.opened:>9} {row.refused:>9} {row.findings:>9}" for row in report.rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
