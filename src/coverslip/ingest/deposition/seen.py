"""What an ingest wrote, as the catalog is told of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from coverslip.ingest.deposition.expand import CONTAINERS
from coverslip.ingest.deposition.noted import Noted
from coverslip.ingest.deposition.recipes.annotations import MESH, VERSION
from coverslip.ingest.deposition.steps import Step, Target
from coverslip.model.entities import EntityFile, EntitySeen

DOCUMENT = "document"
"""The fact of a document step that has the whole document."""

IMAGES = ("tiltseries", "tomogram")


def entities_seen(
    targets: Iterable[Target],
    steps: Iterable[Step],
    done: Mapping[str, Noted],
    earlier: Iterable[Noted] = (),
    outside: Iterable[Target] = (),
) -> tuple[list[EntitySeen], list[EntitySeen]]:
    """Return the entities that this ingest writes, and what contains some and is not written; each in the order given.

    Parameters
    ----------
    targets
        Entities, parents before children.
    steps
        Their steps.
    done
        What is noted of these steps, by name.
    earlier
        What earlier ingests noted of steps that the config still asks for and that are not done now.
    outside
        What contains all of them, parents before children. Somebody else may write it, and may not have done so yet.
    """
    own: dict[str, list[Noted]] = {}
    for step in steps:
        own.setdefault(step.target, []).append(done[step.name])
    for noted in earlier:
        own.setdefault(_identity(noted), []).append(noted)
    seen, above = [], [_seen(target, [], None) for target in outside]
    for target in targets:
        if target.is_written:
            mine = own.get(target.identity, [])
            files = [noted for noted in mine if not _is_document(noted)]
            seen.append(_seen(target, files, next((noted for noted in mine if _is_document(noted)), None)))
        elif target.entity.type in CONTAINERS:
            above.append(_seen(target, [], None))
    return seen, above


def _identity(noted: Noted) -> str:
    return noted.name.rpartition("#")[0]


def _is_document(noted: Noted) -> bool:
    return noted.name.endswith("#document")


def _seen(target: Target, steps: Sequence[Noted], document: Noted | None) -> EntitySeen:
    found = (
        EntityFile(key, key.rsplit(".", 1)[-1], noted.shape, version)
        for noted in steps
        for key, version in noted.outputs.items()
    )
    files = sorted([*found, *_meshes(steps)], key=lambda file: file.key)
    entity = target.entity
    return EntitySeen(
        type=entity.type,
        identity=target.identity,
        parent=target.parent,
        name=entity.name,
        deposition=target.deposition,
        number=target.number,
        key=target.document or target.folder,
        document=dict(document.facts[DOCUMENT]) if document else {},
        files=tuple(files),
        alignment=target.alignment,
        image_key=_image_key(files) if entity.type in IMAGES else "",
    )


def _meshes(steps: Sequence[Noted]) -> Iterator[EntityFile]:
    """Yield the meshes of oriented points, which stay where they are: their keys are paths or addresses."""
    for noted in steps:
        if (place := noted.facts.get(MESH)) and noted.shape:
            version = str(noted.facts.get(VERSION, ""))
            yield EntityFile(str(place), str(place).rpartition(".")[2].lower(), noted.shape, version)


def _image_key(files: Sequence[EntityFile]) -> str:
    """Return the file that people see: the pyramid, where there is one."""
    for wanted in ("zarr", "mrc"):
        for file in files:
            if file.format == wanted:
                return file.key
    return ""
