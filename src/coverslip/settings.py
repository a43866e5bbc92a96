"""Settings from the environment (``COVERSLIP_...``) and ``coverslip.toml``; built at the edge, handed down."""

import os
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Annotated, Any, Literal

from platformdirs import user_data_path
from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from coverslip.errors import SettingsError
from coverslip.model import Budgets

CONFIG_FILE = "coverslip.toml"


def _absolute(path: Path) -> Path:
    """Return the path from the root, without ``~`` and ``..``; links are kept."""
    return Path(os.path.abspath(path.expanduser()))  # noqa: PTH100  # resolve() would follow links


def _accelerated(text: str) -> str:
    """Return the text once every part of it is ``FOLDER=LOCATION``."""
    for part in filter(None, map(str.strip, text.split(","))):
        folder, equals, location = part.partition("=")
        if not equals or not folder.startswith("/") or not location.startswith("/"):
            raise ValueError(f"{part!r}: expected /folder=/location, the internal location that nginx has for it")
    return text


def _exceptions(text: str) -> str:
    """Return the text once every part of it is ``DATASET=on``, ``=report`` or ``=off``."""
    for part in filter(None, map(str.strip, text.split(","))):
        dataset, equals, mode = part.rpartition("=")
        if not equals or not dataset.strip() or mode.strip() not in ("on", "report", "off"):
            raise ValueError(f"{part!r}: expected DATASET=on, DATASET=report or DATASET=off")
    return text


class Settings(BaseSettings):
    """All settings. The environment wins over ``coverslip.toml`` in the working folder, which wins over defaults."""

    model_config = SettingsConfigDict(env_prefix="COVERSLIP_", frozen=True, extra="forbid", toml_file=CONFIG_FILE)

    home: Annotated[Path, AfterValidator(_absolute)] = Field(
        default_factory=lambda: user_data_path("coverslip", appauthor=False)
    )
    """Folder that holds the catalog, uploads and artifacts unless told otherwise."""
    database_url: str = ""
    """SQLAlchemy address of the catalog; empty is ``catalog.sqlite`` in ``home``."""
    storage_url: str = ""
    """Where artifacts live: a folder or ``s3://bucket/prefix``; empty is ``artifacts`` in ``home``."""
    storage_limit_bytes: Annotated[int, Field(ge=0)] = 0
    """Most bytes of artifacts that are kept; those not used for longest go first. 0 is no limit."""
    gc_grace_seconds: Annotated[float, Field(ge=0)] = 24 * 3600.0
    """How long an artifact is left alone after it was made, superseded or used."""
    host: str = "127.0.0.1"
    """Address the server listens on. Anything but loopback shows the library to the network, without a password."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """Port the server listens on; 0 picks a free one."""
    max_upload_bytes: Annotated[int, Field(gt=0)] = 64 << 30
    """Largest upload accepted, in bytes."""
    build_seconds: Annotated[float, Field(gt=0)] = 20.0
    """How long a request waits for an artifact that must be built first."""
    lease_seconds: Annotated[float, Field(gt=0)] = 30.0
    """How long a builder holds its claim without a sign of life."""
    zarr_origins: str = ""
    """Origins of viewers on other sites that may read images as OME-Zarr, separated by commas; ``*`` is every site."""
    remote_allowed: str = ""
    """Addresses below which remote files may be opened, separated by commas; empty is every public one."""
    remote_cache: str = ""
    """Folder of local copies of remote files; empty is ``remote`` in ``home``."""
    remote_cache_bytes: Annotated[int, Field(ge=0)] = 20 << 30
    """How much the local copies may take, in bytes."""
    accel_redirect: Annotated[str, AfterValidator(_accelerated)] = ""
    """Folders whose stored files nginx sends, each with its internal location: ``/data=/stored``, by commas."""
    workers: Annotated[int, Field(ge=1, le=64)] = 2
    """Artifacts built at the same time by the server's own builder or a worker process."""

    opportunistic: bool = True
    """Whether the server builds what is stale of an image in the pauses of those who annotate it."""
    opportunistic_pause_seconds: Annotated[float, Field(ge=2, le=10)] = 3.0
    """How long nobody may have worked on an image before such a batch begins."""
    opportunistic_batch: Annotated[int, Field(ge=1, le=100)] = 3
    """Artifacts of one such batch, at most."""
    follow_annotations: bool = True
    """Whether new and changed annotations make the views that show them stale, such as viewer states and key photos."""
    follow_annotations_except: str = ""
    """Names of datasets whose annotations do not, separated by commas."""
    cleanup_during_import: Literal["on", "report", "off"] = "on"
    """What an import does with records whose documents are gone: remove them, keep a plan to review, or nothing."""
    cleanup_exceptions: Annotated[str, AfterValidator(_exceptions)] = ""
    """Datasets of which it does something else: ``30001=off,30002=report``."""
    cleanup_check_hours: Annotated[float, Field(ge=0)] = 168.0
    """How often a worker looks for stale records and leaves a plan to review; 0 is never."""
    queue_url: str = ""
    """Redis server that carries messages about what is stale: ``redis://host:6379/0`` or ``unix:///path``."""
    executor: Annotated[str, Field(pattern=r"^(threads|processes|dask://[^/\s]+)$")] = "threads"
    """Where ``coverslip worker`` builds: ``threads``, ``processes`` or a Dask cluster, ``dask://host:8786``."""

    confine: Literal["uploads", "all", "none"] = "uploads"
    """Whose files are opened in processes that may be killed: uploaded ones, all local files, or none."""
    confined_processes: Annotated[int, Field(ge=1, le=64)] = 4
    """How many such processes there are at most."""
    budget_pixels: Annotated[int, Field(gt=0)] = Budgets().pixels
    """Samples that one image may have."""
    budget_plane_bytes: Annotated[int, Field(gt=0)] = Budgets().plane_bytes
    """Bytes, unpacked, of one plane, strip, tile, frame or chunk that has to be decoded as a whole."""
    budget_pages: Annotated[int, Field(gt=0)] = Budgets().pages
    """Pieces that a file may list: TIFF directories, subblocks, frames, planes of a set."""
    budget_ratio: Annotated[int, Field(gt=0)] = Budgets().ratio
    """How many bytes one stored byte may become where a piece unpacks to more than 64 MiB."""
    budget_xml_bytes: Annotated[int, Field(gt=0)] = Budgets().xml_bytes
    """Bytes of one XML document."""
    budget_xml_depth: Annotated[int, Field(gt=0)] = Budgets().xml_depth
    """How deep the elements of an XML document may lie in each other."""
    budget_seconds: Annotated[float, Field(gt=0)] = Budgets().seconds
    """Seconds of one open or read in a confined process."""
    budget_memory_bytes: Annotated[int, Field(gt=0)] = 4 << 30
    """Bytes that one read may give, and that a confined process may have on top of what it began with."""

    @classmethod
    def load(cls, **overrides: Any) -> "Settings":
        """Return the settings of this process.

        Raises
        ------
        SettingsError
            Names each wrong setting and what was expected.
        """
        try:
            return cls(**overrides)
        except TOMLDecodeError as error:
            raise SettingsError(f"{Path(CONFIG_FILE).absolute()}: this is not valid TOML: {error}") from error
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}" for problem in error.errors()
            )
            raise SettingsError(f"wrong settings (environment COVERSLIP_... or {CONFIG_FILE}): {problems}") from error

    @property
    def catalog_url(self) -> str:
        """Address of the catalog with the default filled in."""
        return self.database_url or f"sqlite:///{self.home / 'catalog.sqlite'}"

    @property
    def artifacts_url(self) -> str:
        """Place of the artifacts with the default filled in."""
        return self.storage_url or str(self.home / "artifacts")

    @property
    def own_folders(self) -> list[Path]:
        """Folders that hold what Coverslip made; nobody's images are looked for in them."""
        storage = self.artifacts_url.removeprefix("file://")
        folders = [self.home, self.copies_folder] if self.remote_cache else [self.home]
        return folders if "://" in storage else [*folders, _absolute(Path(storage))]

    @property
    def unfollowed_datasets(self) -> frozenset[str]:
        """Names of the datasets whose annotations make no views stale."""
        return frozenset(filter(None, map(str.strip, self.follow_annotations_except.split(","))))

    @property
    def cleanup_modes(self) -> dict[str, str]:
        """What an import does with stale records in datasets that are exceptions, by name."""
        parts = [part.rpartition("=") for part in self.cleanup_exceptions.split(",") if part.strip()]
        return {dataset.strip(): mode.strip() for dataset, _, mode in parts}

    @property
    def copies_folder(self) -> Path:
        """Folder of local copies of remote files, with the default filled in."""
        return _absolute(Path(self.remote_cache)) if self.remote_cache else self.home / "remote"

    @property
    def budgets(self) -> Budgets:
        """What one open or read of a file may cost."""
        return Budgets(**{name: getattr(self, f"budget_{name}") for name in Budgets.model_fields})

    @property
    def accelerated_folders(self) -> dict[str, str]:
        """Folders, free of links, whose files are handed over to nginx, and their internal locations."""
        parts = [part.strip().partition("=") for part in self.accel_redirect.split(",") if part.strip()]
        return {os.path.realpath(folder.strip()): location.strip().rstrip("/") for folder, _, location in parts}

    @property
    def uploads_folder(self) -> Path:
        """Folder of uploaded originals."""
        return self.home / "uploads"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments first, then the environment, then ``coverslip.toml``."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)
