"""Entities of the destination -> the steps that write their files and documents. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from coverslip.cryoet import layout
from coverslip.errors import InvalidRequestError
from coverslip.ingest.deposition.describing import Relatives, document_options
from coverslip.ingest.deposition.expand import EntityFile, values_of
from coverslip.ingest.deposition.finders import FindError
from coverslip.ingest.deposition.listing import Listing
from coverslip.ingest.deposition.maps import RunMaps
from coverslip.ingest.deposition.placing import gain_name
from coverslip.ingest.deposition.problems import Remark
from coverslip.ingest.deposition.problems import Step as Key
from coverslip.ingest.deposition.schema import Config
from coverslip.ingest.deposition.schema.shapes import ShapeFile
from coverslip.ingest.deposition.steps import Input, Recipe, Step, Target
from coverslip.ingest.deposition.templates import TemplateError
from coverslip.sources import is_remote

VOLUMES = ("zarr", "mrc")

SHAPE_RECIPES: Mapping[str, Recipe] = {
    "Point": "points",
    "OrientedPoint": "points",
    "InstanceSegmentation": "points",
    "InstanceSegmentationMask": "mask",
    "SegmentationMask": "mask",
    "SemanticSegmentationMask": "mask",
    "TriangularMesh": "mesh",
    "TriangularMeshGroup": "mesh",
    "GlobalCaption": "caption",
    "AnnotationCaption": "caption",
}
ENDINGS: Mapping[Recipe, tuple[str, ...]] = {
    "points": ("ndjson",),
    "mask": VOLUMES,
    "mesh": ("glb",),
    "caption": ("json",),
}
"""What is made of a shape."""
SHAPE_OPTIONS = (
    *("file_format", "binning", "order", "delimiter", "filter_value"),
    *("mask_label", "threshold", "rescale", "scale_factor", "mesh_name", "companion_shape"),
)
ORIENTED_MESH = "OrientedMesh"
"""The shape of the mesh at each oriented point. It is in angstrom, and stays at the source."""
FILLED = ("filter_value",)
COMMANDS = ("tilt.com", "newst.com")
"""Files of IMOD that are told apart by more than their ending."""


@dataclass(slots=True)
class Made:
    """The steps of a plan so far."""

    steps: list[Step] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)


def make_steps(config: Config, targets: Sequence[Target], maps: RunMaps, listing: Listing | None = None) -> Made:
    """Return the steps of all entities that are written, each after those whose facts it needs.

    Parameters
    ----------
    config
        A valid config.
    targets
        Entities, parents before children.
    maps
        Its maps.
    listing
        What lies at the source. A key photo that is not there is at an address of its own.
    """
    maker = _Maker(config, maps, listing, Relatives(targets))
    for target in targets:
        if target.is_written:
            maker.take(target)
    return maker.finished(targets)


@dataclass(slots=True)
class _Maker:
    config: Config
    maps: RunMaps
    listing: Listing | None
    relatives: Relatives
    made: Made = field(default_factory=Made)
    _outputs: dict[str, Step] = field(default_factory=dict)

    def take(self, target: Target) -> None:
        """Add the steps of an entity."""
        make = _MAKERS.get(target.entity.type)
        try:
            for step in make(self, target) if make else ():
                self._add(target, step)
        except (InvalidRequestError, FindError, TemplateError) as error:
            self._say(target.entity.steps, f"{target.entity.type} {target.entity.name!r}: {str(error).rstrip('.')}.")

    def _add(self, target: Target, step: Step) -> None:
        """Add a step, unless another writes to the same place."""
        for key in step.outputs:
            if (other := self._outputs.get(key)) is not None:
                both = " and ".join(one.inputs[0].path if one.inputs else one.name for one in (other, step))
                self._say(target.entity.steps, f"{both} would both be written to {key}; the first counts.")
                return
        self._outputs.update(dict.fromkeys(step.outputs, step))
        self.made.steps.append(step)
        self.relatives.add(step)

    def finished(self, targets: Sequence[Target]) -> Made:
        """Return all steps in their order, with those of documents."""
        for target in targets:
            if target.is_written and target.document:
                options, inputs, after = document_options(target, self.relatives)
                name = f"{target.identity}#document"
                self._add(target, Step(name, "document", target.identity, inputs, options, (target.document,), after))
        runs: dict[str, int] = {}
        group = {target.identity: runs.setdefault(target.run, len(runs)) for target in targets}
        self.made.steps.sort(key=lambda step: (group[step.target], _RANK.get(step.recipe, 0)))
        return self.made

    def photo(self, target: Target) -> Iterator[Step]:
        """Yield the copy of a key photo."""
        path = target.entity.files[0].path if target.entity.files else ""
        if not path:
            return
        if self.listing is not None and not is_remote(path) and not self.listing.has(path):
            path = f"s3://{path}"  # as configs of the portal name a bucket
        ending = path.partition("?")[0].rpartition("/")[2].rpartition(".")[2].lower()
        extension = ending if ending.isalnum() and len(ending) <= 4 else "png"
        key = layout.photo(target.folder.rpartition("/")[0], target.entity.name, extension)
        yield Step(f"{target.identity}#copy", "copy", target.identity, (Input(path),), {}, (key,))

    def frames(self, target: Target) -> Iterator[Step]:
        """Yield a copy for each frame."""
        for file in target.entity.files:
            name = file.path.rpartition("/")[2]
            key = layout.below(target.folder, name)
            yield Step(f"{target.identity}#copy:{name}", "copy", target.identity, (Input(file.path),), {}, (key,))

    def gain(self, target: Target) -> Iterator[Step]:
        """Yield the copy of a gain reference."""
        for file in target.entity.files[:1]:
            key = layout.below(target.folder, gain_name(file.path))
            yield Step(f"{target.identity}#gain", "gain", target.identity, (Input(file.path),), {}, (key,))

    def volume(self, target: Target) -> Iterator[Step]:
        """Yield the conversion of a tilt series or tomogram."""
        is_stack = target.entity.type == "tiltseries"
        spacing = target.metadata.get("pixel_spacing") if is_stack else spacing_of(target)
        for file in target.entity.files[:1]:
            keys = tuple(layout.below(target.folder, f"{run_name(target)}.{ending}") for ending in VOLUMES)
            options = {"spacing": spacing, "is_stack": is_stack}
            yield Step(f"{target.identity}#volume", "volume", target.identity, (Input(file.path),), options, keys)

    def one_file(self, target: Target) -> Iterator[Step]:
        """Yield the step of a type with one file, which gets the name of the run."""
        recipe, ending = _ONE_FILE[target.entity.type]
        options: dict[str, Any] = {}
        if target.entity.type == "ctf":
            options["file_format"] = target.metadata["format"]
            ending = f"_{options['file_format']}{ending}"
        for file in target.entity.files[:1]:
            key = layout.below(target.folder, f"{run_name(target)}{ending}")
            yield Step(f"{target.identity}#{recipe}", recipe, target.identity, (Input(file.path),), options, (key,))

    def objects(self, target: Target) -> Iterator[Step]:
        """Yield what picks the rows of a run out of a table."""
        options = {"run_name": run_name(target)}
        if text := target.metadata.get("filter_value"):
            options["filter_value"] = values_of(target.entity.parent, self.maps).text(text)
        for file in target.entity.files[:1]:
            key = layout.below(target.folder, "identified_objects.json")
            name = f"{target.identity}#identified_objects"
            yield Step(name, "identified_objects", target.identity, (Input(file.path),), options, (key,))

    def alignment(self, target: Target) -> Iterator[Step]:
        """Yield what copies and reads the files of an alignment; one that does nothing has none."""
        paths = [file.path for file in target.entity.files]
        if not paths:
            return
        keys = tuple(layout.below(target.folder, _alignment_name(run_name(target), path)) for path in paths)
        if len(set(keys)) < len(keys):
            raise InvalidRequestError(f"of {', '.join(paths)} two would be written to the same place")
        guess = "ARETOMO3" if any(path.endswith(".aln") for path in paths) else "IMOD"
        options = {"file_format": target.metadata.get("format") or guess}
        inputs = tuple(Input(path) for path in paths)
        yield Step(f"{target.identity}#alignment", "alignment", target.identity, inputs, options, keys)

    def annotation(self, target: Target) -> Iterator[Step]:
        """Yield one step for each shape."""
        seen: set[tuple[Key, ...]] = set()
        for file in target.entity.files:
            if file.steps in seen:
                continue  # several files fit one glob: expanding says so, and the first counts
            seen.add(file.steps)
            yield self._shape(target, file)
            if (mesh := self._oriented_mesh(target, file)) is not None:
                yield mesh

    def _oriented_mesh(self, target: Target, file: EntityFile) -> Step | None:
        """Return what looks at the mesh that is shown at each oriented point; it is not copied."""
        path = getattr(self._source(file), "mesh_source_path", None)
        if path is None or file.shape != "OrientedPoint":
            return None
        path = values_of(target.entity.parent, self.maps).text(path)
        name = f"{target.identity}#oriented_mesh"
        return Step(name, "oriented_mesh", target.identity, (Input(path),), {"shape": ORIENTED_MESH})

    def _shape(self, target: Target, file: EntityFile) -> Step:
        source = self._source(file)
        values = values_of(target.entity.parent, self.maps)
        options: dict[str, Any] = {"shape": file.shape} | _said(source)
        options |= {key: values.text(options[key]) for key in FILLED if key in options}
        recipe = SHAPE_RECIPES[file.shape]
        inputs: tuple[Input, ...] = (Input(file.path),)
        after: tuple[str, ...] = ()
        if recipe == "mask":
            options["spacing"] = spacing_of(target)
            if options.get("rescale"):
                inputs, after = self._size_of(target, inputs)
        stem = target.document.rpartition("/")[2].removesuffix(".json")
        companion = options.get("companion_shape")
        keys = tuple(
            layout.annotation_file(target.folder, stem, file.shape, ending, companion) for ending in ENDINGS[recipe]
        )
        detail = file.shape if companion is None else f"{file.shape}:{companion}"
        name = f"{target.identity}#{recipe}:{detail}"
        if source.is_visualization_default:
            self.relatives.shown.add(name)
        return Step(name, recipe, target.identity, inputs, options, keys, after)

    def _size_of(self, target: Target, inputs: tuple[Input, ...]) -> tuple[tuple[Input, ...], tuple[str, ...]]:
        """Return inputs and steps that say how large the volume is that a mask is drawn in."""
        tomogram = self.relatives.tomogram_of(target.alignment)
        if tomogram is not None and tomogram.is_written:
            return inputs, (f"{tomogram.identity}#volume",)
        return (*inputs, Input(target.alignment, "destination")), ()

    def _source(self, file: EntityFile) -> ShapeFile:
        _, block, _, source, shape = file.steps
        blocks = self.config.annotations or ()
        found: ShapeFile = getattr(blocks[int(block)].sources[int(source)], str(shape))
        return found

    def _say(self, steps: tuple[Key, ...], sentence: str) -> None:
        self.made.remarks.append(Remark("error", steps, sentence))


def _said(source: ShapeFile) -> dict[str, Any]:
    """Return what the source of a shape says about reading it, under one name each."""
    said = {key: value for key in source.model_fields_set if (value := getattr(source, key)) is not None}
    if "columns" in said:
        said.setdefault("order", said["columns"])
    if "name" in said:
        said.setdefault("mesh_name", said["name"])
    return {key: said[key] for key in SHAPE_OPTIONS if key in said}


def _alignment_name(run: str, path: str) -> str:
    name = path.rpartition("/")[2]
    command = next((one for one in COMMANDS if name.endswith(one)), None)
    if command is not None:
        return f"{run}_{command}"
    dot = name.rfind(".")
    return f"{run}{name[dot:]}" if dot > 0 else run


def run_name(target: Target) -> str:
    """Return the name of the run of an entity below one."""
    return next(one.name for one in target.entity.chain() if one.type == "run")


def spacing_of(target: Target) -> float:
    """Return the voxel spacing, in angstrom, of an entity below one."""
    return float(next(one.name for one in target.entity.chain() if one.type == "voxel_spacing"))


_RANK: Mapping[Recipe, int] = {"mask": 1, "document": 2}
"""Masks may need the size of a volume, documents anything."""

_ONE_FILE: Mapping[str, tuple[Recipe, str]] = {
    "collection_metadata": ("mdoc", ".mdoc"),
    "rawtilt": ("rawtilt", ".rawtlt"),
    "ctf": ("ctf", "_ctf.txt"),
}

_MAKERS = {
    "deposition_keyphoto": _Maker.photo,
    "dataset_keyphoto": _Maker.photo,
    "frame": _Maker.frames,
    "gain": _Maker.gain,
    "collection_metadata": _Maker.one_file,
    "rawtilt": _Maker.one_file,
    "ctf": _Maker.one_file,
    "tiltseries": _Maker.volume,
    "tomogram": _Maker.volume,
    "alignment": _Maker.alignment,
    "identified_object": _Maker.objects,
    "annotation": _Maker.annotation,
}
