"""A real JupyterLab on this machine, for the time of a test: nothing of the user's, nothing from elsewhere."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil

TOKEN = "test"
PATIENCE_S = 60
QUIET = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}
"""Nothing asks the network for news, and nobody is asked whether it may."""


@contextmanager
def jupyter_lab(folder: Path, home: Path, *, theme: str = "light") -> Iterator[str]:
    """Run a server whose root is a folder, and give its address; server and kernels are gone afterwards.

    Parameters
    ----------
    folder
        What people see in it.
    home
        For settings, catalogs and whatever else a home folder holds.
    theme
        ``"light"`` or ``"dark"``.
    """
    settings = home / "lab" / "settings"
    settings.mkdir(parents=True)
    (settings / "overrides.json").write_text(
        json.dumps({**QUIET, "@jupyterlab/apputils-extension:themes": {"theme": f"JupyterLab {theme.title()}"}})
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "HOME": str(home),
        "COVERSLIP_HOME": str(home / "coverslip"),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "user-settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        *(f"--ServerApp.root_dir={folder}", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"),
        *(f"--IdentityProvider.token={TOKEN}", "--ServerApp.port_retries=0", "--ServerApp.terminals_enabled=False"),
        *(f"--LabApp.app_settings_dir={settings}", "--LabApp.extension_manager=readonly"),
    ]
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            _wait(server, f"http://127.0.0.1:{port}/api?token={TOKEN}", home / "server.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            _end(server)


def _wait(server: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and server.poll() is None:
        try:
            with urlopen(address, timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"JupyterLab does not answer:\n{log.read_text(errors='replace')[-3000:]}")


def _end(server: "subprocess.Popen[bytes]") -> None:
    """End the server and the kernels it has started: these are sessions of their own."""
    try:
        all_of_it = [*psutil.Process(server.pid).children(recursive=True), psutil.Process(server.pid)]
    except psutil.NoSuchProcess:
        all_of_it = []
    server.terminate()
    _, alive = psutil.wait_procs(all_of_it, timeout=3)
    for one in alive:
        one.kill()
    server.wait(10)
