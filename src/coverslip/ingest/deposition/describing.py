"""What the step of a metadata document is told: what the config says, and every path that is known beforehand. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from coverslip.cryoet import layout
from coverslip.ingest.deposition.placing import DEFAULT_VERSION
from coverslip.ingest.deposition.steps import Input, Step, Target

type Told = tuple[Mapping[str, Any], tuple[Input, ...], tuple[str, ...]]
"""Options, inputs, and the steps whose facts are needed."""

UNKNOWN = "not_reported"
TERMS = ("assay", "cell_component", "cell_strain", "cell_type", "development_stage", "disease", "organism", "tissue")
IDENTITY = ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1))
UNALIGNED: Mapping[str, Any] = {
    "affine_transformation_matrix": [list(row) for row in IDENTITY],
    "alignment_type": "GLOBAL",
    "is_portal_standard": False,
    "volume_offset": {"x": 0, "y": 0, "z": 0},
    "tilt_offset": 0,
    "x_rotation_offset": 0,
    "method_type": "undefined",
}
"""What the portal says of an alignment that says nothing of itself."""


class Relatives:
    """Entities and steps by what they belong to.

    Parameters
    ----------
    targets
        All entities, parents before children.
    """

    def __init__(self, targets: Sequence[Target]) -> None:
        self._below: dict[str, list[Target]] = {}
        self._tomograms: dict[str, Target] = {}
        self._steps: dict[str, list[Step]] = {}
        self.shown: set[str] = set()
        """The names of steps whose results a viewer shows at once."""
        self._identities = {target.identity: target for target in targets}
        for target in targets:
            self._below.setdefault(target.parent or "", []).append(target)
            if target.entity.type == "tomogram" and (target.entity.files or not target.is_written):
                self._tomograms.setdefault(target.alignment, target)

    def add(self, step: Step) -> None:
        """Add a step."""
        self._steps.setdefault(step.target, []).append(step)

    def steps(self, target: Target | None) -> list[Step]:
        """Return the steps of an entity."""
        return self._steps.get(target.identity, []) if target is not None else []

    def below(self, target: Target | None, kind: str) -> list[Target]:
        """Return the entities of a type directly in another."""
        found = self._below.get(target.identity, []) if target is not None else []
        return [one for one in found if one.entity.type == kind]

    def parent(self, target: Target) -> Target | None:
        """Return what contains an entity."""
        return self._identities.get(target.parent or "")

    def tomogram_of(self, alignment: str) -> Target | None:
        """Return the first tomogram that an alignment's document is of."""
        return self._tomograms.get(alignment)


def document_options(target: Target, relatives: Relatives) -> Told:
    """Return what ``documents.build_document`` needs for the document of an entity.

    ``type``; ``metadata``: what the config says; ``derived``: what takes precedence over it; ``deposition_id``; and of
    some types more, see there.
    """
    told, after = _TOLD[target.entity.type](target, relatives)
    metadata = told.pop("metadata", target.metadata)
    common = {"type": target.entity.type, "metadata": metadata, "deposition_id": int(target.deposition)}
    names = tuple(dict.fromkeys(step.name for step in after))
    return common | told, (), names


type _Part = tuple[dict[str, Any], list[Step]]


def _photos(target: Target, relatives: Relatives) -> tuple[dict[str, str], list[Step]]:
    steps = [
        step
        for photo in relatives.below(target, f"{target.entity.type}_keyphoto")
        for step in relatives.steps(photo)
        if photo.entity.name in layout.PHOTOS
    ]
    return {step.outputs[0].rpartition("/")[2].partition(".")[0]: step.outputs[0] for step in steps}, steps


def _deposition(target: Target, relatives: Relatives) -> _Part:
    photos, steps = _photos(target, relatives)
    return {"derived": {"key_photos": photos} if photos else {}}, steps


def _dataset(target: Target, relatives: Relatives) -> _Part:
    photos, steps = _photos(target, relatives)
    metadata = dict(target.metadata)
    for key in TERMS:
        term = dict(metadata.get(key) or {})
        word = "unknown" if key == "development_stage" else UNKNOWN
        term["name"] = term.get("name") or word
        if key == "organism":
            term.setdefault("taxonomy_id", None)
        else:
            term["id"] = term.get("id") or word
        metadata[key] = term
    return {"metadata": metadata, "derived": {"key_photos": {one: photos.get(one) for one in layout.PHOTOS}}}, steps


def _run(target: Target, _: Relatives) -> _Part:
    return {"derived": {"run_name": target.entity.name}}, []


def _only_output(steps: Sequence[Step], recipe: str) -> str | None:
    return next((step.outputs[0] for step in steps if step.recipe == recipe), None)


def _frame(target: Target, relatives: Relatives) -> _Part:
    mdoc = _mdoc(relatives.parent(target), relatives)
    paths = {step.outputs[0].rpartition("/")[2]: step.outputs[0] for step in relatives.steps(target)}
    return {"derived": {"frames_acquisition_file": _only_output(mdoc, "mdoc")}, "frame_paths": paths}, mdoc


def _mdoc(run: Target | None, relatives: Relatives) -> list[Step]:
    return [step for one in relatives.below(run, "collection_metadata") for step in relatives.steps(one)]


def _tiltseries(target: Target, relatives: Relatives) -> _Part:
    run = relatives.parent(target)
    mdoc = _mdoc(run, relatives)
    volume = relatives.steps(target)
    raw = [step for one in relatives.below(target, "rawtilt") for step in relatives.steps(one)][:1]
    ctf = [step for one in relatives.below(target, "ctf") for step in relatives.steps(one)][:1]
    derived = {
        **_volume_paths(volume),
        "run_name": run.entity.name if run else "",
        "raw_tlt_path": _only_output(raw, "rawtilt"),
        "ctf_path": _only_output(ctf, "ctf"),
    }
    frames = sum(len(one.entity.files) for one in relatives.below(run, "frame"))
    return {"derived": derived, "frames_count": frames or None}, [*volume, *raw, *mdoc, *ctf]


def _volume_paths(steps: Sequence[Step]) -> dict[str, str]:
    outputs = [key for step in steps if step.recipe == "volume" for key in step.outputs]
    names = {".zarr": "omezarr_dir", ".mrc": "mrc_file"}
    return {name: key for ending, name in names.items() for key in outputs if key.endswith(ending)}


def _alignment(target: Target, relatives: Relatives) -> _Part:
    own = relatives.steps(target)
    outputs = [key for step in own for key in step.outputs]
    series = next(iter(relatives.below(relatives.parent(target), "tiltseries")), None)
    derived: dict[str, Any] = {
        "alignment_path": _ending(outputs, ".xf", ".aln"),
        "tilt_path": _ending(outputs, ".tlt"),
        "tiltx_path": _ending(outputs, ".tltx", ".xtilt"),
        "tiltseries_path": series.document if series else None,
        "files": outputs,
    }
    metadata = {**UNALIGNED, **target.metadata}
    told: dict[str, Any] = {"metadata": metadata, "derived": derived}
    if series is not None and series.metadata.get("pixel_spacing"):
        told["pixel_spacing"] = series.metadata["pixel_spacing"]
    tomogram = relatives.tomogram_of(target.document)
    volume = relatives.steps(tomogram)[:1]
    if volume and "volume_dimension" not in target.metadata:
        told["volume_spacing"] = volume[0].options["spacing"]
        return told, [*own, *volume]
    return told, own


def _ending(keys: Sequence[str], *endings: str) -> str | None:
    return next((key for key in keys if key.endswith(endings)), None)


def _identified_object(target: Target, relatives: Relatives) -> _Part:
    steps = relatives.steps(target)
    source = steps[0].inputs[0].path if steps else None
    derived = {"file_format": "json", "source_file": source, "identifier": layout.FIRST_NUMBER}
    if steps and "filter_value" in steps[0].options:
        derived["filter_value"] = steps[0].options["filter_value"]
    return {"derived": derived}, steps


def _tomogram(target: Target, relatives: Relatives) -> _Part:
    spacing = relatives.parent(target)
    assert spacing is not None
    assert target.number is not None
    steps = relatives.steps(target)
    metadata = dict(target.metadata)
    if status := metadata.get("fiducial_alignment_status"):
        metadata["fiducial_alignment_status"] = str(status).strip().upper().replace("-", "_").replace(" ", "_")
    derived = {
        **_volume_paths(steps),
        "run_name": next(one.name for one in target.entity.chain() if one.type == "run"),
        "voxel_spacing": float(spacing.entity.name),
        "key_photo": {size: layout.key_photo(spacing.folder, target.number, size) for size in layout.PHOTOS},
        "alignment_metadata_path": target.alignment,
        "neuroglancer_config_path": layout.neuroglancer_config(spacing.folder, target.number),
    }
    return {"metadata": metadata, "derived": derived}, steps


def _annotation(target: Target, relatives: Relatives) -> _Part:
    steps = [step for step in relatives.steps(target) if step.outputs]
    files = [
        {
            "step": step.name,
            "format": key.rpartition(".")[2],
            "path": key,
            "shape": layout.SHAPES[step.options["shape"]],
            "is_visualization_default": step.name in relatives.shown,
        }
        for step in steps
        for key in step.outputs
    ]
    version = target.metadata.get("version")
    metadata = {**target.metadata, "version": DEFAULT_VERSION if version is None else str(version)}
    return {"metadata": metadata, "derived": {"alignment_metadata_path": target.alignment}, "files": files}, steps


_TOLD: Mapping[str, Callable[[Target, Relatives], _Part]] = {
    "deposition": _deposition,
    "dataset": _dataset,
    "run": _run,
    "frame": _frame,
    "tiltseries": _tiltseries,
    "alignment": _alignment,
    "identified_object": _identified_object,
    "tomogram": _tomogram,
    "annotation": _annotation,
}
