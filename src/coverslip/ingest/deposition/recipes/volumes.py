"""Volumes."""

from typing import Any

from coverslip.ingest.deposition.recipes.work import Work


def volume(work: Work) -> dict[str, Any]:
    return {}


def mask(work: Work) -> dict[str, Any]:
    return {}


def gain(work: Work) -> dict[str, Any]:
    return {}
