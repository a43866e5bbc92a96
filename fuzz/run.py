"""Mutants in turn from every reader's seeds, on a few processes, until the time or the number is reached."""

import itertools
import json
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from fuzz.corpus import Mutant, Seed, make_mutant
from fuzz.worker import Limits, Verdict, Worker

NOTE = "finding.json"


@dataclass(frozen=True, slots=True)
class Finding:
    """A file that did what no file may do."""

    reader: str
    verdict: Verdict
    kept: Path
    """The folder with the mutant and ``finding.json``: seed, number, origin, damage and reason."""


@dataclass(frozen=True, slots=True)
class Row:
    """How one reader did."""

    reader: str
    tried: int
    opened: int
    refused: int
    findings: int


@dataclass(frozen=True, slots=True)
class Report:
    """How all readers did."""

    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]
    """In the order of readers and of their mutants."""


def fuzz(
    seeds: Sequence[Seed],
    folder: Path,
    *,
    seed: int = 0,
    seconds: float | None = None,
    mutants: int | None = None,
    processes: int = 2,
    limits: Limits = Limits(),  # noqa: B008  # frozen
    on_finding: Callable[[Finding], None] = lambda finding: None,
) -> Report:
    """Return what became of the mutants of all seeds.

    Parameters
    ----------
    seeds
        Good images; those of one reader are mutated together.
    folder
        Where findings are kept, as ``<reader>/<digest>``. Scratch files go into a folder of their own and are removed.
    seed
        Where the dice begin. The n-th mutant of a reader depends on its seeds, ``seed`` and n alone.
    seconds
        Begin no mutant later than this.
    mutants
        Try at most so many per reader. One of the two has to be given.
    processes
        How many open files at once.
    limits
        What one mutant may cost.
    on_finding
        Called for each finding when it is kept, from several threads.

    Raises
    ------
    ValueError
        There is no seed, or nothing says when to stop.
    """
    if not seeds or (seconds is None and mutants is None):
        raise ValueError("fuzzing needs seeds, and a number of seconds or of mutants")
    by_reader = {name: [one for one in seeds if one.reader == name] for name in sorted({one.reader for one in seeds})}
    numbers = itertools.count() if mutants is None else iter(range(mutants))
    turns = ((number, reader) for number in numbers for reader in by_reader)
    until = float("inf") if seconds is None else time.monotonic() + seconds
    lock, counts = threading.Lock(), Counter[tuple[str, str]]()
    found: dict[tuple[str, int], Finding] = {}
    folder.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="work-", dir=folder))  # two runs may share the folder

    def take_turns(process: int) -> None:
        place = work / str(process)
        place.mkdir(parents=True, exist_ok=True)
        with Worker(limits, place / "log.txt", tuple(by_reader)) as worker:
            while time.monotonic() < until:
                with lock:
                    turn = next(turns, None)
                if turn is None:
                    return
                number, reader = turn
                mutant = make_mutant(by_reader[reader], seed, number)
                verdict = try_mutant(mutant, worker, place / "mutant")
                with lock:
                    counts[reader, verdict.outcome] += 1
                    if verdict.is_finding:
                        kept = keep(mutant, verdict, folder, seed)
                        found[reader, number] = Finding(reader, verdict, kept)
                if verdict.is_finding:
                    on_finding(found[reader, number])

    try:
        with ThreadPoolExecutor(processes) as pool:
            list(pool.map(take_turns, range(processes)))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return Report(tuple(_row(name, counts) for name in by_reader), tuple(found[key] for key in sorted(found)))


def try_mutant(mutant: Mutant, worker: Worker, folder: Path) -> Verdict:
    """Return what becomes of a mutant; one that took too long or too much is tried again in a fresh process.

    A busy machine or the files before it may have been the reason, and those are no findings. A process that died is
    one in any case.
    """
    folder.mkdir()
    try:
        path = mutant.write(folder)
        verdict = worker.try_file(path)
        if verdict.outcome in {"hang", "memory"}:
            worker.close()
            verdict = worker.try_file(path)
    finally:
        shutil.rmtree(folder)
    return verdict


def keep(mutant: Mutant, verdict: Verdict, folder: Path, seed: int) -> Path:
    """Write a mutant and how it came about into its folder, and return that."""
    place = folder / mutant.seed.reader / mutant.digest
    mutant.write(place)
    note = {
        "open": str(mutant.seed.name),
        "outcome": verdict.outcome,
        "reason": verdict.reason,
        "reader": mutant.seed.reader,
        "seed": seed,
        "number": mutant.number,
        "origin": str(mutant.seed.root / mutant.seed.name),
        "damage": mutant.damage,
    }
    (place / NOTE).write_text(json.dumps(note, indent=2) + "\n", encoding="utf-8")
    return place


def replay(kept: Path, limits: Limits) -> Verdict:
    """Return what becomes, now, of a mutant that was kept.

    Raises
    ------
    OSError
        The folder holds no ``finding.json``.
    """
    note = json.loads((kept / NOTE).read_text(encoding="utf-8"))
    log = kept / "log.txt"
    try:
        with Worker(limits, log, (note["reader"],)) as worker:
            return worker.try_file(kept / note["open"])
    finally:
        log.unlink(missing_ok=True)


def _row(reader: str, counts: Counter[tuple[str, str]]) -> Row:
    own = Counter({outcome: count for (name, outcome), count in counts.items() if name == reader})
    tried = own.total()
    return Row(reader, tried, own["opened"], own["refused"], tried - own["opened"] - own["refused"])
