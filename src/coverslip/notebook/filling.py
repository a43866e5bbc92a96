"""The form of an export on a page: what there is to choose from, what is chosen, and what is wrong with it."""

import threading
from collections.abc import Mapping, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import traitlets

from coverslip.errors import ConflictError, CoverslipError, InvalidRequestError, NotFoundError
from coverslip.export import Request
from coverslip.export.sources import OpenFile, marker_set_from
from coverslip.model.export import ChannelLook, MarkerSet
from coverslip.notebook.facts import Facts, look_at, range_of
from coverslip.notebook.folders import absolute
from coverslip.notebook.form import Form, form_from, request_of
from coverslip.notebook.matching import Matches, matches_of
from coverslip.notebook.panel import Panel, in_words

type Place = str | PathLike[str]

NEW_COLORS = ("#ffffff", "#00ff00", "#ff00ff", "#00ffff", "#ffff00", "#ff0000", "#4060ff", "#ff8000")


class Filling(Panel):
    """A page with the form of an export, checked while it is filled in.

    Parameters
    ----------
    data
        A folder of fields of view, image files, or several of them.
    marker_set
        To begin with; ``None`` is the first there is.
    open_file
        Opens image files.
    choices
        What is filled in, as ``form.form_from`` takes it.
    traits
        Of the page, to begin with.

    Raises
    ------
    InvalidRequestError
        Some of it makes no sense.
    """

    form = traitlets.Dict().tag(sync=True)
    """What is filled in; see ``form.Form``."""
    facts = traitlets.Dict().tag(sync=True)
    """What there is to choose from; empty until it is known."""
    ranges = traitlets.Dict().tag(sync=True)
    """Grey levels of channels: ``min``, ``max``, ``low``, ``high``."""
    check = traitlets.Dict().tag(sync=True)
    """How many items the form means, or what is wrong with it."""

    def __init__(
        self,
        data: Place | Sequence[Place],
        *,
        marker_set: str | Mapping[str, Any] | MarkerSet | None,
        open_file: OpenFile,
        choices: Mapping[str, Any],
        **traits: Any,
    ) -> None:
        places = [data] if isinstance(data, str | PathLike) else list(data)
        if not places:
            raise InvalidRequestError("there is nothing to export: name a folder of fields of view, or image files")
        self._data = tuple(absolute(str(place)) for place in places)
        missing = next((place for place in self._data if not place.exists()), None)
        if missing is not None:
            raise NotFoundError(f"{missing}: there is no such file or folder")
        self._form, self._more = form_from(choices)
        if marker_set is not None:
            chosen = marker_set_from(marker_set, self._data[0])
            self._form = self._form.model_copy(update={"marker_set": chosen.name, "channels": chosen.channels})
        self._invalid = ""
        """What is wrong with what a page has filled in last; ``_form`` is then what it was before."""
        self._open_file = open_file
        self._facts: Facts | None = None
        self._matched: tuple[object, Matches] | None = None
        """What the last matches were of, and they."""
        self._state_lock = threading.RLock()
        super().__init__(form=self._form.model_dump(mode="json"), **traits)
        self.observe(self._take_form, "form")

    def _changed(self, was: Form | None) -> None:
        """Do what follows from a change of the form, which was that before; of the data where it is ``None``."""

    def update(self, **choices: Any) -> None:
        """Fill in some of the form, by the names that ``Job`` has.

        Raises
        ------
        InvalidRequestError
            Some of it makes no sense; nothing is changed then.
        NotFoundError
            There is no such marker set.
        """
        if choices.get("marker_set") and "channels" not in choices:
            chosen = marker_set_from(choices["marker_set"], self._data[0])
            choices |= {"marker_set": chosen.name, "channels": chosen.channels}
        form, more = form_from(choices, self._form)
        with self._state_lock:
            self._more |= more
        self._fill(form)

    def reload(self) -> None:
        """Look again at what there is to choose from. What is chosen stays chosen."""
        self._desk.do("facts", self._look)

    @property
    def request(self) -> Request:
        """What is filled in, as a job takes it.

        Raises
        ------
        InvalidRequestError
            Some of it makes no sense, or something is missing.
        """
        if self._invalid:
            raise InvalidRequestError(self._invalid)
        return request_of(self._form, self._data, self._more)

    # ---- what a page fills in ------------------------------------------------------------------------------------

    def _hear(self, widget: object, content: object, buffers: object) -> None:
        if isinstance(content, dict):
            self._hear_value(content.get("form"), self.form, self._take)
        super()._hear(widget, content, buffers)

    def _take_form(self, change: Any) -> None:
        if self._is_showing:
            return
        if self._is_late(change["new"]):
            self._hop.post(self._show_form)
        else:
            self._take(change["new"])

    def _take(self, values: Mapping[str, Any]) -> None:
        """Take a form that a page has filled in."""
        try:
            form, more = form_from(values)
            if more:
                raise InvalidRequestError(f"the form has no {', '.join(sorted(more))[:200]}")
        except InvalidRequestError as error:
            self._invalid = in_words(error)
            self._put(check={"count": None, "problem": self._invalid})
            return
        if form != self._form or self._invalid:
            self._fill(form)

    def _fill(self, form: Form) -> None:
        with self._state_lock:
            was, self._form, self._invalid = self._form, form, ""
        self._hop.post(self._show_form)
        self._desk.do("check", self._count)
        self._changed(was)

    def _show_form(self) -> None:
        """Show what is filled in at this moment, in the thread of the loop: a page may have been quicker."""
        if not self._invalid:
            self._show_value("form", self._form.model_dump(mode="json"))

    def _look(self) -> None:
        """Find out what there is to choose from; in a thread."""
        try:
            facts = look_at(self._data, self._open_file)
        except CoverslipError as error:
            self._put(facts={"error": in_words(error)}, check={"count": None, "problem": in_words(error)})
            return
        self._facts = facts
        self._put(facts={**facts.document, "home": str(Path.home())})
        with self._state_lock:
            form = self._form
            if not form.channels and not form.marker_set:
                self._form = form = form.model_copy(update=self._first_markers(facts))
        self._hop.post(self._show_form)
        self._desk.do("check", self._count)
        self._measure([look.channel for look in form.channels])
        self._changed(None)

    def _first_markers(self, facts: Facts) -> dict[str, Any]:
        """Return the first marker set, or the first channels where nobody has saved one."""
        for name, one in facts.marker_sets.items():
            return {"marker_set": name, "channels": one.channels}
        looks = []
        for color, channel in zip(NEW_COLORS[1:4], facts.channels, strict=False):
            try:
                found = range_of(facts, channel, None, self._open_file)
            except CoverslipError:
                continue
            looks.append(ChannelLook(channel=channel, color=color, low=found["low"], high=found["high"]))
        return {"marker_set": "chosen", "channels": tuple(looks)}

    def _count(self) -> None:
        self._check()

    def _check(self) -> tuple[Matches, str | None]:
        """Count what the form means; return it, and what is wrong with it. In a thread."""
        facts, form, known = self._facts, self._form, self._matched
        if facts is None:
            return Matches([]), "the data has not been looked at yet"
        try:
            request = request_of(form, self._data, self._more, folder=form.folder or ".")
            # a look has no part in it: while colours are chosen, no table is filtered again
            key = facts, request.mode, request.fovs, {"cells": request.cells, "rois": request.rois}.get(request.mode)
            found = known[1] if known is not None and known[0] == key else matches_of(request, facts)
        except CoverslipError as error:
            self._put(check={"count": None, "problem": in_words(error)})
            return Matches([]), in_words(error)
        self._matched = key, found
        problem = None if found.items else "nothing matches"
        self._put(check={"count": len(found.items), "of": found.rows, "problem": problem})
        return found, problem

    # ---- channels ---------------------------------------------------------------------------------------------------

    def _measure(self, channels: Sequence[str]) -> None:
        """Find the grey levels of channels that are not known yet; in a thread."""
        wanted = [name for name in channels if name not in self.ranges]
        if wanted:
            self._desk.do("ranges", partial(self._measured, wanted))

    def _measured(self, channels: Sequence[str]) -> None:
        found = {}
        for name in channels:
            try:
                found[name] = self._range(name)
            except CoverslipError:
                continue  # the dry run names channels that are not there
        self._hop.post(lambda: self._set({"ranges": {**self.ranges, **found}}))

    def _range(self, channel: str) -> dict[str, float]:
        if self._facts is None:
            raise ConflictError("the data has not been looked at yet")
        fovs = self._form.fovs
        return range_of(self._facts, channel, fovs[0] if fovs else None, self._open_file)

    def _set_limits(self, channel: str) -> None:
        """Give a channel the usual limits of contrast, adding it where it is not shown yet; in a thread."""
        try:
            found = self._range(channel)
        except CoverslipError as error:
            self._say({"is": "error", "to": "limits", "text": in_words(error)})
            return
        self._hop.post(lambda: self._set({"ranges": {**self.ranges, channel: found}}))
        with self._state_lock:
            looks = list(self._form.channels)
            names = [look.channel for look in looks]
            limits = {"low": found["low"], "high": found["high"]}
            if channel in names:
                place = names.index(channel)
                looks[place] = looks[place].model_copy(update=limits)
            else:
                taken = {look.color for look in looks}
                color = next((one for one in NEW_COLORS if one not in taken), NEW_COLORS[0])
                looks.append(ChannelLook(channel=channel, color=color, **limits))
            form = self._form.model_copy(update={"channels": tuple(looks)})
        self._fill(form)

    def _choose_markers(self, name: str) -> None:
        if self._facts is None or name not in self._facts.marker_sets:
            raise NotFoundError(f"there is no marker set {name!r}")
        channels = self._facts.marker_sets[name].channels
        self._fill(self._form.model_copy(update={"marker_set": name, "channels": channels}))
        self._measure([look.channel for look in channels])
