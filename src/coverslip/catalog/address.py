"""Where the catalog is: what people write, made into one exact address that is safe to show."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from coverslip.errors import CatalogError

EXPECTED = "expected sqlite:///folder/catalog.sqlite or postgresql://user@host/name"
_SQLITE = ("sqlite", "sqlite+pysqlite")
_POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")
_SECRET_OPTIONS = ("password", "sslpassword")


@dataclass(frozen=True, slots=True)
class Address:
    """One database."""

    url: URL
    """For the driver; holds the password."""
    shown: str
    """For people; holds none."""
    path: Path | None
    """The file of a SQLite catalog, absolute."""


def parse_address(text: str) -> Address:
    """Return the database meant by ``sqlite:///path``, a plain path, ``postgresql://...`` or ``postgres://...``.

    What follows ``sqlite:///`` is taken literally, so a folder may be named ``100% done?``.

    Raises
    ------
    CatalogError
        It is no such address. The text itself is not repeated: it may hold a password.
    """
    scheme, separator, rest = text.partition("://")
    if not separator:
        return _sqlite(text)
    if scheme in _SQLITE:
        if not rest.startswith("/"):
            raise CatalogError(f"the database address sqlite://... needs a third slash and a path: {EXPECTED}")
        return _sqlite(rest[1:])
    if scheme in _POSTGRESQL:
        return _postgresql(rest)
    raise CatalogError(f"the database address begins with {scheme}://, which is not supported: {EXPECTED}")


def _sqlite(name: str) -> Address:
    if name in {"", ":memory:"} or "\x00" in name:
        raise CatalogError(f"the catalog needs a file, because more than one process uses it: {EXPECTED}")
    path = Path(name).expanduser().absolute()
    return Address(URL.create("sqlite", database=str(path)), f"sqlite:///{path}", path)


def _postgresql(rest: str) -> Address:
    try:
        url = make_url(f"postgresql+psycopg://{rest}")
    except (ArgumentError, ValueError) as error:
        raise CatalogError(f"the database address cannot be understood: {EXPECTED}") from error
    hidden = url.update_query_dict({option: "***" for option in _SECRET_OPTIONS if option in url.query})
    return Address(url, hidden.set(drivername="postgresql").render_as_string(hide_password=True), None)
