"""Metadata documents, made of what the config says and what earlier steps found out."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from coverslip.errors import NotFoundError
from coverslip.ingest.deposition.documents import build_document
from coverslip.ingest.deposition.recipes.work import Facts, Work
from coverslip.ingest.deposition.seen import DOCUMENT
from coverslip.ingest.deposition.steps import Step

UPDATED = "last_updated_at"


def built(step: Step, needs: Mapping[str, Facts]) -> dict[str, Any]:
    """Return the document of a step without the time at which it was last changed."""
    return build_document(str(step.options["type"]), step.options, needs)


def document(work: Work) -> dict[str, Any]:
    """Write a document. Its ``last_updated_at`` is when anything else in it changed; one that says the same stays.

    Facts: ``document``, the whole of it.
    """
    content = built(work.step, work.needs)
    key = work.only_output()
    before = dict(work.before.facts.get(DOCUMENT, {})) if work.before else None
    if before is not None and _is_same(before, content):
        whole = before
    else:
        found = _read(work, key)
        if found is not None and _is_same(found[0], content):
            work.outputs[key] = hashlib.sha256(found[1]).hexdigest()
            return {DOCUMENT: found[0]}
        whole = {**content, UPDATED: int(work.now())}
    work.publish(key, _text(whole))
    return {DOCUMENT: whole}


def _is_same(there: dict[str, Any], content: dict[str, Any]) -> bool:
    """Return whether a document says the same, and when it was changed."""
    bare = {name: value for name, value in there.items() if name != UPDATED}
    return isinstance(there.get(UPDATED), int) and _text(bare) == _text(content)


def _read(work: Work, key: str) -> tuple[dict[str, Any], bytes] | None:
    """Return the document that is there and its bytes, or ``None`` where there is none or something else."""
    try:
        data = work.destination.read(key)
        found = json.loads(data)
    except (NotFoundError, ValueError, RecursionError):
        return None
    return (found, data) if isinstance(found, dict) else None


def _text(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=4, ensure_ascii=False, allow_nan=False).encode()
