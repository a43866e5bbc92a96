"""The storage answers with errors for a while: nothing is taken for absent, and then all becomes fresh by itself."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from examples import annotator
from tests.api.checks import check_problem
from tests.api.conftest import Service, running
from tests.flows.film import Film, add_film, all_fresh, check_end, make_film, until
from tests.services.commands import server
from tests.services.proxy import Proxy, proxy_to
from tests.services.s3 import serve_s3

pytestmark = pytest.mark.service

SETTINGS = {"lease_seconds": 2, "opportunistic_pause_seconds": 2}


@pytest.fixture
def film() -> Film:
    return make_film()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy in front of a bucket, through which everybody here goes."""
    with serve_s3() as found:
        found.make_bucket("coverslip")
        parts = urlsplit(found.url)
        with proxy_to(str(parts.hostname), int(parts.port or 0)) as proxy:
            for name, value in {**found.environment, "AWS_ENDPOINT_URL": proxy.url}.items():
                monkeypatch.setenv(name, value)
            yield proxy


def builds(service: Service) -> int:
    """Return how many artifacts the server has built."""
    numbers = re.findall(r"^coverslip_builds_total\{.*\} (\S+)$", service.client.get("/metrics").text, re.MULTILINE)
    return sum(int(float(number)) for number in numbers)


def failed(service: Service) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.client.get("/api/artifacts/?state=failed").json()["artifacts"]
    return found


def check_unreadable(answer: httpx.Response, words: str) -> None:
    """Fail unless this says that nobody knows now what is in the storage, and why."""
    check_problem(answer, 503, "storage-unavailable")
    assert answer.headers["retry-after"] == "5"
    assert re.fullmatch(rf"cannot read combined/\S+ {words}", answer.json()["detail"])


def test_a_bucket_that_refuses_and_cuts_connections(tmp_path: Path, film: Film, bucket: Proxy) -> None:
    url = "s3://coverslip/outage"
    with server(tmp_path / "home", storage_url=url, **SETTINGS) as (service, serving):
        image_id = add_film(service, film)
        ids = annotator.work(service.client, image_id, 3, "ada")
        until(lambda: all_fresh(service))
        before = builds(service)
        for status, words in ((503, "503 Service Unavailable"), (500, "500 Internal Server Error"), (403, "403 .*")):
            bucket.say(status)
            answer = service.client.get(f"/api/annotations/{ids[0]}/combined")  # fresh, and never shown yet
            check_unreadable(answer, rf"{url}: the server answered {words}( \(\w+\))?")
        bucket.answer, bucket.cut_after = b"", 0
        answer = service.client.get(f"/api/annotations/{ids[0]}/combined")
        check_unreadable(answer, f"{url}: the server does not answer")
        until(lambda: service.client.get("/api/health").status_code == 503)
        assert service.client.get("/api/health").json()["storage"].endswith("the server does not answer")
        assert all_fresh(service)  # what cannot be read is not taken for absent
        assert builds(service) == before

        moved = service.client.get(f"/api/annotations/{ids[2]}").json()["frames"]
        annotator.save(service.client, ids[2], "ada", frames={**moved, "first": moved["first"] - 1})
        until(lambda: len(failed(service)) == 2, "it and its neighbour do not fail")
        bucket.say(503)
        answer = service.client.get(f"/api/annotations/{ids[2]}/combined")
        check_problem(answer, 503, "not-built-yet")
        assert url in answer.json()["detail"]
        for row in failed(service):
            assert re.fullmatch(rf"cannot look at combined/\S+ {url}: the server .*", row["error"])
            assert row["next_try_at"] is not None

        bucket.answer, bucket.cut_after = b"", None
        assert service.client.get(f"/api/annotations/{ids[0]}/combined").status_code == 200
        assert check_end(service, image_id, film) == 3
        assert service.client.get("/api/health").status_code == 200
        assert "Traceback" not in serving.said


def test_a_folder_that_the_system_refuses_to_look_into(tmp_path: Path, film: Film) -> None:
    home = tmp_path / "home"
    with running(home, build_in_background=True, lease_seconds=2, opportunistic_pause_seconds=2) as service:
        image_id = add_film(service, film)
        ids = annotator.work(service.client, image_id, 3, "ada")
        until(lambda: all_fresh(service))
        artifacts = home / "artifacts"
        artifacts.rename(tmp_path / "elsewhere")
        artifacts.symlink_to(artifacts)  # refused to everybody, root included
        before = builds(service)
        answer = service.client.get(f"/api/annotations/{ids[0]}/combined")
        check_problem(answer, 503, "storage-unavailable")
        assert answer.json()["detail"].startswith(f"cannot read {artifacts}/combined/")
        assert all_fresh(service)
        assert builds(service) == before
        moved = service.client.get(f"/api/annotations/{ids[2]}").json()["frames"]
        annotator.save(service.client, ids[2], "ada", frames={**moved, "first": moved["first"] - 1})
        until(lambda: len(failed(service)) == 2, "it and its neighbour do not fail")
        assert {str(artifacts) in row["error"] for row in failed(service)} == {True}
        artifacts.unlink()
        (tmp_path / "elsewhere").rename(artifacts)
        for row in failed(service):
            assert service.client.post(f"/api/artifacts/{row['id']}/retry").status_code == 200
        assert check_end(service, image_id, film) == 3
        assert service.client.get(f"/api/annotations/{ids[0]}/combined").status_code == 200
