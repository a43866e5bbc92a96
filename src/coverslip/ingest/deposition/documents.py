"""Metadata documents as the portal writes them: what the config says, and what the steps before found out. Pure.

Facts that recipes give, and the fields that are made of them:

===================== ====================================================== =======================================
recipe                facts                                                  fields
===================== ====================================================== =======================================
``volume``            ``size`` and each of ``scales``: ``{x, y, z}`` in      tilt series, tomogram: ``size``,
                      voxels; ``spacing`` in angstrom                        ``scales``; tilt series without one:
                                                                             ``pixel_spacing``; alignment:
                                                                             ``volume_dimension`` in angstrom
``points``, ``mesh``, ``object_count``                                       annotation: ``object_count``, the
``mask``, ``caption``                                                        largest
``mask``              ``is_empty``: nothing is marked                        annotation: its ``files`` are left out
``mdoc``              ``sections``, each with ``z_value``, ``tilt_angle`` in frames: ``frames``; tilt series:
                      degrees, ``exposure_time`` in seconds, ``frame_name``; ``frame_acquisition_order``,
                      ``None`` for what is unknown                           ``raw_angle``
``rawtilt``           ``angles`` in degrees, by section                      tilt series: ``per_section_parameter``
``ctf``               ``rows``: ``section`` from 1, ``defocus_1``,           tilt series: the other
                      ``defocus_2``, ``azimuth``, ``phase_shift``,           ``per_section_parameter``
                      ``cross_correlation``, ``max_resolution``
``alignment``         ``sections`` as documents have them; ``volume_size``,  alignment:
                      x, y, z in pixels of the tilt series, or ``None``      ``per_section_alignment_parameters``,
                                                                             ``volume_dimension`` without tomogram
``identified_objects``  ``object_count``, ``columns``                        the same
===================== ====================================================== =======================================

Fields: the metadata schema 2.0.0 of github.com/chanzuckerberg/cryoet-data-portal-backend.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from coverslip.errors import BuildError

type Facts = Mapping[str, Mapping[str, Any]]
"""What steps found out, by the name of the step."""

DECIMALS = 2
"""Of the angles by which sections of the list of raw tilts and of the mdoc are known to be the same."""


def build_document(kind: str, options: Mapping[str, Any], facts: Facts) -> dict[str, Any]:
    """Return a metadata document without the time at which it was last changed.

    Parameters
    ----------
    kind
        The type of the entity.
    options
        Of the step: ``metadata``, what the config says; ``derived``, what is put in its place; ``deposition_id``; and
        ``frame_paths`` of frames by name, ``frames_count``, ``pixel_spacing`` and ``volume_spacing`` in angstrom,
        ``files`` of an annotation with the steps that write them.
    facts
        Of the steps that the step comes after.

    Raises
    ------
    BuildError
        A fact is missing, or sections of a tilt series do not fit together.
    """
    measured = _MEASURED.get(kind, _nothing)(options, _Facts(facts))
    derived = merged(options.get("derived", {}), measured)
    document = merged(options.get("metadata", {}), derived)
    if document.get("deposition_id") is None:
        document["deposition_id"] = options["deposition_id"]
    return document


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping with another laid over it, and so with the mappings in it; anything else is replaced."""
    found = deepcopy(dict(base))
    for key, value in over.items():
        before = found.get(key)
        is_mapping = isinstance(before, Mapping) and isinstance(value, Mapping)
        found[key] = merged(before, value) if is_mapping else deepcopy(value)  # type: ignore[arg-type]
    return found


class _Facts:
    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def of(self, recipe: str) -> Iterator[Mapping[str, Any]]:
        """Yield the facts of the steps of a recipe."""
        for name, facts in self._facts.items():
            if name.rpartition("#")[2].partition(":")[0] == recipe:
                yield facts

    def one(self, recipe: str, key: str) -> Any:
        """Return one fact of the first step of a recipe, ``None`` where there is no such step.

        Raises
        ------
        BuildError
            The step does not say it.
        """
        found = next(self.of(recipe), None)
        if found is None:
            return None
        if key not in found:
            raise BuildError(f"{recipe}: what this step found out has no {key!r}", retryable=False)
        return found[key]

    def step(self, name: str) -> Mapping[str, Any]:
        return self._facts.get(name, {})

    def all(self) -> Iterator[Mapping[str, Any]]:
        yield from self._facts.values()


def _nothing(_: Mapping[str, Any], __: _Facts) -> dict[str, Any]:
    return {}


def _volume(_: Mapping[str, Any], facts: _Facts) -> dict[str, Any]:
    found = {key: facts.one("volume", key) for key in ("size", "scales")}
    return {key: value for key, value in found.items() if value is not None}


def _tiltseries(options: Mapping[str, Any], facts: _Facts) -> dict[str, Any]:
    sections = facts.one("mdoc", "sections") or ()
    measured = _volume(options, facts)
    said = options.get("metadata", {})
    if not said.get("pixel_spacing") and (spacing := facts.one("volume", "spacing")) is not None:
        measured["pixel_spacing"] = round(float(spacing), 3)
    count = options.get("frames_count") or said.get("frames_count")
    measured["frames_count"] = len(sections) if count is None else count
    angles = facts.one("rawtilt", "angles") or ()
    rows = {row["section"]: row for row in facts.one("ctf", "rows") or ()}
    measured["per_section_parameter"] = list(_sections(angles, sections, rows)) if sections else []
    return measured


def _sections(
    angles: Sequence[float], sections: Sequence[Mapping[str, Any]], rows: Mapping[int, Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Yield what is known of each section of a tilt series.

    A section of the mdoc is known by its angle; of several with the same angle each counts once, in their order.
    """
    free: dict[float, list[Mapping[str, Any]]] = {}
    for section in sections:
        if section.get("tilt_angle") is not None:
            free.setdefault(_rounded(section["tilt_angle"]), []).append(section)
    for index, angle in enumerate(angles):
        same = free.get(_rounded(angle))
        if not same:
            raise BuildError(f"no section of the mdoc was taken at {angle:g} degrees", retryable=False)
        section = same.pop(0) if len(same) > 1 else same[0]
        row = rows.get(index + 1, {})
        yield {
            "z_index": index,
            "frame_acquisition_order": section["z_value"],
            "raw_angle": section["tilt_angle"],
            "astigmatic_angle": row.get("azimuth"),
            "cross_correlation": row.get("cross_correlation"),
            "major_defocus": row.get("defocus_1"),
            "max_resolution": row.get("max_resolution"),
            "minor_defocus": row.get("defocus_2"),
            "phase_shift": row.get("phase_shift"),
        }


def _rounded(angle: float) -> float:
    return round(float(angle), DECIMALS) + 0.0  # minus zero is zero


def _frame(options: Mapping[str, Any], facts: _Facts) -> dict[str, Any]:
    """Return the frames: exposures are times the dose rate, in electrons per square angstrom."""
    said, paths = options.get("metadata", {}), options.get("frame_paths", {})
    rate = said.get("dose_rate")
    frames, total = [], 0.0
    for section in facts.one("mdoc", "sections") or ():
        time = section.get("exposure_time")
        if time is None or rate is None:
            what = "dose_rate" if rate is None else f"exposure time of section {section.get('z_value')} of the mdoc"
            raise BuildError(f"the {what} is not known, and so the dose of frames is not", retryable=False)
        dose = float(time) * float(rate)
        frames.append(
            {
                "acquisition_order": section["z_value"],
                "accumulated_dose": total,
                "exposure_dose": dose,
                "is_gain_corrected": said.get("is_gain_corrected"),
                "path": paths.get(section.get("frame_name")),
            }
        )
        total += dose
    return {"frames": frames}


def _alignment(options: Mapping[str, Any], facts: _Facts) -> dict[str, Any]:
    measured: dict[str, Any] = {"per_section_alignment_parameters": facts.one("alignment", "sections") or []}
    if "volume_dimension" in options.get("metadata", {}):
        return measured
    size, spacing = facts.one("volume", "size"), options.get("volume_spacing")
    if size is None and (pixels := facts.one("alignment", "volume_size")):
        size, spacing = dict(zip("xyz", pixels, strict=True)), options.get("pixel_spacing")
    if size is not None and spacing is not None:
        measured["volume_dimension"] = {axis: float(spacing) * size[axis] for axis in "xyz"}
    return measured


def _identified_object(_: Mapping[str, Any], facts: _Facts) -> dict[str, Any]:
    return {key: facts.one("identified_objects", key) for key in ("object_count", "columns")}


def _annotation(options: Mapping[str, Any], facts: _Facts) -> dict[str, Any]:
    files = [
        {key: value for key, value in file.items() if key != "step"}
        for file in options.get("files", ())
        if not facts.step(file["step"]).get("is_empty")
    ]
    count = max((int(one.get("object_count") or 0) for one in facts.all()), default=0)
    return {"object_count": count or options.get("metadata", {}).get("object_count") or 0, "files": files}


_MEASURED: Mapping[str, Callable[[Mapping[str, Any], _Facts], dict[str, Any]]] = {
    "tiltseries": _tiltseries,
    "tomogram": _volume,
    "frame": _frame,
    "alignment": _alignment,
    "identified_object": _identified_object,
    "annotation": _annotation,
}
