"""What opening a file and reading from it may cost."""

from pydantic import PositiveFloat, PositiveInt

from coverslip.model.metadata import Frozen


class Budgets(Frozen):
    """What one open or one read may cost. Whoever goes beyond one of them gets a ``BudgetError`` that names it."""

    pixels: PositiveInt = 1 << 48
    """Samples that one image may have: T x C x Z x Y x X x S. Nothing is allocated for them."""
    plane_bytes: PositiveInt = 4 << 30
    """Bytes, unpacked, of one piece that has to be decoded as a whole: a plane, strip, tile, frame or chunk."""
    pages: PositiveInt = 10_000_000
    """Pieces that a file may list: TIFF directories, subblocks, frames, planes of a set."""
    ratio: PositiveInt = 50_000
    """How many bytes one stored byte may become where a piece unpacks to more than 64 MiB."""
    xml_bytes: PositiveInt = 256 << 20
    """Bytes of one XML document."""
    xml_depth: PositiveInt = 100
    """How deep the elements of an XML document may lie in each other."""
    seconds: PositiveFloat = 60.0
    """Seconds of one open or one read. Held to in a confined process only: elsewhere nobody can interrupt a codec."""
    memory_bytes: PositiveInt | None = None
    """Bytes that one read may give, and that a confined process may have on top of what it began with; ``None`` is the
    memory of this machine."""
