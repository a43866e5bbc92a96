"""The models of the portal's documents: they take the portal's own, and nothing that has a fault."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.ingest.deposition.portal_documents import Run, model_of, read_document

RUN = {"run_name": "TS_01", "deposition_id": 90100, "last_updated_at": 1728676818}


@pytest.mark.samples
def test_every_document_of_the_portal_fits(samples: Path) -> None:
    top = samples / "portal"
    keys = [str(path.relative_to(top)) for path in sorted(top.rglob("*.json"))]
    documents = [key for key in keys if key.startswith(("30001/", "depositions_metadata/")) and model_of(key)]
    assert len(documents) == 14
    for key in documents:
        assert read_document(key, (top / key).read_bytes(), is_whole=False).deposition_id in (300, 301, None)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("90101/TS_01/run_metadata.json", "Run"),
        ("90101/TS_01/Reconstructions/VoxelSpacing10.000/Annotations/104/vesicle-1.0.json", "Annotation"),
        ("90101/TS_01/Reconstructions/VoxelSpacing10.000/Annotations/107/cytoplasm-1.0_globalcaption.json", None),
        ("90101/TS_01/IdentifiedObjects/identified_objects.json", None),
        ("90101/TS_01/Reconstructions/VoxelSpacing10.000/NeuroglancerPrecompute/100-neuroglancer_config.json", None),
    ],
)
def test_a_key_says_which_document_it_is(key: str, name: str | None) -> None:
    model = model_of(key)
    assert (model.__name__ if model else None) == name


def test_a_whole_document_is_read() -> None:
    found = read_document("90101/TS_01/run_metadata.json", json.dumps(RUN).encode())
    assert isinstance(found, Run)
    assert found.run_name == "TS_01"


@pytest.mark.parametrize("change", [{"run_nam": "a"}, {"run_name": 5}, {"deposition_id": "90100"}])
def test_other_keys_and_other_types_are_faults(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        read_document("90101/TS_01/run_metadata.json", json.dumps(RUN | change).encode())


def test_what_an_ingest_knows_must_be_said() -> None:
    content = json.dumps({"run_name": "TS_01", "deposition_id": 90100}).encode()
    read_document("90101/TS_01/run_metadata.json", content, is_whole=False)
    with pytest.raises(AssertionError, match="does not say"):
        read_document("90101/TS_01/run_metadata.json", content)


FRAMES = {"frames_acquisition_file": "a/b.mdoc", "frames": []}


@pytest.mark.parametrize("place", ["/a/b.mdoc", "a/b/", "a b/c.mdoc"])
def test_places_are_keys_below_the_top(place: str) -> None:
    key = "90101/TS_01/Frames/frames_metadata.json"
    read_document(key, json.dumps(FRAMES).encode(), is_whole=False)
    with pytest.raises(ValidationError):
        read_document(key, json.dumps({**FRAMES, "frames_acquisition_file": place}).encode(), is_whole=False)
