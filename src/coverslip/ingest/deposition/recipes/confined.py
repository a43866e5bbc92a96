"""Groups of meshes in HDF5, read in a process of their own: a damaged file can bring the library down."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from coverslip import errors
from coverslip.cryoet.files import read_bytes
from coverslip.errors import BuildError, CoverslipError, ReadError

SECONDS = 120.0
CPU_SECONDS = 110
MEMORY_BYTES = 8 * 1024**3
SAID = 3
"""Exit code of a process that says in JSON what is wrong."""


def group_as_glb(path: Path, *, mesh_name: str | None, scale_factor: float) -> tuple[int, bytes]:
    """Return how many meshes a group has, and these as glb; see ``read_mesh_group``.

    Raises
    ------
    ReadError
        The file is damaged, takes too long, or brings down whoever reads it.
    """
    with tempfile.TemporaryDirectory(prefix="coverslip-group-") as folder:
        copy, made = Path(folder, f"group{path.suffix}"), Path(folder, "group.glb")
        copy.write_bytes(read_bytes(path))
        command = [sys.executable, "-P", "-W", "ignore", "-m", __name__, str(copy), str(made)]
        asked = json.dumps({"mesh_name": mesh_name, "scale_factor": scale_factor})
        try:
            done = subprocess.run(  # noqa: S603  ourselves
                [*command, asked], stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise ReadError(f"{path}: was not read within {SECONDS:.0f} seconds") from error
        if done.returncode == SAID:
            raise _error(path, done.stdout, str(copy))
        if done.returncode:
            raise ReadError(f"{path}: the process that read it ended with {done.returncode}: the file is damaged")
        return int(done.stdout), made.read_bytes()


def _error(path: Path, said: bytes, copy: str) -> CoverslipError:
    told = json.loads(said)
    text = str(told["text"]).replace(copy, str(path))
    kind = getattr(errors, told["kind"], ReadError)
    if kind is errors.MissingDependencyError:
        return errors.MissingDependencyError(text, str(told["package"]))
    return kind(text) if kind in (errors.ReadError, errors.InvalidRequestError) else ReadError(text)


def main(source: str, made: str, asked: str) -> int:
    """Read a group and write it as glb."""
    _bound()
    from coverslip.cryoet import read_mesh_group, to_glb  # noqa: PLC0415  within the bounds

    try:
        meshes = read_mesh_group(Path(source), **json.loads(asked))
        Path(made).write_bytes(to_glb(meshes))
    except CoverslipError as error:
        told = {"kind": type(error).__name__, "text": str(error), "package": getattr(error, "package", "")}
        sys.stdout.write(json.dumps(told))
        return SAID
    sys.stdout.write(str(len(meshes)))
    return 0


def _bound() -> None:
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415  Unix alone has it

    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise BuildError("expected a file, where to write, and what to read")
    sys.exit(main(*sys.argv[1:]))
