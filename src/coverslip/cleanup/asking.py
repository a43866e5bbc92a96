"""Asking a layout what is there, as plans of cleanups do."""

from collections.abc import Collection, Mapping
from pathlib import Path

from coverslip.cleanup.existence import Existence, look
from coverslip.cleanup.existence_remote import NOTHING
from coverslip.cleanup.planning import Look
from coverslip.errors import CoverslipError
from coverslip.sources import RemoteRules, locate


def asking(rules: RemoteRules, *, instead: str = "") -> Look:
    """Return what asks layouts where they lie. What cannot be asked is unknown; nothing is raised.

    Parameters
    ----------
    rules
        Which addresses may be opened.
    instead
        Another folder or address of the same layout, which is asked in its place.
    """

    def ask(
        layout: str, keys: Collection[str], prefixes: Collection[str], only_with: Mapping[str, str] = NOTHING
    ) -> Existence:
        try:
            top = locate(instead or layout, rules)
        except CoverslipError as error:
            return Existence(unknown=dict.fromkeys(keys, str(error)))
        if not top.is_absolute():
            return Existence(unknown=dict.fromkeys(keys, f"{top}: this is no absolute folder"))
        return look(top, keys, prefixes=prefixes, aliases=_aliases(layout, top), only_with=only_with)

    return ask


def _aliases(layout: str, top: Path) -> tuple[str, ...]:
    return () if layout == str(top) else (layout,)
