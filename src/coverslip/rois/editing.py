"""Changes of a list of regions: which ones are meant, and what they are afterwards."""

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from pydantic import ValidationError

from coverslip.errors import InvalidRequestError, NotFoundError
from coverslip.model.rois import Roi, RoiShape
from coverslip.rois.tags import parse_tags


def selected(
    rois: Sequence[Roi], words: Sequence[str] = (), tags: str | None = None, fov: str | None = None
) -> list[Roi]:
    """Return the regions that are meant, in their order; all of them where nothing is said.

    Parameters
    ----------
    rois
        All there are.
    words
        Identifiers, or names that one region alone has.
    tags
        Expression over tags; see ``rois.tags``.
    fov
        Exact name of a field of view.

    Raises
    ------
    NotFoundError
        There is no region of a word.
    InvalidRequestError
        A name is that of several regions, or the expression makes no sense.
    """
    ids = {roi.roi_id for roi in rois}
    wanted = set()
    for word in words:
        found = [word] if word in ids else [roi.roi_id for roi in rois if roi.name == word]
        if not found:
            raise NotFoundError(f"there is no region {word!r}")
        if len(found) > 1:
            raise InvalidRequestError(f"{len(found)} regions are called {word!r}: say which by identifier")
        wanted.add(found[0])
    matches = None if tags is None else parse_tags(tags)
    return [
        roi
        for roi in rois
        if (not words or roi.roi_id in wanted)
        and (matches is None or matches.matches(roi.tags))
        and (fov is None or roi.fov == fov)
    ]


def changed(roi: Roi, update: dict[str, Any], add_tags: Iterable[str] = (), drop_tags: Collection[str] = ()) -> Roi:
    """Return a region with other values.

    Parameters
    ----------
    roi
        As it was.
    update
        Fields of ``Roi``, as ``place_of`` gives them for its place.
    add_tags, drop_tags
        Tags that it gets, and those that it has no more.

    Raises
    ------
    InvalidRequestError
        A value makes no sense.
    """
    tags = [*(tag for tag in roi.tags if tag not in drop_tags), *add_tags]
    values = {name: getattr(roi, name) for name in Roi.model_fields} | update | {"tags": tuple(dict.fromkeys(tags))}
    try:
        return Roi.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidRequestError(f"region {roi.name or roi.roi_id!r}: {first['loc'][0]}: {first['msg']}") from error


def place_of(rectangle: str | None = None, polygon: str | None = None, line: str | None = None) -> dict[str, Any]:
    """Return the fields of ``Roi`` that say where a region is; none where nothing is given.

    Parameters
    ----------
    rectangle
        ``"x_min,y_min,x_max,y_max"`` in pixels.
    polygon, line
        Points, x before y: ``"1,2 30,4 10,40"``.

    Raises
    ------
    InvalidRequestError
        It is no such text, or more than one is given.
    """
    given = [one for one in (rectangle, polygon, line) if one is not None]
    if not given:
        return {}
    if len(given) > 1:
        raise InvalidRequestError("a region is a rectangle, a polygon or a line, one of them")
    try:
        numbers = [float(part) for part in re.split(r"[\s,;]+", given[0].strip())]
        if rectangle is not None:
            x0, y0, x1, y1 = numbers
            if x1 <= x0 or y1 <= y0:
                raise ValueError("it has no area: expected x_min,y_min,x_max,y_max")
            shape, edges = None, (x0, y0, x1, y1)
        else:
            points = tuple(zip(numbers[::2], numbers[1::2], strict=True))
            shape = RoiShape(type="polygon" if polygon is not None else "polyline", points=points)
            edges = shape.around()
    except ValidationError as error:
        raise InvalidRequestError(f"{given[0]!r} is no region: {error.errors()[0]['msg']}") from error
    except ValueError as error:
        raise InvalidRequestError(f"{given[0]!r} is no region: {error}") from error
    names = ("x_min", "y_min", "x_max", "y_max")
    return {**dict(zip(names, edges, strict=True)), "shape": shape, "roi_kind": "line" if line is not None else ""}
