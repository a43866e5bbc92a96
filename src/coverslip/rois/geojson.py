"""GeoJSON as QuPath writes it for annotations (RFC 7946; y points down, and units are pixels).

The outer ring of a polygon is the region; holes are not kept. What QuPath has no place for goes into ``metadata``.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from coverslip.errors import ReadError
from coverslip.model.rois import Roi, RoiShape

log = logging.getLogger(__name__)

MAX_BYTES = 256 << 20
MAX_REGIONS = 200_000
KEPT = ("fov", "map_id", "marker_set", "comment", "annotation_palette", "mask_color_set", "roi_kind")


def write_geojson(rois: Iterable[Roi]) -> str:
    """Return regions as a feature collection; those without any edge are left out."""
    features = [feature for roi in rois if (feature := _feature(roi)) is not None]
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False)


def read_geojson(data: bytes | str, fov: str = "") -> tuple[Roi, ...]:
    """Return the regions of a feature, of a collection or of a list of features; those without geometry have none.

    Parameters
    ----------
    data
        UTF-8.
    fov
        The field of view of regions that do not name theirs.

    Raises
    ------
    ReadError
        It is no GeoJSON, is too large, or a feature is none; the message names its number.
    """
    if len(data) > MAX_BYTES:
        raise ReadError(f"a GeoJSON of regions has at most {MAX_BYTES >> 20} MiB")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ReadError(f"this is no GeoJSON: {error}") from error
    if isinstance(document, dict) and document.get("type") == "FeatureCollection":
        document = document.get("features")
    features = [document] if isinstance(document, dict) else document
    if not isinstance(features, list):
        raise ReadError("this is no GeoJSON: neither a feature nor a collection of them")
    found: list[Roi] = []
    for number, feature in enumerate(features, 1):
        try:
            found += _rois(feature, number, fov)
        except ValidationError as error:
            raise ReadError(f"feature {number}: {error.errors()[0]['msg']}") from error
        except (TypeError, KeyError, AttributeError, IndexError) as error:
            raise ReadError(f"feature {number}: it is no feature of GeoJSON, or has no coordinates") from error
        except ValueError as error:
            raise ReadError(f"feature {number}: {error}") from error
        if len(found) > MAX_REGIONS:
            raise ReadError(f"more than {MAX_REGIONS:,} regions")
    return tuple(found)


def _feature(roi: Roi) -> dict[str, Any] | None:
    if roi.bounds is None:
        return None
    if roi.shape is None:
        left, upper, right, lower = roi.bounds
        ring = [[left, upper], [right, upper], [right, lower], [left, lower], [left, upper]]
        geometry: dict[str, Any] = {"type": "Polygon", "coordinates": [ring]}
    else:
        points = [list(point) for point in roi.shape.points]
        is_closed = roi.shape.closed
        coordinates = [[*points, points[0]]] if is_closed else points
        geometry = {"type": "Polygon" if is_closed else "LineString", "coordinates": coordinates}
    metadata = {name: getattr(roi, name) for name in KEPT if getattr(roi, name)}
    if roi.tags:
        metadata["tags"] = ",".join(roi.tags)
    properties: dict[str, Any] = {"objectType": "annotation", "name": roi.name, "metadata": metadata}
    if roi.tags:
        properties["classification"] = {"name": roi.tags[0]}
    return {"type": "Feature", "id": roi.roi_id, "geometry": geometry, "properties": properties}


def _rois(feature: Any, number: int, fov: str) -> Iterator[Roi]:
    properties = feature.get("properties") or {}
    metadata = properties.get("metadata") or {}
    known = {name: str(metadata[name]) for name in KEPT if metadata.get(name)}
    known.setdefault("fov", "" if known.get("map_id") else fov)
    if feature["geometry"] is None:  # "unlocated", RFC 7946 section 3.2
        log.warning("feature %d of the GeoJSON has no geometry: no region is made of it", number)
        return
    parts = list(_parts(feature["geometry"]))
    identity = str(feature.get("id") or f"feature-{number}")
    for place, (edges, shape) in enumerate(parts, 1):
        left, upper, right, lower = edges
        yield Roi.model_validate(
            {
                "roi_id": identity if len(parts) == 1 else f"{identity}-{place}",
                "name": str(properties.get("name") or ""),
                "tags": _tags(properties, metadata),
                "x_min": left,
                "y_min": upper,
                "x_max": right,
                "y_max": lower,
                "shape": shape,
                **known,
            }
        )


def _tags(properties: Mapping[str, Any], metadata: Mapping[str, Any]) -> tuple[str, ...]:
    if metadata.get("tags"):
        found = str(metadata["tags"]).split(",")
    else:
        kind = properties.get("classification") or {}
        # derived classes are joined by colons in QuPath, and a list in its newer files
        found = [str(name) for name in kind.get("names") or str(kind.get("name") or "").split(": ")]
    return tuple(dict.fromkeys(tag for one in found if (tag := one.replace(",", " ").strip())))


def _parts(geometry: Mapping[str, Any]) -> Iterator[tuple[tuple[float, float, float, float], RoiShape | None]]:
    """Yield edges and shape of every part of a geometry."""
    kind: str = geometry["type"]
    coordinates: Any = geometry.get("coordinates")
    if kind == "GeometryCollection":
        for part in geometry["geometries"]:
            if part["type"] == "GeometryCollection":
                raise ValueError("a collection of geometries in another one")
            yield from _parts(part)
    elif kind in {"Polygon", "MultiPolygon"}:
        for rings in [coordinates] if kind == "Polygon" else coordinates:
            yield _polygon(rings[0])
    elif kind in {"LineString", "MultiLineString"}:
        for line in [coordinates] if kind == "LineString" else coordinates:
            shape = RoiShape(type="polyline", points=tuple((float(p[0]), float(p[1])) for p in line))
            yield shape.around(), shape
    elif kind in {"Point", "MultiPoint"}:
        for point in [coordinates] if kind == "Point" else coordinates:
            x, y = float(point[0]), float(point[1])
            yield RoiShape(type="polyline", points=((x, y), (x, y))).around(), None
    else:
        raise ValueError(f"no region is made of a {kind!r}")


def _polygon(ring: Any) -> tuple[tuple[float, float, float, float], RoiShape | None]:
    points = [(float(point[0]), float(point[1])) for point in ring]
    if len(points) > 1 and points[0] == points[-1]:
        points = points[:-1]
    xs, ys = sorted({x for x, _ in points}), sorted({y for _, y in points})
    if len(points) == 4 and len(xs) == len(ys) == 2 and len(set(points)) == 4:
        return (xs[0], ys[0], xs[1], ys[1]), None
    shape = RoiShape(type="polygon", points=tuple(points))
    return shape.around(), shape
