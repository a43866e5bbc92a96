"""Small files as cryo-ET programs write them, by hand."""

import struct
from collections.abc import Sequence
from pathlib import Path

RELION3 = """
data_

loop_
_rlnMicrographName #1
_rlnCoordinateX #2
_rlnCoordinateY #3
_rlnCoordinateZ #4
_rlnAngleRot #5
_rlnAngleTilt #6
_rlnAnglePsi #7
_rlnOriginX #8
_rlnOriginY #9
_rlnOriginZ #10
tomo_1.tomostar 10 20 30   0 90  0   1 2 3
tomo_1.tomostar 11 21 31   0  0 90   0 0 0
tomo_2.tomostar  6  4  2  30 60 45  -2 -4 -6
"""
RELION4 = """
# version 40001

data_optics

loop_
_rlnOpticsGroup #1
_rlnOpticsGroupName #2
_rlnTomoTiltSeriesPixelSize #3
_rlnImagePixelSize #4
1 opticsGroup1 2.0 8.0
2 opticsGroup2 4.0 8.0

data_particles

loop_
_rlnTomoName #1
_rlnCoordinateX #2
_rlnCoordinateY #3
_rlnCoordinateZ #4
_rlnOriginXAngst #5
_rlnOriginYAngst #6
_rlnOriginZAngst #7
_rlnAngleRot #8
_rlnAngleTilt #9
_rlnAnglePsi #10
_rlnOpticsGroup #11
TS_001 100 200 300  8 16 -24   0 90 0 1
TS_002 100 200 300  8 16 -24   0 90 0 2
"""
TOMOMAN = """
data_

loop_
_rlnCoordinateX
_rlnCoordinateY
_rlnCoordinateZ
_rlnAngleRot
_rlnAngleTilt
_rlnAnglePsi
_rlnTomoName
_rlnOriginX
_rlnOriginY
_rlnOriginZ

 10 20 30   0 90  0  grid_1  1 2 3
 11 21 31   0  0 90  grid_2  0 0 0
"""
STOPGAP = """
data_stopgap_motivelist

loop_
_motl_idx
_tomo_num
_object
_orig_x
_orig_y
_orig_z
_score
_x_shift
_y_shift
_z_shift
_phi
_psi
_the
_class

   1   1  1   10 20 30  0.18  1 -2 3   0  0 90  1
   2   1  1   11 21 31  0.17  0  0 0  90  0  0  1
   3  12  1    6  4  2  0.17  2  4 6  30 60 45  1
"""
DYNAMO = """1 1 1 1 -2 3   0 90  0 0.1 0 0 1 -60 60 -60 60 0 0 1 0 0 0 10 20 30 0 0 0 0 0 1 0 1 0
2 1 1 0  0 0  90  0  0 0.1 0 0 1 -60 60 -60 60 0 0 1 0 0 0 11 21 31
3 1 1 2  4 6  30 60 45 0.1 0 0 1 -60 60 -60 60 0 0 12 0 0 0 6 4 2 0 0 0 0 0 1 0 1 0
"""
COPICK = """{
    "pickable_object_name": "ribosome", "user_id": "0", "session_id": "0", "unit": "angstrom",
    "points": [
        {"location": {"x": 40.0, "y": 20.0, "z": 30.0}, "instance_id": 7, "score": 1.0,
         "transformation_": [[0, -1, 0, 10], [1, 0, 0, -20], [0, 0, 1, 0], [0, 0, 0, 1]]},
        {"location": {"x": 0.0, "y": 50, "z": 10.0}, "instance_id": 7}
    ]
}"""
TARDIS = "IDs,X [A],Y [A],Z [A]\n0,4,8,12\n0.0,4,4,4\n3,6,4,2\n"
XF = """
   0.0  1.0 -1.0  0.0   10.0  20.0
   1.0  0.0  0.0  1.0   -3.0   4.5
   0.6  0.8 -0.8  0.6    5.0  10.0
"""
TLT = "-60.0\n  0.00\n 60.0\n"
XTILT = "0.5\n1.5\n-2\n"
TILT_COM = """# Command file to run Tilt
$setenv IMOD_OUTPUT_FORMAT MRC
$tilt -StandardInput
InputProjections TS_01_ali.mrc
OutputFile TS_01_full_rec.mrc
IMAGEBINNED 4
TILTFILE TS_01.tlt
THICKNESS 2000
RADIAL 0.35 0.035
XAXISTILT 1.25
SCALE -5.0 1000.0
PERPENDICULAR
FULLIMAGE 3708 3838
SUBSETSTART 0 0
ActionIfGPUFails 1,2
OFFSET -0.75
SHIFT 3.0 -12.5
EXCLUDELIST2 2
$if (-e ./savework) ./savework
"""
NEWST_COM = """$newstack -StandardInput
InputFile TS_01.mrc
OutputFile TS_01_ali.mrc
TransformFile TS_01.xf
TaperAtFill 1,0
OffsetsInXandY 0.0,5.0
ImagesAreBinned 1.0
BinByFactor 8
"""
ALN = """# AreTomo Alignment / Priims bprmMn
# RawSize = 4096 3000 4
# NumPatches = 0
# DarkFrame =     1    3    45.00
# AlphaOffset =     1.50
# BetaOffset =    -0.25
# Thickness = 640
# SEC     ROT         GMAG       TX          TY      SMEAN     SFIT    SCALE     BASE     TILT
    0    90.0000    1.00000     23.953    -56.171     1.00     1.00     1.00     0.00    -40.00
    1    90.0000    1.00000     57.299     74.242     1.00     1.00     1.00     0.00      0.00
    2     0.0000    1.00000     80.510     91.544     1.00     1.00     1.00     0.00     40.00
# Local Alignment
   0   0   -10.00    20.00     1.00     2.00   1.0
"""
CTFFIND4 = """# Output from CTFFind version 4.1.14, run on 2022-02-02 12:00:00
# Columns: #1 - micrograph number; #2 - defocus 1 [Angstroms]; #3 - defocus 2; #4 - azimuth of astigmatism; ...
1.000000 25000.500000 24000.250000 -42.320000 0.500000 0.113800 28.422600
2.000000 26000.000000 24500.000000 10.000000 0.000000 0.050000 inf
"""
CTFFIND5 = """# Output from CTFFind version 5.0.2
1.0 25000.5 24000.25 -42.32 0.5 0.1138 8.5 12.5 -60.0 1500.0
"""
GCTF_STAR = """
data_

loop_
_rlnMicrographName #1
_rlnDefocusU #2
_rlnDefocusV #3
_rlnDefocusAngle #4
_rlnPhaseShift #5
_rlnCtfFigureOfMerit #6
_rlnFinalResolution #7
000002@TS_01.mrcs 26000 24500 10.0   0.0 0.05 9.5
000001@TS_01.mrcs 25000.5 24000.25 -42.32 90.0 0.1138 8.5
"""
DEFOCUS2 = "1\t1\t-60.0\t-60.0\t2500.5\t2\n2\t2\t-57.0\t-57.0\t2600\n"
DEFOCUS3 = "5 0 0.0 0.0 0.0 3\n1 1 -60 -60 2500.5 2400.25 -42.5 90\n2 3 -57 -54 2600 2450 10 0\n"
MDOC = """PixelSpacing = 3.3702
Voltage = 300
ImageFile = TS=run1.mrc

[T = SerialEM: Digitized on EMBL Krios                       28-Apr-18  11:36:19    ]

[T =     Tilt axis angle = 84.7, binning = 1  spot = 6  camera = 0]

[ZValue = 0]
TiltAngle = -0.00499939
ExposureDose = 2.35936
ExposureTime = 1.5
PriorRecordDose = 0
PixelSpacing = 3.3702
Defocus = -0.279296
TargetDefocus = -2
RotationAngle = 174.7
NumSubFrames = ?
SubFramePath = D:\\DATA\\user\\TS run1 [1].tiff
DateTime = 28-Apr-18  11:38:54

[ZValue = 1]
TiltAngle = 2.013
ExposureDose = NaN
SubFramePath = /data/frames/TS_run1_2.eer
DateTime = 01-Jan-2023  00:00:59
"""


def put(folder: Path, name: str, content: str | bytes) -> Path:
    """Write a file."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def imod_model(
    objects: Sequence[Sequence[Sequence[tuple[float, float, float]]]] = (),
    slicer: Sequence[tuple[float, ...]] = (),
    extra: bytes = b"",
) -> bytes:
    """Return an IMOD model: contours of points by object, and slicer angles with their centres."""
    head = struct.pack(">128s", b"IMOD-NewModel") + struct.pack(">4i", 64, 64, 64, len(objects)) + bytes(232 - 144)
    content = b"IMODV1.2" + head
    for contours in objects:
        content += b"OBJT" + struct.pack(">64s64xi", b"", len(contours)) + bytes(176 - 132)
        for points in contours:
            content += b"CONT" + struct.pack(">iIii", len(points), 0, 0, 0)
            content += b"".join(struct.pack(">3f", *point) for point in points)
        content += b"IMAT" + struct.pack(">i", 16) + bytes(16)
    content += extra
    for values in slicer:
        content += b"SLAN" + struct.pack(">i", 60) + struct.pack(">i6f32s", 1, *values, b"label")
    return content + b"IEOF"
