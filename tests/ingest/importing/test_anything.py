"""Whatever documents say and whatever keys are called: an answer, never a crash, and no identity twice."""

import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coverslip.ingest.importing import Top
from coverslip.ingest.importing.listing import Listing, list_layout
from coverslip.ingest.importing.places import place_of, sort_listing
from coverslip.ingest.importing.reading import read_batches
from coverslip.model.records import SeenFile
from tests.ingest.importing.layouts import ALIGNMENT, ANNOTATION, RUN, SPACING, TOMOGRAM, put, write_layout

NAMES = (
    *("deposition_id", "annotation_ingest_id", "annotation_object", "files", "path", "shape", "alignment_path"),
    *("alignment_metadata_path", "omezarr_dir", "mrc_file", "frames", "processing", "last_updated_at", "name"),
)
DOCUMENTS = (
    "depositions_metadata/10301/deposition_metadata.json",
    "20001/dataset_metadata.json",
    f"{RUN}/run_metadata.json",
    f"{RUN}/Frames/frames_metadata.json",
    f"{RUN}/TiltSeries/100/tiltseries_metadata.json",
    ALIGNMENT,
    TOMOGRAM,
    f"{SPACING}/Tomograms/101/tomogram_metadata.json",
    ANNOTATION,
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from((ALIGNMENT, "..")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=20,
)
WORDS = """
    0 1 100 a/b .. VoxelSpacing1 VoxelSpacing1.500 Reconstructions Tomograms Annotations TiltSeries Alignments Images
    KeyPhoto CanonicalTomogram NeuroglancerPrecompute depositions_metadata run_metadata.json tomogram_metadata.json
    x-1.0.json x.zarr 100-y_point.ndjson Frames Gains
"""
PARTS = st.sampled_from([*WORDS.split(), "", " "])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(DOCUMENTS), VALUES, min_size=1))
def test_any_documents(tmp_path: Path, documents: dict[str, object]) -> None:
    top = tmp_path / "top"
    if not top.exists():
        write_layout(top)
    for key, document in documents.items():
        put(top, key, json.dumps(document))
    listing = list_layout(top)
    made = [one for batch in read_batches(Top(listing, sort_listing(listing)), readers=1) for one in batch.entities]
    assert len({one.identity for one in made}) == len(made)
    assert all(file.key in listing.files for one in made for file in one.files)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(PARTS, min_size=1, max_size=8).map("/".join), max_size=8))
def test_any_keys(keys: list[str]) -> None:
    listing = Listing(Path("/top"), {key: SeenFile(f"/top/{key}", 1, 1) for key in keys})
    shelves = sort_listing(listing)
    every = [*shelves.depositions.values(), *shelves.datasets.values()]
    every += [shelf for runs in shelves.runs.values() for shelf in runs.values()]
    sorted_in = [key for shelf in every for key in shelf.everything()] + shelves.others
    assert sorted(sorted_in) == sorted(set(keys))  # each has one place, and none is lost
    for key in keys:
        place = place_of(key)
        assert place is None or key.startswith(place.folder)
