"""What the recipes make of the present sources, to compare what was built with."""

from typing import Any

from coverslip.derive import KINDS, Inputs, Kind, Subject
from coverslip.readers import open_image


def by_recipe(kind: Kind, subject: Subject) -> bytes:
    """Return what a recipe makes of the present sources, without catalog and storage."""

    def open_source() -> Any:
        return open_image(subject.image.path)

    class Opened:
        def __enter__(self) -> Any:
            self.file = open_source()
            return self.file.images[subject.image.index]

        def __exit__(self, *_: object) -> None:
            self.file.close()

    needed = {name: by_recipe(KINDS[name], subject) for name in kind.needs}
    return kind.build(subject, Inputs(Opened, needed))
