import asyncio
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI

from coverslip import errors
from coverslip.api.errors import ANSWERS, Problem, answer_to, install
from coverslip.errors import CoverslipError

KEYS = set(Problem.model_fields)


def tree(kind: type[CoverslipError] = CoverslipError) -> Iterator[type[CoverslipError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from tree(below)


def ask(error: Exception) -> httpx.Response:
    """Return how an app answers when a route raises this."""
    app = FastAPI()
    install(app)

    @app.get("/")
    def fail() -> None:
        raise error

    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get("/")

    return asyncio.run(get())


@pytest.mark.parametrize(
    "kind", [kind for kind in tree() if kind.__module__ == errors.__name__], ids=lambda k: k.__name__
)
def test_every_error_of_ours_has_its_own_line_in_the_table(kind: type[CoverslipError]) -> None:
    assert kind in ANSWERS


@pytest.mark.parametrize(
    ("error", "status", "type_"),
    [
        (errors.UnsupportedFormatError("a.xyz: no reader"), 400, "unsupported-format"),
        (errors.InvalidRequestError("no file"), 400, "invalid-request"),
        (errors.RegionError("slice 9 does not exist"), 400, "outside-image"),
        (errors.NotFoundError("no image x"), 404, "not-found"),
        (errors.ConflictError("not deleted"), 409, "conflict"),
        (errors.TooLargeError("at most 5"), 413, "too-large"),
        (errors.ReadError("a.tif: truncated"), 422, "unreadable-file"),
        (errors.MissingDependencyError("a.czi: needs czifile", "czifile"), 500, "missing-dependency"),
        (errors.BusyError("all 4 confined processes have been busy"), 503, "busy"),
        (errors.BuildError("not in time"), 503, "not-built-yet"),
        (errors.CatalogError("away"), 503, "catalog-unavailable"),
        (errors.StorageError("away"), 503, "storage-unavailable"),
    ],
)
def test_our_errors(error: CoverslipError, status: int, type_: str) -> None:
    answer = ask(error)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert set(document) == KEYS
    assert document["type"] == type_
    assert document["detail"] == str(error)
    assert ("retry-after" in answer.headers) == (status == 503)


def test_an_unsupported_format_lists_the_supported_ones() -> None:
    listed = ask(errors.UnsupportedFormatError("a.xyz: no reader")).json()["errors"]
    assert any(".tif" in line for line in listed)
    assert any(".czi" in line for line in listed)


def test_a_missing_dependency_names_the_command() -> None:
    assert ask(errors.MissingDependencyError("needs it", "czifile")).json()["errors"] == ["pip install czifile"]


def test_all_problems_at_once() -> None:
    assert ask(errors.InvalidRequestError("wrong", ["a: 1", "b: 2"])).json()["errors"] == ["a: 1", "b: 2"]


def test_a_stranger_below_our_tree_is_answered_like_its_parent() -> None:
    class Special(errors.ReadError):
        pass

    assert answer_to(Special("x")).status == 422


def test_an_unexpected_error_is_a_problem_too_and_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    answer = ask(RuntimeError("secret of the house"))
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text
    number = answer.json()["detail"].split()[-1].rstrip(".")
    assert number in caplog.text


def test_names_that_are_no_text() -> None:
    assert ask(errors.ReadError("caf\udce9.tif: truncated")).json()["detail"] == "caf\ufffd.tif: truncated"
