"""Viewer states: of a tomogram with very many annotations, as bytes and with the address of the server in it."""

from benchmarks.conditions import is_quick, rounds
from benchmarks.row import Row, take_turns
from coverslip.model import ImageMetadata
from coverslip.neuroglancer import AnnotationLayer, ColorSeed, Scene, Tomogram, build_state, to_bytes, with_origin
from coverslip.neuroglancer.scene import SHAPES

MOST_MS = 2_000


def rows() -> list[Row]:
    """Return two rows; there is no peer, and a state of so many layers is one that nobody should have to think of."""
    count = 1_000 if is_quick() else 10_000
    scene = annotated(count)
    written = to_bytes(build_state(scene))
    taken = take_turns(
        {"build": lambda: to_bytes(build_state(scene)), "serve": lambda: with_origin(written, "https://example.org")},
        rounds(5),
    )
    works = (("build", f"state of {count:,} annotations", MOST_MS), ("serve", "its addresses filled in", MOST_MS / 20))
    return [
        Row(
            work=work,
            ours=float(f"{taken[name]:.3g}"),
            unit="ms",
            goal=f"within {bar:,.0f} ms",
            reached=taken[name] <= bar,
            note=f"{len(written) / 1e6:.1f} MB" if name == "build" else "",
        )
        for name, work, bar in works
    ]


def annotated(count: int) -> Scene:
    """Return a tomogram with so many annotations, of all shapes in turn and of two voxel spacings."""
    layers = tuple(
        AnnotationLayer(
            number,
            f"object {number % 40}",
            SHAPES[number % len(SHAPES)],
            10.012 if number % 3 else 5.006,
            is_visualization_default=True,
            seed=ColorSeed(object_name=f"object {number % 40}", deposition=str(number % 5)),
            labels=tuple(range(1, 20)),
        )
        for number in range(1, count + 1)
    )
    metadata = ImageMetadata(
        name="tomogram", file_format="OME-Zarr", size_z=184, size_y=630, size_x=630, dtype="float32"
    )
    return Scene("image", "TS_1", metadata, Tomogram(1, 10.012), layers=layers)
