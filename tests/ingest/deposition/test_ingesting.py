"""A whole deposition through check, plan and apply, to a folder and to a bucket, with a real catalog."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coverslip.catalog import Catalog
from coverslip.ingest.deposition.applying import apply
from coverslip.ingest.deposition.check import check
from coverslip.ingest.deposition.formats import Formats
from coverslip.ingest.deposition.looking import outlook
from coverslip.ingest.deposition.lost import forget
from coverslip.ingest.deposition.noted import all_noted
from coverslip.ingest.deposition.outcomes import Report
from coverslip.ingest.deposition.preparing import Prepared, prepare
from coverslip.ingest.deposition.remembered import CatalogLog
from coverslip.ingest.deposition.reserved import reserved
from coverslip.ingest.deposition.selection import Selection, select
from coverslip.readers import open_image
from coverslip.sources import locate
from coverslip.storage import open_storage
from tests.ingest.conftest import open_catalog
from tests.ingest.deposition.session import mask, volume, write_session

SPACING = "30001/TS_1/Reconstructions/VoxelSpacing10.000"
RUN = "datasets/30001/runs/TS_1"


@dataclass
class Site:
    """A session, a layout and a catalog."""

    config: Path
    source: Path
    top: str
    catalog: Catalog
    clock: float = 1_800_000_000

    def plan(
        self, selection: Selection | None = None, formats: Formats | None = None, *, lets_go: bool = False
    ) -> Prepared:
        """Return what an ingest would do."""
        checked = check(self.config, folder=self.source)
        assert checked.is_valid, checked.errors
        log = self.log
        given, done = reserved(log), all_noted(log.steps(""))
        sides = (checked, self.source, locate(self.top))
        return prepare(*sides, selection, given=given, done=done, formats=formats, lets_go=lets_go)

    def ingest(self, selection: Selection | None = None, formats: Formats | None = None, **options: Any) -> Report:
        """Plan and apply."""
        prepared = self.plan(selection, formats)
        assert prepared.is_whole, prepared.problems
        return self.apply(prepared, **options)

    def apply(self, prepared: Prepared, **options: Any) -> Report:
        """Carry out what was planned."""
        self.clock += 1000
        log = self.log
        return apply(
            prepared.plan,
            prepared.source,
            self.storage,
            steps=log,
            entities=log,
            leases=log,
            given=reserved(log),
            now=lambda: self.clock,
            **options,
        )

    @property
    def log(self) -> CatalogLog:
        return CatalogLog(self.catalog, self.storage)

    @property
    def storage(self) -> Any:
        return open_storage(self.top)

    def read(self, key: str) -> Any:
        """Return a document or the lines of points."""
        text = self.storage.read(key).decode()
        return [json.loads(line) for line in text.splitlines()] if key.endswith(".ndjson") else json.loads(text)

    def versions(self) -> dict[str, str]:
        """Return every object with its version."""
        return {found.key: found.version for found in self.storage.list()}

    def pixels(self, key: str) -> np.ndarray:
        """Return the voxels of a volume, shape Z, Y, X."""
        with open_image(locate(f"{self.top}/{key}")) as file:
            pixels = file.images[0].to_numpy()
        return pixels.reshape(-1, *pixels.shape[3:5])


@pytest.fixture
def site(tmp_path: Path, top: str) -> Iterator[Site]:
    config = write_session(tmp_path / "in")
    time.sleep(0.15)
    with open_catalog(tmp_path / "home") as catalog:
        yield Site(config, tmp_path / "in", top, catalog)


def moved(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def test_a_deposition_is_written_as_the_portal_has_it(site: Site) -> None:
    report = site.ingest(workers=2)
    assert report.is_whole, [step for step in report.steps if step.reason]
    assert report.counts == {"written": 44}
    assert (report.volumes_opened, report.objects_written) == (6, len(site.versions()))
    files = sorted(key for key in site.versions() if ".zarr/" not in key and "/TS_2/" not in key)
    annotations = f"{SPACING}/Annotations"
    assert files == [
        "30001/TS_1/Alignments/100/TS_1.tlt",
        "30001/TS_1/Alignments/100/TS_1.xf",
        "30001/TS_1/Alignments/100/alignment_metadata.json",
        "30001/TS_1/Frames/TS_1.mdoc",
        "30001/TS_1/Frames/f_0.tif",
        "30001/TS_1/Frames/f_1.tif",
        "30001/TS_1/Frames/f_2.tif",
        "30001/TS_1/Frames/frames_metadata.json",
        "30001/TS_1/Gains/gain.txt",
        f"{annotations}/100/cytosolic_ribosome-1.0.json",
        f"{annotations}/100/cytosolic_ribosome-1.0_orientedpoint.ndjson",
        f"{annotations}/100/cytosolic_ribosome-1.0_point.ndjson",
        f"{annotations}/101/membrane-1.0.json",
        f"{annotations}/101/membrane-1.0_segmentationmask.mrc",
        f"{annotations}/101/membrane-1.0_triangularmesh.glb",
        f"{SPACING}/Tomograms/100/TS_1.mrc",
        f"{SPACING}/Tomograms/100/tomogram_metadata.json",
        "30001/TS_1/TiltSeries/100/TS_1.mrc",
        "30001/TS_1/TiltSeries/100/TS_1.rawtlt",
        "30001/TS_1/TiltSeries/100/TS_1_CTFFIND_ctf.txt",
        "30001/TS_1/TiltSeries/100/tiltseries_metadata.json",
        "30001/TS_1/run_metadata.json",
        "30001/dataset_metadata.json",
        "depositions_metadata/10301/deposition_metadata.json",
    ]


def test_what_is_written_holds_what_the_sources_say(site: Site) -> None:
    site.ingest()
    stem = f"{SPACING}/Annotations/100/cytosolic_ribosome-1.0"
    assert site.read(f"{stem}_point.ndjson") == [
        {"type": "point", "location": {"x": 0, "y": 2, "z": 3}},
        {"type": "point", "location": {"x": 4, "y": 5, "z": 6}},
    ]
    assert site.read(f"{stem}_orientedpoint.ndjson") == [
        {
            "type": "orientedPoint",
            "location": {"x": 9, "y": 18, "z": 27},
            "xyz_rotation_matrix": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        }
    ]
    document = site.read(f"{stem}.json")
    assert document["object_count"] == 2
    assert document["last_updated_at"] == 1_800_001_000
    assert [file["shape"] for file in document["files"]] == ["Point", "OrientedPoint"]
    tomogram = site.read(f"{SPACING}/Tomograms/100/tomogram_metadata.json")
    assert tomogram["size"] == {"x": 14, "y": 12, "z": 5}
    assert tomogram["scales"][1:] == [{"x": 7, "y": 6, "z": 3}, {"x": 4, "y": 3, "z": 2}]
    series = site.read("30001/TS_1/TiltSeries/100/tiltseries_metadata.json")
    assert [(one["z_index"], one["raw_angle"]) for one in series["per_section_parameter"]] == [
        (0, -60),
        (1, 0),
        (2, 60),
    ]
    assert series["per_section_parameter"][0]["major_defocus"] == 25000.5
    frames = site.read("30001/TS_1/Frames/frames_metadata.json")["frames"]
    assert [(one["accumulated_dose"], one["exposure_dose"]) for one in frames] == [(0, 3), (3, 3), (6, 3)]
    assert frames[2]["path"] == "30001/TS_1/Frames/f_2.tif"
    alignment = site.read("30001/TS_1/Alignments/100/alignment_metadata.json")
    assert len(alignment["per_section_alignment_parameters"]) == 3
    assert alignment["volume_dimension"] == {"x": 140, "y": 120, "z": 50}
    for ending in ("zarr", "mrc"):
        np.testing.assert_array_equal(site.pixels(f"{SPACING}/Tomograms/100/TS_1.{ending}"), volume("TS_1"))
        found = site.pixels(f"{SPACING}/Annotations/101/membrane-1.0_segmentationmask.{ending}")
        np.testing.assert_array_equal(found, mask("TS_1"))


def test_the_catalog_knows_the_entities_and_their_images(site: Site) -> None:
    report = site.ingest()
    assert len(report.changes.added) == 26
    tree = {one.identity: one for one in site.catalog.entities(site.top)}
    tomogram = tree[f"{RUN}/spacings/10.000/tomograms/100,WBP,raw,,10301"]
    assert tomogram.image_key == f"{SPACING}/Tomograms/100/TS_1.zarr"
    assert tomogram.image_id is not None
    assert site.catalog.get_image(tomogram.image_id).metadata.size_x == 14
    assert tomogram.alignment == "30001/TS_1/Alignments/100/alignment_metadata.json"
    annotation = tree[f"{RUN}/spacings/10.000/annotations/10301/membrane/100"]
    assert [(file.format, file.shape) for file in annotation.files] == [
        ("mrc", "SemanticSegmentationMask"),
        ("zarr", "SemanticSegmentationMask"),
        ("glb", "TriangularMesh"),
    ]
    assert annotation.document["annotation_ingest_id"] == "membrane"
    assert tree[RUN].parent == "datasets/30001"


def test_a_second_ingest_opens_no_source_and_writes_nothing(site: Site) -> None:
    site.ingest()
    before = site.versions()
    report = site.ingest()
    assert report.counts == {"unchanged": 44}
    assert (report.volumes_opened, report.files_opened, report.files_hashed, report.bytes_read) == (0, 0, 0, 0)
    assert (report.objects_written, report.bytes_written) == (0, 0)
    assert site.versions() == before
    assert (report.changes.added, report.changes.changed) == ((), ())


def test_new_coordinates_are_one_file_and_one_document(site: Site) -> None:
    site.ingest()
    before = site.versions()
    time.sleep(0.15)
    (site.source / "session/TS_1/dots.csv").write_text("2,2,2\n4,4,4\n6,6,6\n")
    report = site.ingest()
    stem = f"{SPACING}/Annotations/100/cytosolic_ribosome-1.0"
    assert moved(before, site.versions()) == {f"{stem}_point.ndjson", f"{stem}.json"}
    assert report.volumes_opened == 0
    assert report.changes.changed == (f"{RUN}/spacings/10.000/annotations/10301/dots/100",)
    document = site.read(f"{stem}.json")
    assert (document["object_count"], document["last_updated_at"]) == (3, 1_800_002_000)


def test_other_coordinates_of_the_same_number_leave_the_document_alone(site: Site) -> None:
    site.ingest()
    before = site.versions()
    (site.source / "session/TS_1/dots.csv").write_text("2,2,2\n4,4,4\n")
    report = site.ingest()
    assert moved(before, site.versions()) == {f"{SPACING}/Annotations/100/cytosolic_ribosome-1.0_point.ndjson"}
    assert report.changes.changed == (f"{RUN}/spacings/10.000/annotations/10301/dots/100",)


def test_a_document_that_somebody_removed_comes_back_as_it_was(site: Site) -> None:
    site.ingest()
    key = f"{SPACING}/Annotations/100/cytosolic_ribosome-1.0.json"
    before = site.storage.read(key)
    site.storage.delete(key)
    assert site.ingest().counts == {"updated": 1, "unchanged": 43}
    assert site.storage.read(key) == before


def test_an_annotation_that_arrives_later_is_all_that_is_written(site: Site) -> None:
    text = site.config.read_text()
    first, second = text.split("- metadata:\n    <<: *annotation")
    site.config.write_text(first)
    site.ingest()
    before = site.versions()
    site.config.write_text(text)
    report = site.ingest()
    assert {key.split("/")[5] for key in moved(before, site.versions())} == {"101"}
    assert all("/Annotations/101/" in key for key in moved(before, site.versions()))
    assert len(report.changes.added) == 2
    assert report.volumes_opened == 2
    assert second


def test_a_part_that_was_asked_for_is_all_that_is_written(site: Site) -> None:
    report = site.ingest(select(only=["annotation"], filters=["run=TS_1"]))
    assert report.counts == {"written": 6}
    assert all(f"{SPACING}/Annotations/" in key for key in site.versions())
    known = {one.identity for one in site.catalog.entities(site.top)}
    assert {RUN, f"{RUN}/spacings/10.000"} <= known
    assert not any("TS_2" in identity for identity in known)


def test_a_run_may_be_in_before_what_contains_it(site: Site) -> None:
    log = CatalogLog(site.catalog, site.storage)
    leases = [log.take(f"ingest {site.top} {name}", 60) for name in ("deposition 10301", "30001")]
    report = site.ingest()
    assert sorted(report.held) == ["30001", "deposition 10301"]
    assert report.counts == {"written": 42}
    assert report.failed_runs == {}
    for lease in leases:
        assert lease is not None
        lease.release()
    assert site.ingest().counts == {"written": 2, "unchanged": 42}
    tree = {one.identity: one for one in site.catalog.entities(site.top)}
    assert tree["datasets/30001"].parent == "depositions/10301"
    assert tree["datasets/30001"].document["dataset_title"] == "Yeast"
    assert tree[RUN].parent == "datasets/30001"


def test_documents_alone_are_written_again_without_opening_anything(site: Site) -> None:
    site.ingest()
    before = site.versions()
    entities = {one.identity: one.files for one in site.catalog.entities(site.top)}
    site.config.write_text(site.config.read_text().replace("dataset_title: Yeast", "dataset_title: Other yeast"))
    report = site.ingest(select(metadata_only=True))
    assert moved(before, site.versions()) == {"30001/dataset_metadata.json"}
    assert report.counts == {"updated": 1, "unchanged": 15}
    assert (report.volumes_opened, report.files_opened) == (0, 0)
    assert {one.identity: one.files for one in site.catalog.entities(site.top)} == entities


def test_a_shape_that_left_the_config_does_not_come_back_with_the_documents(site: Site) -> None:
    site.ingest()
    mesh = "  - TriangularMesh: {file_format: obj, glob_string: '{run_name}/mesh.obj', scale_factor: 2}\n"
    site.config.write_text(site.config.read_text().replace(mesh, ""))
    site.ingest(select(metadata_only=True))
    key = f"{SPACING}/Annotations/101/membrane-1.0.json"
    (membrane,) = (one for one in site.catalog.entities(site.top) if one.key == key)
    assert {file.shape for file in membrane.files} == {"SemanticSegmentationMask"}
    assert [file["shape"] for file in membrane.document["files"]] == ["SegmentationMask"] * 2
    site.ingest()
    (again,) = (one for one in site.catalog.entities(site.top) if one.key == key)
    assert again.files == membrane.files


def test_a_source_that_is_damaged_fails_alone(site: Site) -> None:
    path = site.source / "session/TS_1/tomogram.mrc"
    whole = path.read_bytes()
    path.write_bytes(whole[:-500])
    report = site.ingest()
    outcomes = {step.name.removeprefix(f"{RUN}/"): (step.outcome, step.reason) for step in report.steps if step.reason}
    tomogram = "spacings/10.000/tomograms/100,WBP,raw,,10301"
    volume_step = f"{RUN}/{tomogram}#volume"
    assert outcomes.pop(f"{tomogram}#volume")[0] == "failed"
    needing = f"it needs {volume_step}, which was not done"
    assert outcomes == {
        f"{tomogram}#document": ("skipped", needing),
        "alignments/10301#document": ("skipped", needing),
    }
    assert report.counts == {"written": 41, "failed": 1, "skipped": 2}
    path.write_bytes(whole)
    assert site.ingest().counts == {"written": 3, "unchanged": 41}


def test_a_layout_that_the_catalog_forgot_keeps_the_times_of_its_documents(site: Site, tmp_path: Path) -> None:
    site.ingest()
    documents = {key: site.storage.read(key) for key in site.versions() if key.endswith("metadata.json")}
    with open_catalog(tmp_path / "other home") as site.catalog:
        report = site.ingest()
        assert report.is_whole
        assert {key: site.storage.read(key) for key in documents} == documents


@pytest.mark.parametrize(
    ("formats", "endings", "paths"),
    [
        (Formats(mrc=False), {"zarr"}, {"omezarr_dir"}),
        (Formats(zarr=False), {"mrc"}, {"mrc_file"}),
        (Formats(mrc=False, zarr_version="0.5"), {"zarr"}, {"omezarr_dir"}),
    ],
)
def test_formats_that_nobody_wants_are_neither_written_nor_named(
    tmp_path: Path, formats: Formats, endings: set[str], paths: set[str]
) -> None:
    config = write_session(tmp_path / "in", ("TS_1",))
    with open_catalog(tmp_path / "home") as catalog:
        site = Site(config, tmp_path / "in", str(tmp_path / "layout"), catalog)
        assert site.ingest(formats=formats).is_whole
        kept = {part.rpartition(".")[2] for key in site.versions() for part in key.split("/")} & {"zarr", "mrc"}
        assert kept == endings
        tomogram = site.read(f"{SPACING}/Tomograms/100/tomogram_metadata.json")
        assert tomogram.keys() & {"omezarr_dir", "mrc_file"} == paths
        annotation = site.read(f"{SPACING}/Annotations/101/membrane-1.0.json")
        assert {file["format"] for file in annotation["files"]} == endings | {"glb"}
        names = {path.name for path in (Path(site.top) / SPACING).rglob("zarr.json")}
        assert names == ({"zarr.json"} if formats.zarr_version == "0.5" else set())


def test_publishing_more_or_less_writes_documents_of_tomograms_and_nothing_else(site: Site) -> None:
    site.ingest()
    for formats in (Formats(states=False), Formats(photos=False, states=False), Formats()):
        before = site.versions()
        report = site.ingest(formats=formats)
        changed = moved(before, site.versions())
        assert changed
        assert {key.rpartition("/")[2] for key in changed} == {"tomogram_metadata.json"}
        assert (report.volumes_opened, report.files_opened) == (0, 0)


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("session.mdoc", {"frame", "tiltseries"}),
        ("series.rawtlt", {"tiltseries"}),
        ("ctf.txt", {"tiltseries"}),
        ("mask.mrc", {"annotation"}),
        ("frames/f_1.tif", {"frame", "tiltseries"}),
        ("tomogram.mrc", {"alignment"}),
    ],
)
def test_what_tells_of_a_source_that_is_gone_stays_as_it_is(site: Site, name: str, left: set[str]) -> None:
    site.ingest()
    before = site.versions()
    entities = {one.identity: (one.document, one.files) for one in site.catalog.entities(site.top)}
    found = [path for path in (site.source / "session/TS_1").rglob("*") if path.is_file() and path.match(f"*{name}")]
    path = found[0] if found else next((site.source / "session/TS_1").glob("*.mdoc"))
    path.unlink()
    prepared = site.plan()
    (error,) = (problem.sentence for problem in prepared.problems if problem.severity == "error")
    assert error == (
        f"{path.relative_to(site.source / 'session')} was ingested and is gone: what was made of it, and what tells of "
        "it, stays as it is."
    )
    held = {one.entity.type for one in prepared.plan.targets if one.run.endswith("TS_1") and not one.is_written}
    assert left <= held
    report = site.apply(prepared)
    assert set(report.counts) == {"unchanged"}
    assert moved(before, site.versions()) == set()
    assert {one.identity: (one.document, one.files) for one in site.catalog.entities(site.top)} == entities


def test_a_source_that_is_gone_for_good_is_let_go_of_once(site: Site) -> None:
    site.ingest()
    (site.source / "session/TS_1/frames/f_1.tif").unlink()
    assert not site.plan().is_whole
    prepared = site.plan(lets_go=True)
    assert prepared.is_whole, prepared.problems
    assert site.apply(prepared).is_whole
    forget(prepared.let_go, site.log)
    named = site.read("30001/TS_1/Frames/frames_metadata.json")["frames"]
    assert {Path(one["path"]).name for one in named if one["path"]} == {"f_0.tif", "f_2.tif"}
    assert site.plan().is_whole
    assert site.ingest().counts.keys() == {"unchanged"}


def test_a_plan_says_of_each_step_what_the_ingest_does_then(site: Site) -> None:
    site.ingest()
    text = site.config.read_text().replace("dataset_title: Yeast", "dataset_title: Other yeast")
    site.config.write_text(text)
    dots = site.source / "session/TS_1/dots.csv"
    dots.write_text("".join(dots.read_text().splitlines(keepends=True)[:-1]))
    prepared = site.plan()
    expected = outlook(prepared, site.storage, site.log.steps(""))
    report = site.apply(prepared)
    became = {step.name: step.outcome for step in report.steps}
    assert {name for name, state in expected.items() if state == "update"} == {
        name for name, outcome in became.items() if outcome == "updated"
    }
    assert "datasets/30001#document" in {name for name, outcome in became.items() if outcome == "updated"}


@pytest.mark.parametrize("photos", [True, False])
@pytest.mark.parametrize("states", [True, False])
def test_views_that_are_not_published_are_not_named(tmp_path: Path, photos: bool, states: bool) -> None:
    config = write_session(tmp_path / "in", ("TS_1",))
    with open_catalog(tmp_path / "home") as catalog:
        site = Site(config, tmp_path / "in", str(tmp_path / "layout"), catalog)
        assert site.ingest(formats=Formats(photos=photos, states=states)).is_whole
        tomogram = site.read(f"{SPACING}/Tomograms/100/tomogram_metadata.json")
    names = ("snapshot", "thumbnail")
    expected = {name: f"{SPACING}/Images/100/key-photo-{name}.png" for name in names}
    assert tomogram["key_photo"] == (expected if photos else None)
    config_path = f"{SPACING}/NeuroglancerPrecompute/100-neuroglancer_config.json"
    assert tomogram["neuroglancer_config_path"] == (config_path if states else None)


@pytest.mark.service
def test_a_bucket_is_read_as_a_folder_is(tmp_path: Path, bucket: str) -> None:
    config = write_session(tmp_path / "in")
    inside = open_storage(f"{bucket}/in")
    for path in (tmp_path / "in").rglob("*"):
        if path.is_file():
            inside.put(path.relative_to(tmp_path / "in").as_posix(), path.read_bytes())
    with open_catalog(tmp_path / "a") as first, open_catalog(tmp_path / "b") as second:
        far = Site(config, locate(f"{bucket}/in"), f"{bucket}/layout", first)
        near = Site(config, tmp_path / "in", str(tmp_path / "layout"), second)
        assert far.ingest().is_whole
        assert near.ingest().is_whole
        assert {key: far.storage.read(key) for key in far.versions()} == {
            key: near.storage.read(key) for key in near.versions()
        }
        report = far.ingest()
        assert report.counts == {"unchanged": 44}
        assert (report.volumes_opened, report.files_opened, report.bytes_read) == (0, 0, 0)
        inside.put("session/TS_1/gain.txt", b"another")
        assert far.ingest().counts == {"updated": 1, "unchanged": 43}


def test_a_time_alone_changes_nothing(site: Site) -> None:
    site.ingest()
    before = site.versions()
    os.utime(site.source / "session/TS_1/tomogram.mrc")
    report = site.ingest()
    assert report.counts == {"unchanged": 44}
    assert (report.files_hashed, report.volumes_opened, report.objects_written) == (1, 0, 0)
    assert site.versions() == before
