"""Depositions of electron tomography as YAML describes them: read, checked, and expanded over a listing."""

from coverslip.ingest.deposition.check import Checked, check, check_text
from coverslip.ingest.deposition.expand import Entity, EntityFile, Expansion, expand
from coverslip.ingest.deposition.listing import Listing
from coverslip.ingest.deposition.problems import Problem
from coverslip.ingest.deposition.schema import Config

__all__ = [
    "Checked",
    "Config",
    "Entity",
    "EntityFile",
    "Expansion",
    "Listing",
    "Problem",
    "check",
    "check_text",
    "expand",
]
