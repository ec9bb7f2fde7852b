"""Reads YAML that every reader reads alike, and says in which line a field stands.

Specification: YAML 1.2 core schema, restricted to what a catalog needs: one document
of mappings, sequences and scalars. A plain scalar is null, a boolean (`true`, `false`)
or a decimal integer, and text otherwise: `NO` is Norway, not a boolean. Anchors,
aliases, tags, duplicate keys and floats are no part of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, NoReturn, TypeAlias

import yaml

from policyguard.canonical import MAX_INTEGER, Json
from policyguard.errors import CatalogError

Place: TypeAlias = tuple[str | int, ...]
"""Where a value stands: keys and indices from the top."""

MAX_BYTES: Final = 8 << 20
MAX_NODES: Final = 500_000
MAX_DEPTH: Final = 32

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONSTANTS: Final = {"": None, "~": None, "null": None, "true": True, "false": False}
_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,16})")


def read_yaml(text: str, *, name: str) -> Json:
    """Return the value of a YAML document.

    Args:
        text: The document.
        name: What the file is called, for messages.

    Raises:
        CatalogError: not YAML, empty, or outside the restricted form; the message
            names file, line and field.
    """
    return _parse(_Builder(name=name), text)


def line_of(text: str, place: Place) -> int:
    """Return the line, from 1, in which a place of a readable document stands.

    A place that the document does not have is answered with the nearest one around
    it: the line of a missing field is the line of the entry that lacks it.
    """
    lines: dict[Place, int] = {}
    _parse(_Builder(name="", lines=lines), text)
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)


def place_text(place: Place) -> str:
    """Return a place as a person writes it, as `models.glm-5.2.names.0`."""
    return ".".join(str(part) for part in place) or "the top"


def _parse(builder: _Builder, text: str) -> Json:
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        builder.refuse(f"not YAML: {error.problem}", line=mark.line + 1 if mark else 1)
    except yaml.YAMLError as error:
        builder.refuse(f"not YAML: {str(error).splitlines()[0]}", line=1)
    if not builder.documents:
        builder.refuse("the file is empty: delete it or fill it", line=1)
    return builder.value


@dataclass(slots=True)
class _Frame:
    place: Place
    items: dict[str, Json] | list[Json]
    key: str | None = None

    def next_place(self) -> Place:
        here = len(self.items) if isinstance(self.items, list) else self.key
        return self.place if here is None else (*self.place, here)


@dataclass(slots=True, kw_only=True)
class _Builder:
    """Builds a value from events without recursion: depth costs no stack."""

    name: str
    lines: dict[Place, int] | None = None
    value: Json = None
    documents: int = 0
    nodes: int = 0
    frames: list[_Frame] = field(default_factory=list)

    def take(self, event: yaml.Event) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                self.refuse("a second document: one file holds one", line=line)
        elif isinstance(event, yaml.NodeEvent):
            self._take_node(event, line=line)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._add(self.frames.pop().items)

    def refuse(self, cause: str, *, line: int, place: Place | None = None) -> NoReturn:
        if place is None:
            place = self.frames[-1].place if self.frames else ()
        raise CatalogError(f"{self.name}:{line}: `{place_text(place)}`: {cause}")

    def _take_node(self, event: yaml.NodeEvent, *, line: int) -> None:
        self.nodes += 1
        frame = self.frames[-1] if self.frames else None
        place = frame.next_place() if frame else ()
        if self.nodes > MAX_NODES:
            self.refuse(f"more than {MAX_NODES} values", line=line)
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            cause = "anchors and aliases are refused: write it out"
            self.refuse(cause, line=line, place=place)
        tag = getattr(event, "tag", None)
        if tag is not None:
            cause = f"tag `{tag}` is refused: quote text"
            self.refuse(cause, line=line, place=place)
        if frame and isinstance(frame.items, dict) and frame.key is None:
            self._take_key(frame, event, line=line)
            return
        if self.lines is not None:
            # The line of a field is the line of its key, noted before its value.
            self.lines.setdefault(place, line)
        if isinstance(event, yaml.ScalarEvent):
            self._add(self._scalar(event, line=line, place=place))
            return
        if len(self.frames) >= MAX_DEPTH:
            self.refuse(f"nested deeper than {MAX_DEPTH}", line=line, place=place)
        items: dict[str, Json] | list[Json] = (
            {} if isinstance(event, yaml.MappingStartEvent) else []
        )
        self.frames.append(_Frame(place, items))

    def _take_key(self, frame: _Frame, event: yaml.NodeEvent, *, line: int) -> None:
        if not isinstance(event, yaml.ScalarEvent):
            self.refuse("a key must be text", line=line)
        key: str = event.value
        place = (*frame.place, key)
        if key in frame.items:
            self.refuse("duplicate key", line=line, place=place)
        frame.key = key
        if self.lines is not None:
            self.lines[place] = line

    def _add(self, value: Json) -> None:
        if not self.frames:
            self.value = value
            return
        frame = self.frames[-1]
        if isinstance(frame.items, list):
            frame.items.append(value)
        elif frame.key is not None:
            frame.items[frame.key] = value
            frame.key = None

    def _scalar(self, event: yaml.ScalarEvent, *, line: int, place: Place) -> Json:
        text: str = event.value
        if not event.implicit[0]:
            return text
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if not _INTEGER.fullmatch(text):
            return text
        number = int(text)
        if abs(number) > MAX_INTEGER:
            self.refuse("integer beyond ±(2**53 - 1)", line=line, place=place)
        return number
