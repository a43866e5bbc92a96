"""Whatever is cut off or changed in a file, only our own errors are raised, and soon."""

import contextlib
import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from coverslip.cryoet import (
    FORMATS,
    read_alignment,
    read_captions,
    read_ctf,
    read_mdoc,
    read_mesh,
    read_mesh_group,
    read_ndjson,
    read_points,
    to_glb,
)
from coverslip.cryoet.meshes import FORMATS as MESH_FORMATS
from coverslip.errors import CoverslipError
from tests.cryoet import written
from tests.cryoet.test_captions import GLOBAL, OBJECTS
from tests.cryoet.test_meshes import CORNERS, FACES, NEW_CELLS, OBJ, OLD_CELLS, VTK_TEXT, glb, hff, stl
from tests.cryoet.test_ndjson import CASES
from tests.cryoet.written import put

Read = Callable[[Path], object]
BITS = (
    "-1",
    "0",
    "nan",
    "inf",
    "1e999",
    "9" * 400,
    "99999999999",
    "_",
    "'",
    '"',
    "#",
    "[",
    "]",
    "{",
    "=",
    ",",
    "\0",
    "é",
    "\n",
    "data_",
    "loop_",
)


def points(name: str) -> Read:
    shape = FORMATS[name].shapes[-1]
    return lambda path: read_points(path, shape, name)


def with_tlt(path: Path) -> object:
    return read_alignment([path, put(path.parent, "other.tlt", written.TLT)], "IMOD")


def with_xf(path: Path) -> object:
    return read_alignment(
        [path, put(path.parent, "other.xf", written.XF), put(path.parent, "o.tlt", written.TLT)], "IMOD"
    )


MODEL = written.imod_model([[[(1, 2, 3), (2, 2, 2)]]], slicer=[(1, 2, 3, 4, 5, 6)])
FILES: dict[str, tuple[str, str | bytes, Read]] = {
    "csv": ("a.csv", '1,2,3\n"4",5,6.5\n', points("csv")),
    "csv_with_header": ("a.csv", "x,y,z\n1,2,3\n", points("csv_with_header")),
    "tsv": ("a.tsv", "x\ty\tz\n1\t2\t3\n", points("tsv")),
    "mod": ("a.mod", MODEL, points("mod")),
    "relion3_star": ("a.star", written.RELION3, points("relion3_star")),
    "relion4_star": ("a.star", written.RELION4, points("relion4_star")),
    "tomoman_relion_star": ("a.star", written.TOMOMAN, points("tomoman_relion_star")),
    "stopgap_star": ("a.star", written.STOPGAP, points("stopgap_star")),
    "dynamo_tbl": ("a.tbl", written.DYNAMO, points("dynamo_tbl")),
    "copick": ("a.json", written.COPICK, points("copick")),
    "tardis": ("a.csv", written.TARDIS, points("tardis")),
    "ndjson": ("a.ndjson", CASES["OrientedPoint"][1], partial(read_ndjson, shape="OrientedPoint")),
    "xf": ("a.xf", written.XF, with_tlt),
    "xtilt": ("a.xtilt", written.XTILT, with_xf),
    "tilt.com": ("tilt.com", written.TILT_COM, with_xf),
    "newst.com": ("newst.com", written.NEWST_COM, with_xf),
    "aln": ("a.aln", written.ALN, lambda path: read_alignment([path], "ARETOMO3")),
    "ctffind": ("a.txt", written.CTFFIND4, partial(read_ctf, file_format="CTFFIND")),
    "gctf": ("a.star", written.GCTF_STAR, partial(read_ctf, file_format="Gctf")),
    "defocus": ("a.defocus", written.DEFOCUS3, partial(read_ctf, file_format="IMOD")),
    "mdoc": ("a.mdoc", written.MDOC, read_mdoc),
    "global caption": ("a.json", GLOBAL, partial(read_captions, shape="GlobalCaption")),
    "annotation caption": ("a.json", OBJECTS, partial(read_captions, shape="AnnotationCaption")),
    "obj": ("a.obj", OBJ, partial(read_mesh, file_format="obj")),
    "stl": ("a.stl", stl(), partial(read_mesh, file_format="stl")),
    "vtk": ("a.vtk", VTK_TEXT.format(version="5.1", cells=NEW_CELLS), partial(read_mesh, file_format="vtk")),
    "old vtk": ("a.vtk", VTK_TEXT.format(version="3.0", cells=OLD_CELLS), partial(read_mesh, file_format="vtk")),
    "glb": ("a.glb", glb(), lambda path: to_glb([read_mesh(path, "glb")])),
    "hff": ("a.hff", hff({"1": ("a", [(CORNERS, FACES)])}), read_mesh_group),
}


def test_every_format_is_here() -> None:
    assert {*FORMATS, *MESH_FORMATS} <= set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_damage_raises_our_own_errors_only(tmp_path: Path, name: str, pytestconfig: pytest.Config) -> None:
    file_name, content, read = FILES[name]
    whole = content.encode() if isinstance(content, str) else content
    read(put(tmp_path, file_name, whole))
    chance = random.Random(name)
    rounds = 2000 if pytestconfig.getoption("--long") else 120
    for damaged in (
        *(_cut(whole, chance) for _ in range(rounds // 3)),
        *(_changed(whole, chance) for _ in range(rounds)),
    ):
        try:
            read(put(tmp_path, file_name, damaged))
        except CoverslipError as error:
            assert len(str(error)) < 1000  # noqa: PT017  # most damage may as well go unnoticed


def _cut(whole: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(whole))
    return whole[:start] if chance.random() < 0.7 else whole[:start] + whole[start + chance.randrange(1, 9) :]


def _changed(whole: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(whole)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(damaged))
        if chance.random() < 0.5:
            damaged[at] = chance.randrange(256)
        else:
            bit = chance.choice(BITS).encode()
            damaged[at : at + chance.choice((0, len(bit)))] = bit
    return bytes(damaged)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("mdoc", f"a = x{' ' * 500_000}y\n[ZValue = {' ' * 500_000}0{' ' * 500_000}]\n"),
        ("relion3_star", f"data_\n_a 'b'{' ' * 500_000}#\n_c '{' ' * 500_000}'\n_d '" + "'a" * 250_000),
        ("csv", "," * 500_000),
        ("csv", '"' + '""' * 50_000),
        ("xf", f"1 {' ' * 500_000} 2"),
        ("tilt.com", "EXCLUDELIST " + "1-100000," * 20_000),
    ],
)
def test_a_long_line_takes_no_long_time(tmp_path: Path, name: str, content: str) -> None:
    path = put(tmp_path, FILES[name][0], content)
    begun = time.process_time()
    with contextlib.suppress(CoverslipError):
        FILES[name][2](path)
    assert time.process_time() - begun < 20
