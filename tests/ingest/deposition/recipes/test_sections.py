"""Files about the sections of a tilt series: copied byte for byte, facts by hand."""

import pytest

from tests.cryoet import written
from tests.ingest.deposition.recipes.bench import FOLDER, Bench

MDOC = """PixelSpacing = 5.0
ImageFile = a.mrc

[ZValue = 0]
TiltAngle = -3.01
ExposureTime = 0.5
PriorRecordDose = 0
SubFramePath = X:\\frames\\a_0.tif

[ZValue = 1]
TiltAngle = 0.02
"""


def test_an_mdoc_is_copied_and_its_sections_are_known(bench: Bench) -> None:
    bench.put("m.mdoc", MDOC)
    facts = bench.do("mdoc", ["m.mdoc"], ["TS_1.mdoc"])
    assert bench.read("TS_1.mdoc").decode() == MDOC
    assert facts["path"] == f"{FOLDER}/TS_1.mdoc"
    assert facts["sections"] == [
        {
            "z_value": 0,
            "tilt_angle": -3.01,
            "exposure_time": 0.5,
            "exposure_dose": None,
            "prior_record_dose": 0.0,
            "frame_name": "a_0.tif",
        },
        {
            "z_value": 1,
            "tilt_angle": 0.02,
            "exposure_time": None,
            "exposure_dose": None,
            "prior_record_dose": None,
            "frame_name": None,
        },
    ]


def test_tilt_angles_are_copied_and_known(bench: Bench) -> None:
    bench.put("a.rawtlt", "-4.38\n -1.98 \n\n0\n2.013 7\n")
    facts = bench.do("rawtilt", ["a.rawtlt"], ["TS_1.rawtlt"])
    assert facts == {"path": f"{FOLDER}/TS_1.rawtlt", "angles": [-4.38, -1.98, 0.0, 2.013]}
    assert bench.read("TS_1.rawtlt") == b"-4.38\n -1.98 \n\n0\n2.013 7\n"


def test_a_ctf_is_copied_and_its_rows_are_known(bench: Bench) -> None:
    bench.put("c.txt", written.CTFFIND4)
    facts = bench.do("ctf", ["c.txt"], ["TS_1_CTFFIND_ctf.txt"], file_format="CTFFIND")
    assert facts["rows"][0] == {
        "section": 1,
        "defocus_1": 25000.5,
        "defocus_2": 24000.25,
        "azimuth": -42.32,
        "phase_shift": 0.5,
        "cross_correlation": 0.1138,
        "max_resolution": 28.4226,
    }
    assert bench.read("TS_1_CTFFIND_ctf.txt").decode() == written.CTFFIND4


def test_all_files_of_an_alignment_are_copied_and_its_sections_are_known(bench: Bench) -> None:
    inputs = ["a.xf", "a.tlt", "tilt.com"]
    for name, text in zip(inputs, (written.XF, written.TLT, written.TILT_COM), strict=True):
        bench.put(name, text)
    facts = bench.do("alignment", inputs, ["TS_1.xf", "TS_1.tlt", "TS_1_tilt.com"], file_format="IMOD")
    assert facts["files"] == [f"{FOLDER}/{name}" for name in ("TS_1.xf", "TS_1.tlt", "TS_1_tilt.com")]
    assert [bench.read(name).decode() for name in ("TS_1.xf", "TS_1.tlt")] == [written.XF, written.TLT]
    assert {"z_index", "tilt_angle", "in_plane_rotation", "x_offset", "y_offset"} <= facts["sections"][0].keys()
    assert len(facts["volume_size"]) == 3


@pytest.mark.parametrize(
    ("recipe", "content", "options"),
    [
        ("mdoc", "no mdoc", {}),
        ("rawtilt", "three\n", {}),
        ("ctf", "1 2\n", {"file_format": "CTFFIND"}),
        ("alignment", "1 2\n", {"file_format": "ARETOMO3"}),
    ],
)
def test_nothing_is_copied_of_what_cannot_be_read(
    bench: Bench, recipe: str, content: str, options: dict[str, str]
) -> None:
    bench.put("a.aln", content)
    assert "a.aln" in bench.fails(recipe, ["a.aln"], ["out.aln"], **options)  # type: ignore[arg-type]
