from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from coverslip.api import create_app
from coverslip.settings import Settings
from tests.api.checks import check_problem
from tests.api.conftest import serving


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("page")
    page = folder / "web_dist"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text("<!doctype html><title>Coverslip</title>")
    (page / "assets" / "index-1a2b.js").write_text("export {}")
    (page / "assets" / "index-1a2b.css").write_text("p {}")
    (page / "coverslip.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder / "secret.txt").write_text("secret")
    app = create_app(Settings.load(home=folder / "home"), build_in_background=False, page_folder=page)
    with serving(app) as address, httpx.Client(base_url=address) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/images/4f7c", "/images/4f7c/deeper", "/upload?x=1", "/apiary", "/index.html"])
def test_the_page_answers_to_its_own_addresses(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert "<title>Coverslip" in answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert "default-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("path", "media_type", "kept"),
    [
        ("/assets/index-1a2b.js", "text/javascript; charset=utf-8", "immutable"),
        ("/assets/index-1a2b.css", "text/css; charset=utf-8", "immutable"),
        ("/coverslip.svg", "image/svg+xml", "no-cache"),
    ],
)
def test_files_of_the_page(client: httpx.Client, path: str, media_type: str, kept: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media_type
    assert kept in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    [
        "/missing.js",
        "/assets/gone",
        "/assets/",
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/a%00.js",
        "//etc/passwd.txt",
        "/images/x.png",
    ],
)
def test_what_is_no_file_of_the_page(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    check_problem(answer, 404, "not-found")
    assert "secret" not in answer.text.replace("secret.txt", "")


def test_the_page_can_only_be_read(client: httpx.Client) -> None:
    answer = client.post("/images/4f7c")
    check_problem(answer, 405, "method-not-allowed")
    assert client.head("/").status_code == 200


def test_a_page_that_is_not_built(tmp_path: Path) -> None:
    app = create_app(Settings.load(home=tmp_path), build_in_background=False, page_folder=tmp_path / "none")
    with serving(app) as address:
        answer = httpx.get(f"{address}/")
    assert answer.status_code == 503
    assert "python3 dev.py setup" in answer.text
    assert answer.headers["content-type"].startswith("text/html")
