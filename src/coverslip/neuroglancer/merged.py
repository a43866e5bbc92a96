"""What somebody changed in a viewer, laid over what is there now. Pure: two states -> one.

Neuroglancer leaves out of a state whatever has its default value, so what a whole saved state does not say is a choice
too, and is not filled in from the present state.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from coverslip.errors import InvalidRequestError
from coverslip.neuroglancer.addresses import path_of, sources_of

MOST_BYTES = 4 << 20
"""Longest state that is kept, as JSON."""
MOST_LAYERS = 10_000
DEEPEST = 40
"""Levels of lists and objects in a state."""
OURS = ("type", "name", "source")
"""What of a layer always is as it is now."""
FACTS = ("deposition_id",)
"""What of a state always is as it is now."""
DRAWN = re.compile(r"[0-9a-f]{40}")
"""The identifiers that Neuroglancer gives to what somebody draws; ours are others."""

type State = Mapping[str, Any]


def with_edits(current: State, saved: State) -> dict[str, Any]:
    """Return the present state as somebody left it.

    Place, zoom, panels and so on are those of the saved state. A layer that both have, by its name or else by what it
    is read from, looks as it was left and shows what is there now. A layer that only the present state has is as it is
    there, after the others. Of layers that only the saved state has, those that are not ours stay: drawn in the viewer,
    or read from elsewhere, or read from what another layer here is read from. The others are gone.

    Parameters
    ----------
    current
        The state of the image now, with ``sources.ORIGIN`` for our server.
    saved
        What was kept, likewise; empty for no edits. Without layers only what it says replaces what is there.
    """
    if not isinstance(saved.get("layers"), list):
        return {**current, **{name: value for name, value in saved.items() if name != "layers"}}
    present = [dict(one) for one in current["layers"]]
    kept = [one for one in saved["layers"] if isinstance(one, Mapping) and isinstance(one.get("name"), str)]
    partners = _partners(present, kept)
    layers: list[dict[str, Any]] = []
    for number, layer in enumerate(kept):
        partner = partners.get(number)
        if partner is not None:
            layers.append(_merged(present[partner], layer))
        elif _stays(layer, present):
            layers.append(dict(layer))
    taken = set(partners.values())
    layers += [layer for number, layer in enumerate(present) if number not in taken]
    state = {name: value for name, value in saved.items() if name != "layers"}
    if "dimensions" not in saved:
        state = {**current, **state}
    state |= {name: current[name] for name in FACTS if name in current}
    return _selected({**state, "layers": layers}, current)


def parse_document(data: bytes) -> dict[str, Any]:
    """Return what somebody sent: an object of values that databases and browsers can take.

    Parameters
    ----------
    data
        JSON.

    Raises
    ------
    InvalidRequestError
        It is no such thing.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError(f"this is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidRequestError("a JSON object was expected")
    _check_values(document, DEEPEST)
    return document


def check_state(state: State) -> None:
    """Fail unless something may be a viewer's state.

    Raises
    ------
    InvalidRequestError
        It is none.
    """
    layers = state.get("layers", [])
    if not isinstance(layers, list) or len(layers) > MOST_LAYERS:
        raise InvalidRequestError(f"the layers of a state are a list of {MOST_LAYERS:,} at most")
    for number, layer in enumerate(layers):
        if not isinstance(layer, dict) or not isinstance(layer.get("name"), str) or not layer["name"]:
            raise InvalidRequestError(f"layers.{number}: a layer is an object with a name")


def _check_values(value: Any, levels: int) -> None:
    """Fail where databases or browsers could not take a value."""
    if levels < 0:
        raise InvalidRequestError(f"there are {DEEPEST} levels at most")
    if isinstance(value, dict):
        for name, one in value.items():
            _check_values(name, levels)
            _check_values(one, levels - 1)
    elif isinstance(value, list):
        for one in value:
            _check_values(one, levels - 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise InvalidRequestError("it holds a number that is not finite")
    elif isinstance(value, str) and ("\0" in value or not _is_text(value)):
        raise InvalidRequestError("it holds a text that is none")


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _partners(present: list[dict[str, Any]], kept: list[State]) -> dict[int, int]:
    """Return which present layer each kept one is: by name, then by source where it was given another name."""
    names = {layer["name"]: number for number, layer in enumerate(present)}
    found: dict[int, int] = {}
    for number, layer in enumerate(kept):
        same = names.get(layer["name"])
        if same is not None and same not in found.values() and present[same]["type"] == layer.get("type"):
            found[number] = same
    for number, layer in enumerate(kept):
        paths = _paths(layer)
        if number in found or not paths:
            continue
        for other, one in enumerate(present):
            # channels of an image are read from one source: which of them it was, only the name says
            alone = sum(_paths(layer_) == paths for layer_ in present) == 1
            if alone and other not in found.values() and _paths(one) == paths and one["type"] == layer.get("type"):
                found[number] = other
                break
    return found


def _merged(current: dict[str, Any], saved: State) -> dict[str, Any]:
    layer = {**saved, **{name: current[name] for name in OURS if name in current}, "name": saved["name"]}
    if "annotations" in current:
        before = saved.get("annotations")
        drawn = [one for one in before if _is_drawn(one)] if isinstance(before, list) else []
        layer["annotations"] = [*current["annotations"], *drawn]
    else:
        layer.pop("annotations", None)
    return layer


def _is_drawn(annotation: Any) -> bool:
    return isinstance(annotation, dict) and DRAWN.fullmatch(str(annotation.get("id"))) is not None


def _stays(layer: State, present: list[dict[str, Any]]) -> bool:
    known = {path for one in present for path in _paths(one)}
    return all(path in known for path in _paths(layer))


def _paths(layer: State) -> tuple[str, ...]:
    """Return the paths on our own server that a layer is read from."""
    return tuple(path for url in sources_of(layer) if (path := path_of(url)) is not None)


def _selected(state: dict[str, Any], current: State) -> dict[str, Any]:
    selected = state.get("selectedLayer")
    names = {layer["name"] for layer in state["layers"]}
    if isinstance(selected, dict) and selected.get("layer", "") not in {*names, ""}:
        state["selectedLayer"] = {**selected, "layer": current["selectedLayer"].get("layer", "")}
    return state
