"""A whole deposition is ingested into a folder and into a bucket, again, and a month later annotations are added."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray
from ome_zarr_models.v04.image import Image as OmeZarrImage
from pydantic import BaseModel
from scipy.spatial.transform import Rotation
from zarr import open_group

import coverslip
from coverslip.demo.deposition import RUNS, Example, Run, Scene, scene_of, write_deposition
from tests.ingest.deposition.portal_documents import Annotation, TiltSeries, Tomogram, model_of, read_document
from tests.services.s3 import S3Server, serve_s3

GOLDEN = Path(__file__).parent.parent / "ingest/deposition/golden"
BUCKET = "depositions"
PRECOMPUTE = re.compile(r"(.*/NeuroglancerPrecompute/[^/]+)/.*")
LATER = [run for run in RUNS if run.name in ("TS_01", "TS_02")]

type Pixels = NDArray[Any]


@dataclass
class Place:
    """Where a deposition is ingested to, and a home that remembers what was done."""

    output: str
    folder: Path
    """Where its files can be looked at: the place itself, or a copy of the bucket."""
    environment: dict[str, str]
    server: S3Server | None = None

    def ingest(self, config: Path, inputs: Path, *words: str) -> dict[str, Any]:
        """Apply a config in a process of its own and return what it says in JSON."""
        command = ["ingest", "apply", str(config), "--input", str(inputs), "--output", self.output, "--json", *words]
        command += ["--https-prefix", "https://data.example/portal"]
        done = subprocess.run(
            [sys.executable, "-m", "coverslip", *command],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"{command} left with {done.returncode}\n{done.stdout}\n{done.stderr}"
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def look(self) -> "Seen":
        """Return what is there now."""
        if self.server is not None:
            self._fetch(self.server)
        found = sorted(path for path in self.folder.rglob("*") if path.is_file())
        keys = {str(path.relative_to(self.folder)): path for path in found}
        return Seen(
            self.folder,
            {key: path.read_bytes() for key, path in keys.items() if key.endswith((".json", ".ndjson"))},
            {key: path.stat().st_size for key, path in keys.items()},
            {key: digest_of(path) for key, path in keys.items()},
        )

    def _fetch(self, server: S3Server) -> None:
        client = boto3.client(
            "s3",
            endpoint_url=server.url,
            region_name="us-east-1",
            aws_access_key_id=server.access_key,
            aws_secret_access_key=server.secret_key,
        )
        try:
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="portal/"):
                for item in page.get("Contents", ()):
                    path = self.folder / item["Key"].removeprefix("portal/")
                    path.parent.mkdir(parents=True, exist_ok=True)
                    client.download_file(BUCKET, item["Key"], str(path))
        finally:
            client.close()


@dataclass(frozen=True)
class Seen:
    """Everything in the layout at some time."""

    folder: Path
    files: Mapping[str, bytes]
    """The content of documents and points; volumes are too large to keep."""
    sizes: Mapping[str, int]
    digests: Mapping[str, str]

    @property
    def listing(self) -> list[str]:
        """Every key; what lies in an OME-Zarr or precompute counts as its folder."""
        return sorted({shown(key) for key in self.sizes})

    def document(self, key: str) -> BaseModel:
        return read_document(key, self.files[key])


def shown(key: str) -> str:
    """Return a key as it stands in a listing."""
    if ".zarr/" in key:
        return f"{key.partition('.zarr/')[0]}.zarr"
    return PRECOMPUTE.sub(r"\1", key)


def digest_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True)
class Story:
    """What happened, in this order: an ingest, the same again, and the annotations of a month later."""

    example: Example
    first: dict[str, Any]
    after_first: Seen
    again: dict[str, Any]
    after_again: Seen
    later: dict[str, Any]
    after_later: Seen
    later_again: dict[str, Any]


@pytest.fixture(scope="module")
def example(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Example:
    size = 256 if request.config.getoption("--long") else 64
    return write_deposition(tmp_path_factory.mktemp("example"), size=size)


@pytest.fixture(scope="module", params=["folder", pytest.param("bucket", marks=pytest.mark.service)])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    top = tmp_path_factory.mktemp("ingested")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COVERSLIP_")}
    environment["COVERSLIP_HOME"] = str(top / "home")
    layout = top / "layout"
    layout.mkdir()
    if request.param == "folder":
        yield Place(str(layout), layout, environment)
        return
    with serve_s3() as server:
        server.make_bucket(BUCKET)
        yield Place(f"s3://{BUCKET}/portal", layout, {**environment, **server.environment}, server)


@pytest.fixture(scope="module")
def story(place: Place, example: Example) -> Story:
    first = place.ingest(example.deposition, example.input)
    after_first = place.look()
    again = place.ingest(example.deposition, example.input)
    after_again = place.look()
    later = place.ingest(example.annotations, example.input)
    after_later = place.look()
    later_again = place.ingest(example.annotations, example.input)
    return Story(example, first, after_first, again, after_again, later, after_later, later_again)


def golden(name: str) -> list[str]:
    return (GOLDEN / f"{name}.txt").read_text().split()


def spacing_folder(run: Run) -> str:
    return f"{run.dataset}/{run.name}/Reconstructions/VoxelSpacing{run.voxel_angstrom:.3f}"


def voxels(path: Path) -> Pixels:
    """Return the voxels of a file, shape Z, Y, X."""
    with coverslip.open_image(path) as file:
        return np.array(file.images[0].read()[0, 0])


def test_every_key_is_where_the_portal_has_it(story: Story) -> None:
    first = [*golden("deposition"), *golden("deposition_derived")]
    later = [*golden("annotations"), *golden("annotations_derived")]
    assert story.after_first.listing == sorted(first)
    assert story.after_later.listing == sorted([*first, *later])


def test_every_document_validates(story: Story) -> None:
    keys = [key for key in story.after_later.files if ".zarr/" not in key and model_of(key)]
    # deposition, dataset, run, frames, tilt series, alignment, objects, tomogram, annotation
    assert len(keys) == 2 + 2 + 6 + 6 + 6 + 6 + 6 + 6 + (3 * 8 + 3 * 7 + 4)
    for key in keys:
        story.after_later.document(key)


def test_every_place_that_a_document_names_is_there(story: Story) -> None:
    there = set(story.after_later.listing)
    named: set[str] = set()
    for key in story.after_later.files:
        if ".zarr/" not in key and model_of(key):
            document = json.loads(story.after_later.files[key])
            named |= {text for text in texts(document) if text.startswith(("90101/TS_", "90102/TS_")) and "." in text}
    assert named - there == set()
    assert len(named) > 100


def texts(value: object) -> Iterator[str]:
    """Yield every text in a document that is a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)


def test_a_second_time_no_source_is_opened_and_nothing_is_written(story: Story) -> None:
    assert set(story.first["counts"]) == {"written"}
    assert story.first["volumes_opened"] == 24
    for again in (story.again, story.later_again):
        assert set(again["counts"]) == {"unchanged"}
        assert (again["volumes_opened"], again["files_opened"], again["files_hashed"]) == (0, 0, 0)
        assert (again["objects_written"], again["bytes_written"]) == (0, 0)
        assert (again["published"]["written"], again["published"]["failed"]) == ([], [])
        assert again["views"]["built"] == []
    assert story.again["counts"]["unchanged"] == story.first["counts"]["written"]
    assert story.after_again.digests == story.after_first.digests


def test_annotations_that_come_later_change_nothing_that_was_there(story: Story) -> None:
    before, after = story.after_first.digests, story.after_later.digests
    changed = {key for key in before if after[key] != before[key]}
    # what shows annotations, of the tomograms that have new ones, and the photos of their dataset
    assert {key for key in changed if key.endswith(".json")} == {
        f"{spacing_folder(run)}/NeuroglancerPrecompute/100-neuroglancer_config.json" for run in LATER
    }
    photos = tuple(f"{spacing_folder(run)}/Images/100/key-photo-" for run in LATER)
    assert all(key.startswith((*photos, "90101/Images/")) for key in changed if not key.endswith(".json"))
    new = {key for key in after.keys() - before.keys() if "/NeuroglancerPrecompute/" not in key}
    assert {shown(key) for key in new} == set(golden("annotations"))
    # two masks; the picks of copick are no volume
    assert story.later["volumes_opened"] == 2
    assert story.later["objects_written"] == len(new)
    assert story.later["bytes_written"] == sum(story.after_later.sizes[key] for key in new)


def points_at(seen: Seen, key: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in seen.files[key].decode().splitlines()]


def places_of(points: list[dict[str, Any]]) -> Pixels:
    return np.array([[point["location"][axis] for axis in "xyz"] for point in points])


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_points_are_where_the_scene_has_them(run: Run, story: Story) -> None:
    scene = scene_of(run, story.example.shape)
    seen, folder = story.after_later, f"{spacing_folder(run)}/Annotations"
    picked = points_at(seen, f"{folder}/100/cytosolic_ribosome-1.0_point.ndjson")
    assert {point["type"] for point in picked} == {"point"}
    np.testing.assert_allclose(places_of(picked), scene.ribosomes, atol=1e-4)
    oriented = points_at(seen, f"{folder}/101/cytosolic_ribosome__aligned-1.0_orientedpoint.ndjson")
    assert {point["type"] for point in oriented} == {"orientedPoint"}
    np.testing.assert_allclose(places_of(oriented), scene.ribosomes, atol=1e-4)
    turned = Rotation.from_euler("ZYZ", scene.angles, degrees=True).inv().as_matrix()
    np.testing.assert_allclose([point["xyz_rotation_matrix"] for point in oriented], turned, atol=1e-5)
    tubes = points_at(seen, f"{folder}/102/microtubule-1.0_instancesegmentation.ndjson")
    assert {point["type"] for point in tubes} == {"instancePoint"}
    np.testing.assert_allclose(places_of(tubes), np.concatenate(scene.tubes), atol=1e-4)
    assert len({point["instance_id"] for point in tubes}) == 2
    if run in LATER:
        picks = points_at(seen, f"{folder}/108/cytosolic_ribosome-1.0_point.ndjson")
        np.testing.assert_allclose(places_of(picks), scene.ribosomes, atol=1e-4)


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_tomograms_are_those_of_the_source(run: Run, story: Story) -> None:
    folder = f"{spacing_folder(run)}/Tomograms/100"
    source = voxels(story.example.input / f"lab-2026-03/{run.folder}/{run.name}_rec.mrc")
    document = story.after_first.document(f"{folder}/tomogram_metadata.json")
    assert isinstance(document, Tomogram)
    assert document.mrc_file == f"{folder}/{run.name}.mrc"
    assert document.alignment_metadata_path == f"{run.dataset}/{run.name}/Alignments/100/alignment_metadata.json"
    assert document.voxel_spacing == run.voxel_angstrom
    side = story.example.shape[0]
    assert [(one.z, one.y, one.x) for one in document.scales][:2] == [(side,) * 3, (side // 2,) * 3]
    here = story.after_first.folder / folder
    np.testing.assert_array_equal(voxels(here / f"{run.name}.mrc"), source)
    group = open_group(here / f"{run.name}.zarr", mode="r")
    multiscale = OmeZarrImage.from_zarr(group).attributes.multiscales[0]
    assert len(multiscale.datasets) == len(document.scales)
    levels = [np.asarray(group[dataset.path]) for dataset in multiscale.datasets]
    np.testing.assert_array_equal(levels[0], source)
    means = source.astype(float).reshape(side // 2, 2, side // 2, 2, side // 2, 2).mean(axis=(1, 3, 5))
    np.testing.assert_allclose(levels[1], means, atol=1e-5)
    with coverslip.open_image(here / f"{run.name}.zarr") as file:
        size = file.images[0].metadata.pixel_size_z
        assert size is not None
        assert size.micrometers == pytest.approx(run.voxel_angstrom / 10_000)


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_masks_are_those_of_the_source(run: Run, story: Story) -> None:
    source = story.example.input / "lab-2026-03" / run.folder
    membrane = voxels(source / "membrane.mrc") == 1 if run.is_first else voxels(source / "labels.mrc") == 2
    numbers = voxels(source / ("vesicles.mrc" if run.is_first else "vesicles.zarr"))
    folder = story.after_first.folder / spacing_folder(run) / "Annotations"
    for ending in ("mrc", "zarr"):
        mask = voxels(folder / f"103/membrane-1.0_segmentationmask.{ending}")
        np.testing.assert_array_equal(mask, membrane.astype(np.int8))
        assert mask.dtype == np.int8
        labels = voxels(folder / f"104/vesicle-1.0_instancesegmentationmask.{ending}")
        np.testing.assert_array_equal(labels, numbers)
        assert labels.dtype == np.uint16


@pytest.mark.filterwarnings("ignore:Setting the .* on a NumPy array:DeprecationWarning")
@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_meshes_are_the_vesicles_in_voxels(run: Run, story: Story) -> None:
    scene: Scene = scene_of(run, story.example.shape)
    folder = story.after_first.folder / spacing_folder(run) / "Annotations"
    names = {"105/surfaces_of_vesicles": scene.vesicles}
    if run.is_first:
        names["106/the_large_vesicle"] = scene.vesicles[:1]
    for name, vesicles in names.items():
        mesh = trimesh.load_scene(folder / f"{name}-1.0_triangularmesh.glb").to_geometry()
        low = np.min([one.center - one.half_axes for one in vesicles], axis=0)
        high = np.max([one.center + one.half_axes for one in vesicles], axis=0)
        np.testing.assert_allclose(mesh.bounds, [low, high], atol=0.01)


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_annotations_say_what_they_have(run: Run, story: Story) -> None:
    folder = f"{spacing_folder(run)}/Annotations"
    found = {}
    for key in story.after_first.files:
        if key.startswith(f"{folder}/") and ".zarr/" not in key and model_of(key):
            document = story.after_first.document(key)
            assert isinstance(document, Annotation)
            shapes = sorted({file.shape for file in document.files})
            found[document.annotation_ingest_id] = (document.object_count, shapes)
    expected = {
        "cytosolic-ribosome-1": (28, ["Point"]),
        "cytosolic-ribosome-2": (28, ["OrientedPoint"]),
        "microtubule-1": (2, ["InstanceSegmentation"]),
        "membrane-1": (1, ["SegmentationMask"]),
        "vesicle-1": (3, ["AnnotationCaption", "InstanceSegmentationMask"]),
        "vesicle-2": (1, ["TriangularMesh"]),
        "cytoplasm-1": (2, ["GlobalCaption"]),
    }
    if run.is_first:
        expected["vesicle-3"] = (1, ["TriangularMesh"])
    assert found == expected


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_tilt_series_are_joined_with_what_is_known_of_their_sections(run: Run, story: Story) -> None:
    document = story.after_first.document(f"{run.dataset}/{run.name}/TiltSeries/100/tiltseries_metadata.json")
    assert isinstance(document, TiltSeries)
    assert document.size is not None
    assert (document.size.z, document.size.y, document.size.x) == (11, *story.example.shape[1:])
    # eleven sections from -40 to 40 degrees, taken from the middle outwards
    sections = document.per_section_parameter or []
    assert [round(section.raw_angle) for section in sections] == list(range(-40, 41, 8))
    assert [section.frame_acquisition_order for section in sections] == [10, 7, 6, 3, 2, 0, 1, 4, 5, 8, 9]
    assert all(29_000 < (section.major_defocus or 0) < 31_000 for section in sections)
    assert (document.pixel_spacing, document.tilt_series_quality) == ((10.0, 4) if run.is_first else (13.48, 3))
