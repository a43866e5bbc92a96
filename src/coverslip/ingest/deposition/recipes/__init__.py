"""How each recipe of a step is carried out.

A version counts up whenever the same inputs would give another result: everything made by an older one is made again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from coverslip.ingest.deposition import steps
from coverslip.ingest.deposition.recipes import annotations, documents, files, sections, volumes
from coverslip.ingest.deposition.recipes.work import Facts, Work


@dataclass(frozen=True, slots=True)
class Recipe:
    """One recipe.

    Parameters
    ----------
    version
        Of what it makes.
    do
        Writes the outputs of a step and returns its facts.
    depends
        Gives, of a step and the facts of those before it, what the result depends on beside the inputs; options and
        facts themselves where there is none.
    """

    version: int
    do: Callable[[Work], dict[str, Any]]
    depends: Callable[[steps.Step, Mapping[str, Facts]], object] | None = None


RECIPES: Mapping[steps.Recipe, Recipe] = {
    "copy": Recipe(1, files.copy),
    "volume": Recipe(1, volumes.volume),
    "mask": Recipe(1, volumes.mask),
    "gain": Recipe(1, volumes.gain),
    "points": Recipe(1, annotations.points),
    "mesh": Recipe(1, annotations.mesh),
    "oriented_mesh": Recipe(1, annotations.oriented_mesh),
    "caption": Recipe(1, annotations.caption),
    "mdoc": Recipe(1, sections.mdoc),
    "rawtilt": Recipe(1, sections.rawtilt),
    "ctf": Recipe(1, sections.ctf),
    "alignment": Recipe(1, sections.alignment),
    "identified_objects": Recipe(1, files.identified_objects),
    "document": Recipe(1, documents.document, documents.built),
}
