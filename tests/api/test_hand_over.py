"""Stored files that nginx sends: what it is told, and what it makes of it."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from coverslip.api.hand_over import HandOver
from coverslip.errors import SettingsError
from coverslip.settings import Settings
from tests.api.checks import eventually
from tests.api.test_at_once import chunk, served, stored, warm

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin")

CONFIG = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass {address}; proxy_set_header Host $http_host; }}
    location /stored/ {{
      internal; alias {data}/; disable_symlinks on from={data};
      add_header X-Content-Type-Options $upstream_http_x_content_type_options;
      add_header Cross-Origin-Resource-Policy $upstream_http_cross_origin_resource_policy;
      add_header Access-Control-Allow-Origin $upstream_http_access_control_allow_origin;
    }}
  }}
}}
"""


@contextmanager
def nginx(folder: Path, data: Path, address: str) -> Iterator[str]:
    """Run nginx in front of a server."""
    assert NGINX is not None
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "nginx.conf").write_text(CONFIG.format(folder=folder, data=data, address=address, port=port))
    with subprocess.Popen([NGINX, "-c", str(folder / "nginx.conf"), "-p", str(folder)]) as process:
        try:
            front = f"http://127.0.0.1:{port}"
            assert eventually(lambda: httpx.get(front).status_code > 0)
            yield front
        finally:
            process.terminate()


@pytest.mark.parametrize("way", ["at once", "routes"])
def test_nginx_is_told_which_file(tmp_path: Path, way: str) -> None:
    path, _ = stored(tmp_path / "da ta", "zarr")
    with served(tmp_path / "home", accel_redirect=f" {tmp_path}/da ta=/stored/ ") as server:
        prefix = warm(server, server.added(path), "zarr")
        if way == "routes":
            server.app.state.rooms = replace(server.app.state.rooms, places=None)
        answer = server.ask(prefix + chunk("zarr"), range="bytes=1-2", if_none_match="*")
        assert (answer.status, answer.body) == (200, b"")
        assert answer.headers["x-accel-redirect"] == "/stored/zarr.ome.zarr/0/c/0/0/0/0/0"
        assert answer.headers["content-type"] == "application/octet-stream"
        (path / "0/c/0/0/0/0/7").symlink_to(path / "0/c/0/0/0/0/1")
        absent = [server.ask(prefix + key) for key in (chunk("zarr", "0/0/0/9/9"), "../x/0", "0/c/0/0/0/0/7", "0/c")]
        assert [answer.status for answer in absent] == [404, 404, 500, 404]
        assert not any("x-accel-redirect" in answer.headers for answer in absent)
        assert server.ask(prefix + chunk("zarr"), host="evil.example").status == 403


def test_files_of_other_folders_are_sent_as_ever(tmp_path: Path) -> None:
    path, _ = stored(tmp_path / "data", "zarr")
    with served(tmp_path / "home", accel_redirect=f"{tmp_path}/dat=/stored") as server:
        prefix = warm(server, server.added(path), "zarr")
        for _ in range(2):
            assert server.ask(prefix + chunk("zarr")).body == (path / chunk("zarr")).read_bytes()


def test_the_closest_folder_counts_and_names_are_quoted() -> None:
    hand_over = HandOver({"/data": "/a", "/data/deep": "/b"})
    assert dict(hand_over.headers_for("/data/deep/x?y%/µ", b"") or [])[b"x-accel-redirect"] == b"/b/x%3Fy%25/%C2%B5"
    assert dict(hand_over.headers_for("/data/x", b"") or [])[b"x-accel-redirect"] == b"/a/x"
    assert hand_over.headers_for("/database/x", b"") is None
    assert not HandOver({})


@pytest.mark.parametrize("text", ["/data", "data=/stored", "/data=stored", "/a=/b,/c"])
def test_a_wrong_setting_is_named(text: str) -> None:
    with pytest.raises(SettingsError, match=r"accel_redirect.*expected /folder=/location"):
        Settings.load(accel_redirect=text)


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
def test_nginx_sends_the_very_bytes(tmp_path: Path) -> None:
    data = tmp_path / "data"
    path, _ = stored(data, "zarr")
    with (
        served(tmp_path / "home", accel_redirect=f"{data}=/stored") as server,
        nginx(tmp_path / "nginx", data, server.address) as front,
    ):
        prefix = front + warm(server, server.added(path), "zarr")
        expected = (path / chunk("zarr")).read_bytes()
        whole = httpx.get(prefix + chunk("zarr"), headers={"origin": "https://viewer.example"})
        assert (whole.status_code, whole.content) == (200, expected)
        assert whole.headers["content-type"] == "application/octet-stream"
        assert whole.headers["x-content-type-options"] == "nosniff"
        assert whole.headers["access-control-allow-origin"] == "https://viewer.example"
        part = httpx.get(prefix + chunk("zarr"), headers={"range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, expected[10:20])
        assert httpx.get(prefix + chunk("zarr"), headers={"if-none-match": whole.headers["etag"]}).status_code == 304
        assert httpx.get(prefix + "zarr.json").json()["node_type"] == "group"
        assert httpx.get(prefix + chunk("zarr", "0/0/0/9/9")).status_code == 404
        assert httpx.get(f"{front}/stored/zarr.ome.zarr/zarr.json").status_code == 404  # nobody else may
        image_id = prefix.split("/")[-3]
        assert httpx.get(f"{front}/api/images/{image_id}").json()["id"] == image_id
