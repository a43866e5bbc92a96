"""The published curl examples, as they are written, against a server."""

import shlex
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import Service
from tests.api.tiffs import write_stack

EXAMPLES = r"""
# Upload file
curl -X POST http://localhost:8000/api/images/upload \
  -F "file=@sample.tif"

# Get metadata
curl http://localhost:8000/api/images/{id}/metadata

# Get thumbnail
curl http://localhost:8000/api/images/{id}/thumbnail?width=512&height=512 \
  -o thumbnail.png

# Get MIP
curl http://localhost:8000/api/images/{id}/mip?axis=0 \
  -o mip.png

# Get specific slice
curl http://localhost:8000/api/images/{id}/slice/25 \
  -o slice_25.png

# Check which formats are available
curl http://localhost:8000/api/images/formats/supported
"""

ROUTES = """
GET /api/images/?skip=0&limit=100
GET /api/images/{id}
GET /api/images/{id}/metadata
GET /api/images/{id}/thumbnail?width=512&height=512&z_slice=25
GET /api/images/{id}/thumbnail?width=512&height=512
GET /api/images/{id}/mip?width=512&height=512&axis=0
GET /api/images/{id}/mip?width=512&height=512&axis=1
GET /api/images/{id}/mip?width=512&height=512&axis=2
GET /api/images/{id}/slice/25?width=1024&height=1024&channel=0
GET /api/images/{id}/download
GET /api/images/formats/supported
DELETE /api/images/{id}
"""


@pytest.fixture
def stored(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Upload an image of thirty slices and return its id."""
    import numpy as np
    import tifffile

    monkeypatch.chdir(tmp_path)
    write_stack(tmp_path / "sample.tif")
    pixels = np.random.default_rng(0).integers(0, 4000, (30, 3, 20, 24)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "deep.ome.tif", pixels, ome=True, metadata={"axes": "ZCYX"})
    found: str = service.upload(tmp_path / "deep.ome.tif").json()["id"]
    return found


def curl(service: Service, words: list[str], image_id: str) -> httpx.Response:
    """Do what curl does with these arguments."""
    method, address, fields, output = "GET", "", {}, None
    rest = iter(words)
    for word in rest:
        match word:
            case "-X":
                method = next(rest)
            case "-F":
                name, _, path = next(rest).partition("=@")
                fields[name] = (path, Path(path).read_bytes())
            case "-o":
                output = Path(next(rest))
            case _:
                address = word.replace("http://localhost:8000", service.address).replace("{id}", image_id)
    answer = service.client.request(method, address, files=fields or None)
    if output is not None:
        output.write_bytes(answer.content)
    return answer


def test_the_curl_examples(service: Service, stored: str) -> None:
    commands = [shlex.split(line) for line in EXAMPLES.replace("\\\n", " ").splitlines() if line.startswith("curl")]
    answers = [curl(service, command[1:], stored) for command in commands]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200, 200, 200]
    assert answers[0].json()["image_stack"]["filename"] == "sample.tif"
    for name in ("thumbnail.png", "mip.png", "slice_25.png"):
        assert Path(name).read_bytes().startswith(b"\x89PNG")


def test_the_routes(service: Service, stored: str) -> None:
    for line in ROUTES.strip().splitlines():
        method, path = line.split()
        answer = service.client.request(method, path.replace("{id}", stored))
        assert answer.status_code == 200, line
        if "/metadata" not in path and path.count("/") > 4 and "formats" not in path and "download" not in path:
            assert answer.headers["content-type"] == "image/png", line
    assert service.client.get(f"/api/images/{stored}").status_code == 404


def test_the_integration_test(service: Service, stored: str) -> None:
    with Path("sample.tif").open("rb") as test_tiff_file:
        response = service.client.post("/api/images/upload", files={"file": test_tiff_file})
    assert response.status_code == 201
    image_id = response.json()["id"]
    assert image_id != stored
    response = service.client.get(f"/api/images/{image_id}/thumbnail")
    assert response.status_code == 200
    assert response.headers["content-type"] == "image/png"
