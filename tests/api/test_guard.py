import asyncio

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import HTMLResponse, JSONResponse, Response

from coverslip.api.guard import DATA_POLICY, PAGE_POLICY, Guard, is_loopback


def ask(bound: str, method: str = "GET", path: str = "/data", **headers: str) -> httpx.Response:
    """Send one request to a guarded app that listens on this host."""
    app = FastAPI()
    app.add_middleware(Guard, host=bound)

    @app.api_route("/data", methods=["GET", "POST", "DELETE"])
    def data() -> Response:
        return JSONResponse({"secret": 1})

    @app.get("/page")
    def page() -> Response:
        return HTMLResponse("<p>page")

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(send())


@pytest.mark.parametrize(
    "name",
    ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:80", "127.8.8.8", "[::1]", "[::1]:8000", "localhost:1"],
)
def test_names_of_this_machine(name: str) -> None:
    assert ask("127.0.0.1", host=name).status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "192.168.1.4",
        "",
        "[::1",
        "[",
        "127.0.0.1.nip.io",
        "a@b",
    ],
)
@pytest.mark.parametrize("bound", ["127.0.0.1", "localhost", "::1"])
def test_other_names_are_refused_on_loopback(name: str, bound: str) -> None:
    answer = ask(bound, host=name)
    assert answer.status_code == 403
    assert answer.json()["type"] == "foreign-host"
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("bound", ["0.0.0.0", "::", "192.168.1.4", "lab.example"])
def test_a_server_on_the_network_answers_to_any_name(bound: str) -> None:
    assert ask(bound, host="lab.example:8000").status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:9999", "http://[", "localhost:8000"]
)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_other_sites_change_nothing(origin: str, method: str) -> None:
    answer = ask("127.0.0.1", method, origin=origin)
    assert answer.status_code == 403
    assert answer.json()["type"] == "foreign-origin"


@pytest.mark.parametrize("origin", ["http://localhost:8000", "https://LOCALHOST:8000"])
def test_the_own_page_may(origin: str) -> None:
    assert ask("127.0.0.1", "POST", origin=origin).status_code == 200


def test_scripts_may_and_reading_is_no_change() -> None:
    assert ask("127.0.0.1", "POST").status_code == 200
    assert ask("127.0.0.1", "GET", origin="http://evil.example").status_code == 200


def test_safety_headers() -> None:
    data, page = ask("127.0.0.1"), ask("127.0.0.1", path="/page")
    for answer in (data, page):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in answer.headers
    assert data.headers["content-security-policy"] == DATA_POLICY
    assert page.headers["content-security-policy"] == PAGE_POLICY


@pytest.mark.parametrize(("name", "own"), [("::1", True), ("127.0.0.1", True), ("0.0.0.0", False), ("host", False)])
def test_loopback(name: str, own: bool) -> None:
    assert is_loopback(name) is own
