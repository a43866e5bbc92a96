from typing import Any

import pytest

from tests.api.conftest import Service
from tests.conftest import ROOT

METHODS = {"get", "post", "delete", "put", "patch"}


@pytest.fixture
def schema(library: Service) -> dict[str, Any]:
    found: dict[str, Any] = library.client.get("/api/openapi.json").json()
    return found


def references(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for value in node.values() for found in references(value)]
    return [found for value in node for found in references(value)] if isinstance(node, list) else []


def test_the_schema_holds_together(schema: dict[str, Any]) -> None:
    assert schema["openapi"].startswith("3.1")
    for reference in references(schema):
        node: Any = schema
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
        assert node
    operations = [entry for path in schema["paths"].values() for method, entry in path.items() if method in METHODS]
    identifiers = [entry["operationId"] for entry in operations]
    assert len(identifiers) == len(set(identifiers)) >= 18
    for entry in operations:
        assert entry["summary"]
        for parameter in entry.get("parameters", []):
            assert parameter["in"] in {"query", "path", "header"}


def test_errors_are_declared_as_the_one_document(schema: dict[str, Any]) -> None:
    for address, path in schema["paths"].items():
        for entry in path.values():
            for status, answer in entry["responses"].items():
                if status == "default" or (status.startswith("4") and status != "416"):
                    assert list(answer["content"]) == ["application/problem+json"], (address, status)


def test_every_route_is_documented(schema: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    wanted = [f"`{method.upper()} {path}`" for path, entry in schema["paths"].items() for method in entry]
    assert [route for route in wanted if route not in page] == []


def test_every_parameter_and_key_is_documented(schema: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    parameters = {
        parameter["name"]
        for path in schema["paths"].values()
        for entry in path.values()
        for parameter in entry.get("parameters", [])
    }
    keys = {
        key
        for name in (
            "ImageStack",
            "Summary",
            "Thumbnail",
            "ImageList",
            "Uploaded",
            "Deleted",
            "Health",
            "FormatSupport",
        )
        for key in schema["components"]["schemas"][name]["properties"]
    }
    assert [name for name in sorted(parameters | keys) if f"`{name}`" not in page and f'"{name}"' not in page] == []


def test_every_kind_of_problem_is_documented() -> None:
    from coverslip.api import downloads, errors, guard

    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    answers = [
        *errors.ANSWERS.values(),
        *errors.FRAMEWORK.values(),
        errors.INVALID,
        errors.UNEXPECTED,
        errors.UNDRAWABLE,
    ]
    answers += [downloads.BAD_RANGE, guard.FOREIGN_HOST, guard.FOREIGN_ORIGIN]
    assert [entry.type for entry in answers if f"| {entry.status} | `{entry.type}` |" not in page] == []
