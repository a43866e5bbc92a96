"""Settings from the environment (``COVERSLIP_...``) and ``coverslip.toml``; built at the edge, handed down."""

import os
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Annotated, Any

from platformdirs import user_data_path
from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from coverslip.errors import SettingsError

CONFIG_FILE = "coverslip.toml"


def _absolute(path: Path) -> Path:
    """Return the path from the root, without ``~`` and ``..``; links are kept."""
    return Path(os.path.abspath(path.expanduser()))  # noqa: PTH100  # resolve() would follow links


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
    workers: Annotated[int, Field(ge=1, le=64)] = 2
    """Artifacts built at the same time by the server's own builder or a worker process."""

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
        return [self.home] if "://" in storage else [self.home, _absolute(Path(storage))]

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
