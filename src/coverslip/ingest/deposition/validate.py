"""A document compared with the models: every difference as a sentence of ours."""

from types import NoneType, UnionType
from typing import Annotated, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from coverslip.ingest.deposition.document import Document
from coverslip.ingest.deposition.problems import Remark, described, did_you_mean, shortened
from coverslip.ingest.deposition.schema import Config


def validate(document: Document) -> tuple[Config | None, list[Remark]]:
    """Return the config in a document, or ``None``, and everything in which it differs from the models."""
    if document.root is None:
        return None, []
    try:
        return Config.model_validate(document.root.plain()), []
    except ValidationError as error:
        found = error.errors(include_url=False)
        return None, [_remark(details) for details in found if not _is_echo(details)]


def _is_echo(details: ErrorDetails) -> bool:
    """Return whether a list only counts as too short because its entries, each reported itself, are wrong."""
    entries = details["input"]
    return details["type"] == "too_short" and isinstance(entries, tuple) and len(entries) > 0


def _remark(details: ErrorDetails) -> Remark:
    steps, kind = tuple(details["loc"]), details["type"]
    context = details.get("ctx", {})
    if kind == "extra_forbidden":
        known = _keys(steps[:-1])
        key = shortened(str(steps[-1]))
        return Remark("error", steps, f"The key {key!r} is not known here.", did_you_mean(key, known) or _all(known))
    sentence = {
        "coverslip": str(context.get("sentence", "")),
        "missing": _missing(steps),
        "too_short": f"There must be at least {_count(context.get('min_length'))} here.",
        "too_long": f"There must be {_count(context.get('max_length'))} here, found {context.get('actual_length')}.",
        "tuple_type": f"Expected a list, found {described(details['input'])}.",
        "model_type": f"Expected a mapping, found {described(details['input'])}.",
    }.get(kind, f"{details['msg']}.")
    return Remark("error", steps, sentence)


def _missing(steps: tuple[str | int, ...]) -> str:
    name = steps[-1] if steps else ""
    return f"The value number {name + 1} is missing." if isinstance(name, int) else f"The key {name!r} is missing."


def _count(number: object) -> str:
    return "1 entry" if number == 1 else f"{number} entries"


def _all(known: tuple[str, ...]) -> str:
    return f"Known are {', '.join(known)}." if 0 < len(known) <= 6 else ""


def _keys(steps: tuple[str | int, ...]) -> tuple[str, ...]:
    """Return the keys that the model at a path knows."""
    model: object = Config
    for step in steps:
        if isinstance(step, int):
            model = next(iter(get_args(model)), None)
        elif isinstance(model, type) and issubclass(model, BaseModel) and step in model.model_fields:
            model = model.model_fields[step].annotation
        model = _bare(model)
    is_model = isinstance(model, type) and issubclass(model, BaseModel)
    return tuple(model.model_fields) if is_model else ()  # type: ignore[attr-defined]


def _bare(annotation: object) -> object:
    """Return an annotation without ``Annotated`` and ``None``."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in (Union, UnionType):
            annotation = next(one for one in get_args(annotation) if one is not NoneType)
        else:
            return annotation
