"""Files about the sections of a tilt series: copied, and read for what documents say of them."""

from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Any

from coverslip.cryoet import read_alignment, read_ctf, read_mdoc
from coverslip.cryoet.rawtilt import read_tilt_angles
from coverslip.errors import BuildError
from coverslip.ingest.deposition.recipes.copying import copy_file
from coverslip.ingest.deposition.recipes.work import Work


def mdoc(work: Work) -> dict[str, Any]:
    """Copy an mdoc under its new name.

    Facts: ``path`` and ``sections``, each with ``z_value``, ``tilt_angle`` in degrees, ``exposure_time`` in seconds,
    ``exposure_dose`` and ``prior_record_dose`` in electrons per square angstrom, ``frame_name``; unknown is ``None``.
    """
    wanted, key = work.only_input(), work.only_output()
    found = read_mdoc(work.file(wanted))
    copy_file(work, wanted, key)
    names = ("z_value", "tilt_angle", "exposure_time", "exposure_dose", "prior_record_dose", "frame_name")
    return {"path": key, "sections": [{name: getattr(one, name) for name in names} for one in found.sections]}


def rawtilt(work: Work) -> dict[str, Any]:
    """Copy a list of tilt angles.

    Facts: ``path`` and ``angles`` in degrees, by section.
    """
    wanted, key = work.only_input(), work.only_output()
    angles = read_tilt_angles(work.file(wanted))
    copy_file(work, wanted, key)
    return {"path": key, "angles": list(angles)}


def ctf(work: Work) -> dict[str, Any]:
    """Copy what a program found out about the contrast transfer function.

    Facts: ``path`` and ``rows``, each as ``CtfRow`` has it.
    """
    wanted, key = work.only_input(), work.only_output()
    rows = read_ctf(work.file(wanted), str(work.step.options.get("file_format") or work.step.options.get("format")))
    copy_file(work, wanted, key)
    return {"path": key, "rows": [asdict(row) for row in rows]}


def alignment(work: Work) -> dict[str, Any]:
    """Copy the files of an alignment, in the order of the plan.

    Facts: ``files``, where they are now; ``sections`` as documents have them; ``tilt_offset`` and
    ``x_rotation_offset`` in degrees; ``volume_size`` (or ``None``) and ``volume_shift``, x, y, z in pixels of the
    unbinned tilt series; ``binning``.
    """
    inputs, outputs = work.step.inputs, work.step.outputs
    if len(inputs) != len(outputs):
        raise BuildError(f"{work.step.name}: the plan has {len(inputs)} inputs and {len(outputs)} outputs")
    pairs = [(one, _output_of(one.path, n, work)) for n, one in enumerate(inputs)]
    paths = [work.file(one) for one in inputs]
    file_format = str(work.step.options.get("file_format") or work.step.options.get("format"))
    found = read_alignment(paths, file_format)
    for one, key in pairs:
        copy_file(work, one, key)
    return {
        "files": [key for _, key in pairs],
        "sections": found.section_documents(),
        "tilt_offset": found.tilt_offset,
        "x_rotation_offset": found.x_rotation_offset,
        "volume_size": list(found.volume_size) if found.volume_size else None,
        "volume_shift": list(found.volume_shift),
        "binning": found.binning,
    }


def _output_of(path: str, number: int, work: Work) -> str:
    """Return the output of an input, which ends as it does."""
    key = work.step.outputs[number]
    if PurePosixPath(key).suffix != PurePosixPath(path).suffix:
        raise BuildError(f"{work.step.name}: the plan would write {path} as {key}")
    return key
