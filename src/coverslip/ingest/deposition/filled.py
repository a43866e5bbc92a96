"""The metadata of a block, with the names of columns replaced, as JSON has it. Pure."""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

from pydantic import BaseModel

from coverslip.ingest.deposition.expand import Entity
from coverslip.ingest.deposition.finders import FindError, Values
from coverslip.ingest.deposition.problems import Step
from coverslip.ingest.deposition.schema import Config
from coverslip.ingest.deposition.templates import Template

Say = Callable[[tuple[Step, ...], str], None]


def metadata_of(config: Config, entity: Entity, values: Values, say: Say) -> dict[str, Any] | None:
    """Return what the block of an entity says, ``None`` where it says nothing.

    Parameters
    ----------
    values
        What templates are filled with.
    say
        Is told of the place of each template that cannot be filled, and why; its value is ``None`` then.
    """
    if not entity.steps:
        return None
    block = getattr(config, str(entity.steps[0]))[entity.steps[1]]
    metadata = getattr(block, "metadata", None)
    if metadata is None:
        return None
    return dict(_Filling(values, say).of((*entity.steps, "metadata"), metadata))


class _Filling:
    def __init__(self, values: Values, say: Say) -> None:
        self._values = values
        self._say = say

    def of(self, steps: tuple[Step, ...], model: BaseModel) -> Iterator[tuple[str, Any]]:
        """Yield the keys that stand in the config, in the order of the schema."""
        for key in type(model).model_fields:
            if key in model.model_fields_set:
                yield key, self._value((*steps, key), getattr(model, key))

    def _value(self, steps: tuple[Step, ...], value: object) -> Any:
        match value:
            case BaseModel():
                return dict(self.of(steps, value))
            case tuple():
                return [self._value((*steps, index), one) for index, one in enumerate(value)]
            case date():
                return value.isoformat()
            case Template():
                try:
                    return self._values.value(value)
                except FindError as error:
                    self._say(steps, str(error))
                    return None
        return value
