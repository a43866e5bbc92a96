"""How each tilt series was taken, and the files that say so: mdoc, rawtlt, CTFFIND, IMOD and AreTomo 3."""

import numpy as np

from coverslip.demo.deposition.pictures import Tilt
from coverslip.demo.deposition.scene import Run, Shape

STEP = 8
ANGLES = tuple(range(-40, 41, STEP))
"""In degrees, in the order of the tilt series."""
ORDER = tuple(sorted(range(len(ANGLES)), key=lambda n: (abs(ANGLES[n]), ANGLES[n] * (-1) ** (abs(ANGLES[n]) // STEP))))
"""Sections in the order in which they were taken: dose-symmetric, from 0 outwards."""
DOSE_RATE = 3.2
"""Electrons per square angstrom and second."""
EXPOSURE = 1.0
"""Seconds of one section."""
CTFFIND_COLUMNS = (
    "# Columns: #1 - micrograph number; #2 - defocus 1 [Angstroms]; #3 - defocus 2; #4 - azimuth of astigmatism; "
    "#5 - additional phase shift [radians]; #6 - cross correlation; #7 - spacing (in Angstroms) up to which CTF rings "
    "were fit successfully"
)
TURN = 4.0
"""Of the tilt axis, in degrees."""


def tilts_of(run: Run) -> tuple[Tilt, ...]:
    """Return how the sections of a run lie; those of a run without an alignment lie straight."""
    random = np.random.default_rng(run.seed + 1000)
    offsets = np.round(random.uniform(-1.5, 1.5, (len(ANGLES), 2)), 2).tolist()
    return tuple(Tilt(float(angle), TURN, (x, y)) for angle, (x, y) in zip(ANGLES, offsets, strict=True))


def straight() -> tuple[Tilt, ...]:
    """Return the sections of a tilt series that needs no alignment."""
    return tuple(Tilt(float(angle), 0.0, (0.0, 0.0)) for angle in ANGLES)


def frame_name(run: Run, taken: int) -> str:
    """Return the name of the file with the frames that were taken at some time, from 0."""
    return f"{run.name}_{taken:03d}_{ANGLES[ORDER[taken]]}.0.mrc"


def mdoc(run: Run, shape: Shape) -> str:
    """Return SerialEM's description of a tilt series."""
    lines = [
        f"PixelSpacing = {run.voxel_angstrom}",
        "Voltage = 300",
        f"ImageFile = {run.name}.mrc",
        f"ImageSize = {shape[2]} {shape[1]}",
        "DataMode = 1",
        "",
        "[T = SerialEM: Coverslip demo, simulated        04-Mar-26  09:30:00    ]",
        "",
        f"[T =     Tilt axis angle = {90 - TURN:.1f}, binning = 4  spot = 8  camera = 0]",
    ]
    for taken, section in enumerate(ORDER):
        lines += [
            "",
            f"[ZValue = {taken}]",
            f"TiltAngle = {ANGLES[section] + 0.0012:.4f}",
            f"ExposureDose = {DOSE_RATE * EXPOSURE:g}",
            f"ExposureTime = {EXPOSURE:g}",
            f"PriorRecordDose = {round(taken * DOSE_RATE * EXPOSURE, 3):g}",
            f"PixelSpacing = {run.voxel_angstrom}",
            "TargetDefocus = -3",
            f"RotationAngle = {90 - TURN:.1f}",
            "NumSubFrames = 4",
            f"SubFramePath = D:\\frames\\{run.name}\\{frame_name(run, taken)}",
            f"DateTime = 04-Mar-26  {9 + (30 + taken) // 60:02d}:{(30 + taken) % 60:02d}:00",
        ]
    return "\n".join([*lines, ""])


def tilt_list() -> str:
    """Return the angles, one in a line (``.rawtlt``, ``.tlt``)."""
    return "".join(f"{angle:8.2f}\n" for angle in ANGLES)


def ctffind(run: Run) -> str:
    """Return what CTFFIND 4 writes."""
    random = np.random.default_rng(run.seed + 2000)
    lines = [
        "# Output from CTFFind version 4.1.14, run on 2026-03-04 12:00:00",
        f"# Input file: {run.name}.mrc ; Number of micrographs: {len(ANGLES)}",
        f"# Pixel size: {run.voxel_angstrom:.4f} Angstroms ; acceleration voltage: 300.0 keV",
        "# Box size: 64 pixels ; min. res.: 60.0 Angstroms ; max. res.: 25.0 Angstroms",
        CTFFIND_COLUMNS,
    ]
    for number, defocus in enumerate(30000 + random.uniform(-600, 600, len(ANGLES)), start=1):
        astigmatism, azimuth, fit, resolution = random.uniform((100, -90, 0.08, 26), (400, 90, 0.2, 34))
        lines.append(
            f"{number:.6f} {defocus:.6f} {defocus - astigmatism:.6f} {azimuth:.6f} 0.000000 {fit:.6f} {resolution:.6f}"
        )
    return "\n".join([*lines, ""])


def xf(tilts: tuple[Tilt, ...]) -> str:
    """Return IMOD's transforms: what takes a point of the image as it was taken to the aligned one."""
    lines = []
    for tilt in tilts:
        c, s = np.cos(np.radians(tilt.turn)), np.sin(np.radians(tilt.turn))
        x, y = tilt.offset
        lines.append(f"{c:12.7f}{s:12.7f}{-s:12.7f}{c:12.7f}{-(c * x + s * y):12.3f}{-(c * y - s * x):12.3f}\n")
    return "".join(lines)


def tilt_com(run: Run, shape: Shape) -> str:
    """Return the command file of IMOD's program tilt."""
    return f"""# Command file to run Tilt
$setenv IMOD_OUTPUT_FORMAT MRC
$tilt -StandardInput
InputProjections {run.name}_ali.mrc
OutputFile {run.name}_full_rec.mrc
IMAGEBINNED 1
TILTFILE {run.name}.tlt
THICKNESS {shape[0]}
RADIAL 0.35 0.035
XAXISTILT 0.0
PERPENDICULAR
FULLIMAGE {shape[2]} {shape[1]}
OFFSET 0.0
SHIFT 0.0 0.0
$if (-e ./savework) ./savework
"""


def newst_com(run: Run) -> str:
    """Return the command file of IMOD's program newstack."""
    return f"""# Command file to run Newstack
$newstack -StandardInput
InputFile {run.name}.st
OutputFile {run.name}_ali.mrc
TransformFile {run.name}.xf
TaperAtFill 1,0
OffsetsInXandY 0.0,0.0
ImagesAreBinned 1.0
BinByFactor 1
"""


def aln(tilts: tuple[Tilt, ...], shape: Shape) -> str:
    """Return the alignment of AreTomo 3."""
    lines = [
        "# AreTomo Alignment / Priims bprmMn",
        f"# RawSize = {shape[2]} {shape[1]} {len(tilts)}",
        "# NumPatches = 0",
        "# AlphaOffset =     0.00",
        "# BetaOffset =     0.00",
        f"# Thickness = {shape[0]}",
        "# SEC     ROT         GMAG       TX          TY      SMEAN     SFIT    SCALE     BASE     TILT",
    ]
    for number, tilt in enumerate(tilts):
        x, y = tilt.offset
        place = f"{number:5d} {tilt.turn:10.4f} {1:10.5f} {x:10.3f} {y:10.3f}"
        lines.append(f"{place} {1:8.2f} {1:8.2f} {1:8.2f} {0:8.2f} {tilt.angle:8.2f}")
    return "\n".join([*lines, ""])
