"""The addresses in a viewer state: which lie on our own server, and how these are written for any server."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from coverslip.errors import InvalidRequestError
from coverslip.neuroglancer.sources import ORIGIN

_SERVER = re.compile(r"https?://[A-Za-z0-9._~:\[\]-]+(/[A-Za-z0-9._~%/-]*)?")
_OWN = re.compile(r"((?:[a-z0-9]+://)?)" + re.escape(ORIGIN) + r"(?=/)")
"""An own address, with the format before it (``zarr3://coverslip:///...``) or behind it (``coverslip:///...|zarr3:``)."""

_ENTITY = re.compile(r"(/api/entities/)([0-9]{1,18})(?=/)")


def check_origin(origin: str) -> str:
    """Return the address of a server without a slash at its end.

    Raises
    ------
    InvalidRequestError
        It is no such address.
    """
    if _SERVER.fullmatch(origin) is None:
        raise InvalidRequestError(f"{origin!r} is no address of a server, such as https://images.example.org")
    return origin.rstrip("/")


def place(state: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Return a state whose own sources have the address of a server.

    Parameters
    ----------
    state
        With ``sources.ORIGIN`` for the server.
    origin
        Scheme, host and port, and a path where the server is below one; no slash at the end.
    """
    return _changed(state, lambda url: _OWN.sub(lambda found: found[1] + origin, url, count=1))


def displace(state: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Return a state whose sources on the server at ``origin`` are own ones: it may be shown by any server."""
    there = re.compile(r"((?:[a-z0-9]+://)?)" + re.escape(origin.rstrip("/")) + r"(?=/)")

    def displaced(url: str) -> str:
        found = there.match(url)
        return url if found is None else f"{found[1]}{ORIGIN}{url[found.end() :]}"

    return _changed(state, displaced)


def entities_of(state: Mapping[str, Any]) -> set[int]:
    """Return the public numbers of the records that the layers of a state are read from on our own server."""
    layers = state.get("layers")
    urls = (
        [url for layer in layers if isinstance(layer, Mapping) for url in sources_of(layer)]
        if isinstance(layers, list)
        else []
    )
    return {int(found[2]) for url in urls if _OWN.match(url) and (found := _ENTITY.search(url))}


def renumbered(state: Mapping[str, Any], numbers: Mapping[int, int]) -> dict[str, Any]:
    """Return a state that reads other records: each number is replaced by the one that it leads to."""

    def changed(url: str) -> str:
        if _OWN.match(url) is None:
            return url
        return _ENTITY.sub(lambda found: f"{found[1]}{numbers.get(int(found[2]), int(found[2]))}", url, count=1)

    return _changed(state, changed)


def sources_of(layer: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the addresses that a layer is read from."""
    return tuple(_urls(layer.get("source")))


def path_of(url: str) -> str | None:
    """Return the path on our own server that an address leads to, ``None`` where it leads elsewhere."""
    found = _OWN.match(url)
    return None if found is None else url[found.end() :].partition("|")[0].rstrip("/")


def _urls(source: Any) -> Iterator[str]:
    if isinstance(source, str):
        yield source
    elif isinstance(source, Mapping):
        yield from _urls(source.get("url"))
    elif isinstance(source, list):
        for one in source:
            yield from _urls(one)


def _changed(state: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    layers = state.get("layers")
    if not isinstance(layers, list):
        return dict(state)
    return {**state, "layers": [_with_source(one, change) if isinstance(one, Mapping) else one for one in layers]}


def _with_source(layer: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    return {**layer, "source": _source(layer["source"], change)} if "source" in layer else dict(layer)


def _source(source: Any, change: Callable[[str], str]) -> Any:
    if isinstance(source, str):
        return change(source)
    if isinstance(source, Mapping):
        return {**source, "url": _source(source["url"], change)} if "url" in source else dict(source)
    if isinstance(source, list):
        return [_source(one, change) for one in source]
    return source
