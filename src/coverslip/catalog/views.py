"""What people keep of a viewer: links that follow what is current, frozen ones, and views with edits."""

import secrets
from typing import Any

from sqlalchemy import delete, insert, select, update

from coverslip.catalog.entity_tables import View
from coverslip.catalog.part import Part, known_form, no_such_image
from coverslip.catalog.tables import Image
from coverslip.errors import ConflictError, NotFoundError
from coverslip.model.entities import SavedView

ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
"""Of identifiers that people read to each other: nothing that looks like something else."""
LENGTH = 10
"""Letters of an identifier: 49 bits, so that nobody finds a link by trying."""


class Views(Part):
    """Views of images that were kept."""

    def keep_view(
        self, image_id: str, *, name: str = "", is_frozen: bool = False, state: dict[str, Any], author: str = ""
    ) -> SavedView:
        """Keep a view under a new short identifier.

        Raises
        ------
        NotFoundError
            There is no such image, or it is deleted.
        """
        now = self._clock()
        view = SavedView(
            "".join(secrets.choice(ALPHABET) for _ in range(LENGTH)),
            *(known_form(image_id), name, is_frozen, state, author, now, now),
        )
        shown = select(Image.id).where(Image.id == image_id, Image.deleted_at.is_(None))
        with self._database.writing() as connection:
            if connection.execute(shown).first() is None:
                raise no_such_image(image_id)
            names = ("id", "image_id", "name", "is_frozen", "state", "author", "created_at", "updated_at")
            connection.execute(insert(View).values({one: getattr(view, one) for one in names}))
        return view

    def view(self, view_id: str) -> SavedView:
        """Return a view of an image that is not deleted.

        Raises
        ------
        NotFoundError
            There is no such view.
        """
        with self._database.reading() as connection:
            row = connection.execute(_select().where(View.id == view_id)).one_or_none()
        if row is None:
            raise _no_such_view(view_id)
        return SavedView(**row._mapping)

    def views(self, image_id: str) -> list[SavedView]:
        """Return the views of an image, oldest first."""
        wanted = _select().where(View.image_id == known_form(image_id)).order_by(View.created_at, View.id)
        with self._database.reading() as connection:
            return [SavedView(**row._mapping) for row in connection.execute(wanted)]

    def change_view(self, view_id: str, *, name: str | None = None, state: dict[str, Any] | None = None) -> SavedView:
        """Give a view another name or state, and return it.

        Raises
        ------
        NotFoundError
            There is no such view.
        ConflictError
            It is frozen, and another state is given.
        """
        if state is not None and self.view(view_id).is_frozen:
            raise ConflictError(f"the view {view_id} is frozen: it shows what was there when it was made")
        values = {name_: value for name_, value in (("name", name), ("state", state)) if value is not None}
        with self._database.writing() as connection:
            changed = update(View).where(View.id == view_id).values(**values, updated_at=self._clock())
            if connection.execute(changed).rowcount != 1:
                raise _no_such_view(view_id)
        return self.view(view_id)

    def remove_view(self, view_id: str) -> None:
        """Remove a view for good.

        Raises
        ------
        NotFoundError
            There is no such view.
        """
        with self._database.writing() as connection:
            if connection.execute(delete(View).where(View.id == view_id)).rowcount != 1:
                raise _no_such_view(view_id)


def _select() -> Any:
    columns = (View.id, View.image_id, View.name, View.is_frozen, View.state, View.author)
    wanted = select(*columns, View.created_at, View.updated_at)
    return wanted.join(Image, Image.id == View.image_id).where(Image.deleted_at.is_(None))


def _no_such_view(view_id: str) -> NotFoundError:
    return NotFoundError(f"there is no view {view_id[:64]!r}")
