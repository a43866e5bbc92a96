"""What an ingest wrote, as the catalog is told of it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from coverslip.ingest.deposition.noted import Noted
from coverslip.ingest.deposition.steps import Step, Target
from coverslip.model.entities import EntityFile, EntitySeen

DOCUMENT = "document"
"""The fact of a document step that has the whole document."""

IMAGES = ("tiltseries", "tomogram")


def entities_seen(targets: Iterable[Target], steps: Sequence[Step], done: Mapping[str, Noted]) -> list[EntitySeen]:
    """Return the entities that this ingest writes, in the order given.

    Parameters
    ----------
    targets
        Entities, parents before children.
    steps
        Their steps that are done.
    done
        What is noted of these steps, by name.
    """
    by_target: dict[str, list[Step]] = {}
    for step in steps:
        by_target.setdefault(step.target, []).append(step)
    return [_seen(target, by_target.get(target.identity, []), done) for target in targets if target.is_written]


def _seen(target: Target, steps: Sequence[Step], done: Mapping[str, Noted]) -> EntitySeen:
    document: dict[str, Any] = {}
    files = []
    for step in steps:
        noted = done[step.name]
        if step.recipe == "document":
            document = dict(noted.facts[DOCUMENT])
            continue
        shape = str(step.options.get("shape") or "")
        files += [EntityFile(key, key.rsplit(".", 1)[-1], shape, noted.outputs[key]) for key in step.outputs]
    entity = target.entity
    return EntitySeen(
        type=entity.type,
        identity=target.identity,
        parent=target.parent,
        name=entity.name,
        deposition=target.deposition,
        number=target.number,
        key=target.document or target.folder,
        document=document,
        files=tuple(files),
        alignment=target.alignment,
        image_key=_image_key(files) if entity.type in IMAGES else "",
    )


def _image_key(files: Sequence[EntityFile]) -> str:
    """Return the file that people see: the pyramid, where there is one."""
    for wanted in ("zarr", "mrc"):
        for file in files:
            if file.format == wanted:
                return file.key
    return ""
