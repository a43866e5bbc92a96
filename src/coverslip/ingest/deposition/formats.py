"""In which formats volumes and masks are written, and which views beside them, where somebody does not want all."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from coverslip.errors import InvalidRequestError
from coverslip.ingest.deposition.plan import Plan
from coverslip.ingest.deposition.steps import Step

VERSIONS = ("0.4", "0.5")
USUAL = "0.4"
"""What recipes write where a step does not say."""
VOLUMES = ("volume", "mask")
"""Recipes of what the formats are chosen of."""
PATHS = ("omezarr_dir", "mrc_file")
"""What documents call the files of a volume."""
PHOTOS, STATES = "key_photo", "neuroglancer_config_path"
"""What documents of tomograms call their views."""


@dataclass(frozen=True, slots=True)
class Formats:
    """What volumes and masks are written as.

    Parameters
    ----------
    mrc, zarr
        Whether as MRC, whether as OME-Zarr. Files that were written before are left alone.
    zarr_version
        Of OME-Zarr.
    photos, states
        Whether key photos, whether viewer states are published into the layout. Documents name none that are not.

    Raises
    ------
    InvalidRequestError
        Neither is wanted, or there is no such version.
    """

    mrc: bool = True
    zarr: bool = True
    zarr_version: str = USUAL
    photos: bool = True
    states: bool = True

    def __post_init__(self) -> None:
        if not (self.mrc or self.zarr):
            raise InvalidRequestError("--no-mrc and --no-zarr: volumes have to be written as something")
        if self.zarr_version not in VERSIONS:
            raise InvalidRequestError(f"--zarr-version: expected {' or '.join(VERSIONS)}, found {self.zarr_version!r}")

    def of(self, plan: Plan) -> Plan:
        """Return a plan that writes volumes and masks so, with documents that say so."""
        if self == Formats():
            return plan
        dropped = {key for step in plan.steps if step.recipe in VOLUMES for key in step.outputs if not self._has(key)}
        return replace(plan, steps=tuple(self._step(step, dropped) for step in plan.steps))

    def _has(self, key: str) -> bool:
        return self.zarr if key.endswith(".zarr") else self.mrc

    def _step(self, step: Step, dropped: set[str]) -> Step:
        if step.recipe in VOLUMES:
            outputs = tuple(key for key in step.outputs if key not in dropped)
            version = {} if self.zarr_version == USUAL else {"zarr_version": self.zarr_version}
            return replace(step, outputs=outputs, options={**step.options, **version})
        return replace(step, options=self._without(step.options, dropped)) if step.recipe == "document" else step

    def _without(self, options: Mapping[str, Any], dropped: set[str]) -> dict[str, Any]:
        """Return the options of a document that names nothing that is not written."""
        found = dict(options)
        derived = options.get("derived", {})
        found["derived"] = {key: value for key, value in derived.items() if not (key in PATHS and value in dropped)}
        if "files" in options:
            found["files"] = [file for file in options["files"] if file["path"] not in dropped]
        views = {PHOTOS: self.photos, STATES: self.states}
        found["derived"] |= {key: None for key, is_there in views.items() if key in derived and not is_there}
        return found
