"""The config as values: one model for each section, finder, shape and metadata document."""

from coverslip.ingest.deposition.schema.config import Config

__all__ = ["Config"]
