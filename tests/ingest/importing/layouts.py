"""A layout of the portal by hand, with every type of entity, and one pixel file that can be opened."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.readers.generate_ome_zarr import write_image

RUN = "20001/TS_1"
SPACING = f"{RUN}/Reconstructions/VoxelSpacing13.480"
ALIGNMENT = f"{RUN}/Alignments/100/alignment_metadata.json"
TOMOGRAM = f"{SPACING}/Tomograms/100/tomogram_metadata.json"
ANNOTATION = f"{SPACING}/Annotations/100/ribosome-1.0.json"


def put(root: Path, key: str, content: object) -> Path:
    """Write text or bytes as they are, anything else as JSON."""
    path = root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    match content:
        case bytes():
            path.write_bytes(content)
        case str():
            path.write_text(content)
        case _:
            path.write_text(json.dumps(content))
    return path


def tomogram(**more: Any) -> dict[str, Any]:
    """Return the document of a tomogram."""
    return {
        "voxel_spacing": 13.48,
        "reconstruction_method": "WBP",
        "processing": "raw",
        "processing_software": "tomo3D",
        "run_name": "TS_1",
        "deposition_id": 10301,
        "omezarr_dir": f"{SPACING}/Tomograms/100/TS_1.zarr",
        "alignment_metadata_path": ALIGNMENT,
        **more,
    }


def annotation(ingest_id: str | None = "ribosome", stem: str = "ribosome-1.0", number: int = 100) -> dict[str, Any]:
    """Return the document of an annotation with one file of points."""
    path = f"{SPACING}/Annotations/{number}/{stem}_point.ndjson"
    return {
        **({"annotation_ingest_id": ingest_id} if ingest_id else {}),
        "annotation_object": {"name": "ribosome", "id": "GO:0005840"},
        "annotation_method": "by hand",
        "deposition_id": 10302,
        "version": "1.0",
        "alignment_metadata_path": ALIGNMENT,
        "files": [{"format": "ndjson", "path": path, "shape": "Point", "is_visualization_default": True}],
    }


def write_layout(root: Path) -> Path:
    """Write one run with everything that a run can have."""
    put(root, "depositions_metadata/10301/deposition_metadata.json", {"deposition_id": 10301, "deposition_title": "A"})
    put(root, "depositions_metadata/10301/Images/snapshot.png", b"png")
    put(root, "20001/dataset_metadata.json", {"dataset_identifier": 20001, "deposition_id": 10301})
    put(root, "20001/Images/thumbnail.png", b"png")
    put(root, f"{RUN}/run_metadata.json", {"run_name": "TS_1", "deposition_id": 10301})
    put(root, f"{RUN}/Gains/gain.mrc", b"gain")
    frames = [{"path": f"{RUN}/Frames/one.tif"}, {"path": None}]
    put(root, f"{RUN}/Frames/frames_metadata.json", {"frames": frames, "deposition_id": 10301})
    put(root, f"{RUN}/Frames/one.tif", b"frame")
    put(root, f"{RUN}/Frames/TS_1.mdoc", "mdoc")
    tilts = {"deposition_id": 10301, "omezarr_dir": f"{RUN}/TiltSeries/100/TS_1.zarr"}
    put(root, f"{RUN}/TiltSeries/100/tiltseries_metadata.json", tilts)
    put(root, f"{RUN}/TiltSeries/100/TS_1.rawtlt", "0")
    put(root, f"{RUN}/TiltSeries/100/TS_1_ctffind_ctf.txt", "0")
    write_image(root / RUN / "TiltSeries/100/TS_1.zarr", np.arange(96, dtype=np.float32).reshape(4, 4, 6), "zyx", 2)
    put(root, ALIGNMENT, {"deposition_id": 10301, "alignment_path": f"{RUN}/Alignments/100/TS_1.xf"})
    put(root, f"{RUN}/Alignments/100/TS_1.xf", "1 0 0 1 0 0")
    objects = f"{RUN}/IdentifiedObjects"
    put(root, f"{objects}/identified_objects_metadata.json", {"deposition_id": 10301})
    put(root, f"{objects}/identified_objects.json", [])
    put(root, TOMOGRAM, tomogram())
    write_image(root / SPACING / "Tomograms/100/TS_1.zarr", np.arange(192, dtype=np.float32).reshape(4, 6, 8), "zyx", 2)
    put(root, f"{SPACING}/Images/100/key-photo-thumbnail.png", b"png")
    put(root, ANNOTATION, annotation())
    put(root, f"{SPACING}/Annotations/100/ribosome-1.0_point.ndjson", '{"type":"point"}')
    put(root, f"{SPACING}/NeuroglancerPrecompute/100-neuroglancer_config.json", {})
    return root


def write_runs(root: Path, count: int) -> Path:
    """Write a dataset of runs with a document and nothing else."""
    put(root, "depositions_metadata/10301/deposition_metadata.json", {"deposition_id": 10301})
    put(root, "20002/dataset_metadata.json", {"deposition_id": 10301})
    for number in range(count):
        put(root, f"20002/TS_{number}/run_metadata.json", {"run_name": f"TS_{number}", "deposition_id": 10301})
        put(root, f"20002/TS_{number}/Gains/gain.mrc", b"gain")
    return root
