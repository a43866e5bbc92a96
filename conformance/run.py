"""Every row and every sample, one after the other."""

import random
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from conformance.compare import compare, refuse
from conformance.row import Outcome, Reference, Row, Written
from conformance.samples import rule_of, things
from coverslip.errors import CoverslipError


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the report."""

    format: str
    feature: str
    origin: str
    outcome: Outcome


def run_rows(rows: Iterable[Row], samples: Path, seed: int) -> Iterator[Line]:
    """Yield what came of each row.

    Parameters
    ----------
    rows
        Those of ``conformance.rows``.
    samples
        Folder that their files are in; it need not exist.
    seed
        Where the dice begin; a row alone sees the same places again.
    """
    for row in rows:
        dice = random.Random(f"{seed} {row.format} {row.feature}")
        outcome = _run_row(row, samples, dice)
        yield Line(row.format, row.feature, row.origin, _weighed(outcome, row.experimental))


def run_samples(folder: Path, seed: int, top: Path | None = None) -> Iterator[Line]:
    """Yield what came of each file of a folder of samples.

    Parameters
    ----------
    folder
        Every file in it and below.
    seed
        As above.
    top
        The folder that rules speak of, where ``folder`` is only a part of it.
    """
    for path in things(folder):
        name = path.relative_to(top or folder).as_posix()
        rule = rule_of(name)
        if rule is None:
            yield Line("", "", name, Outcome("wrong", detail="no rule in conformance/samples.py fits this file"))
            continue
        yield Line("", rule.because, name, _check(path, rule.reference, rule.refused, random.Random(f"{seed} {name}")))


def _run_row(row: Row, samples: Path, dice: random.Random) -> Outcome:
    if isinstance(row.source, Written):
        with tempfile.TemporaryDirectory() as folder:
            try:
                made = row.source.make(Path(folder))
            except ModuleNotFoundError as error:
                return Outcome("wrong", detail=f"the package {error.name} is not installed, which writes the file")
            return _check_row(made, row, dice)
    found = sorted(samples.glob(row.source)) if row.source else []
    return _sum({path.name: _check_row(path, row, dice) for path in found})


def _check_row(path: Path, row: Row, dice: random.Random) -> Outcome:
    if row.serve is None or row.reference is None:
        return _check(path, row.reference, row.refused, dice)
    with row.serve(path) as address:
        return compare(path, row.reference, dice, address)


def _check(
    path: Path, reference: Reference | None, refused: type[CoverslipError] | None, dice: random.Random
) -> Outcome:
    if refused is not None:
        return refuse(path, refused)
    if reference is None:
        return Outcome("wrong", detail="neither a reference reader nor an expected error is named")
    return compare(path, reference, dice)


def _sum(outcomes: Mapping[str, Outcome]) -> Outcome:
    """Return one outcome for all files of a row: the worst there is, with the reason of the first such file."""
    if not outcomes:
        return Outcome("no file")
    bad = {name: outcome for name, outcome in outcomes.items() if outcome.status == "wrong"}
    name, worst = next(iter((bad or outcomes).items()))
    total = {key: sum(getattr(outcome, key) for outcome in outcomes.values()) for key in ("images", "reads", "pixels")}
    return replace(worst, **total, detail=f"{name}: {worst.detail}" if worst.detail else "")


def _weighed(outcome: Outcome, experimental: str) -> Outcome:
    """Return the outcome of what is listed as experimental: it may be wrong or have no file."""
    if experimental and outcome.status == "right":
        return replace(outcome, detail="right, though listed as experimental: take the word away")
    if not experimental or outcome.status in {"right", "refused"}:
        return outcome
    return replace(outcome, status="experimental", detail=f"{experimental}. {outcome.detail}".rstrip(". "))
