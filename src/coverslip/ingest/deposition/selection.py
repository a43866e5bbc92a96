"""Which part of a config an ingest writes."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from coverslip.errors import InvalidRequestError
from coverslip.ingest.deposition.entities import ENTITIES
from coverslip.ingest.deposition.expand import Entity
from coverslip.ingest.deposition.patterns import PatternError, compiled, may_take_forever
from coverslip.ingest.deposition.problems import did_you_mean, listed

Rules = tuple[tuple[str, re.Pattern[str]], ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """What is written. Without anything said, everything is.

    Parameters
    ----------
    only
        Types; what contains them is gone through and not written. Empty for all.
    filters
        Types with expressions for names: entities whose name fits none of those of their type are left out, with
        everything in them.
    excludes
        The same for entities whose name fits one. Both are compared from the beginning of the name on.
    is_metadata_only
        Whether only metadata documents are written.
    """

    only: frozenset[str] = frozenset()
    filters: Rules = field(default=())
    excludes: Rules = field(default=())
    is_metadata_only: bool = False

    def writes(self, kind: str) -> bool:
        """Return whether entities of a type are written."""
        return not self.only or kind in self.only

    def why_not(self, entity: Entity) -> str:
        """Return why an entity is left out by its name or by that of what contains it; nothing when it is not."""
        for one in entity.chain():
            regexes = [regex for kind, regex in self.filters if kind == one.type]
            if regexes and not any(regex.match(one.name) for regex in regexes):
                return f"its {one.type} fits no --filter"
            for kind, regex in self.excludes:
                if kind == one.type and regex.match(one.name):
                    return f"its {one.type} fits --exclude {regex.pattern}"
        return ""


def select(
    only: Iterable[str] = (),
    filters: Iterable[str] = (),
    excludes: Iterable[str] = (),
    *,
    everything: bool = False,
    metadata_only: bool = False,
) -> Selection:
    """Return the selection that options of a command mean.

    Parameters
    ----------
    only
        Types.
    filters, excludes
        ``TYPE=regex``.
    everything
        The same as naming no type, said aloud.
    metadata_only
        Whether only metadata documents are written.

    Raises
    ------
    InvalidRequestError
        A type is not known, an expression does not work, or everything and only a part are asked for; all at once.
    """
    problems: list[str] = []
    types = tuple(only)
    for name in types:
        problems += _unknown("--only", name)
    if everything and types:
        problems.append("--everything: and --only cannot both be asked for")
    included = _rules("--filter", filters, problems)
    excluded = _rules("--exclude", excludes, problems)
    if problems:
        raise InvalidRequestError("; ".join(problems), problems)
    return Selection(frozenset(types), included, excluded, metadata_only)


def _unknown(option: str, name: str) -> list[str]:
    if name in ENTITIES:
        return []
    hint = did_you_mean(name, ENTITIES) or f"There are {listed(tuple(ENTITIES), 'and')}."
    return [f"{option}: there is no type {name!r}. {hint}"]


def _rules(option: str, texts: Iterable[str], problems: list[str]) -> Rules:
    found = []
    for text in texts:
        kind, equals, pattern = text.partition("=")
        if not equals or not pattern:
            problems.append(f"{option}: expected TYPE=regex, found {text!r}")
            continue
        problems += _unknown(option, kind)
        try:
            regex = compiled(pattern)
        except PatternError as error:
            problems.append(f"{option}: {error}")
            continue
        if may_take_forever(pattern):
            problems.append(f"{option}: {pattern!r} may take forever")
        found.append((kind, regex))
    return tuple(found)
