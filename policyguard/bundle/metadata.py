"""Parses the `# METADATA` comments of Rego modules.

Specification: OPA annotations (a YAML document in the comment lines directly above a
package or rule), with the project's own fields under `custom`.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from policyguard.errors import BundleError

Severity: TypeAlias = Literal["info", "low", "medium", "high", "critical"]
Status: TypeAlias = Literal[
    "in_force",
    "suspended",
    "proposed",
    "contested",
    "contractual",
    "customer_policy",
]
MAX_CHARACTERS: Final = 16_384
MAX_BRACKETS: Final = 256
"""More could nest deeper than the parser's stack."""

if TYPE_CHECKING:
    _SafeLoader = yaml.SafeLoader
else:
    # The parser in C is eight times as fast, where there is one.
    _SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_BEGIN: Final = re.compile(r"#\s*METADATA\s*")
_RULE_ID: Final = r"^[A-Z][A-Z0-9_]*-[0-9]{2,}$"


def _epoch(value: object) -> object:
    """Return an instant as whole seconds since 1970, in UTC."""
    if isinstance(value, str):
        value = _parsed(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("an instant needs its offset: write `…Z` for UTC")
        if value.microsecond:
            raise ValueError("an instant of a window has whole seconds")
        return int(value.timestamp())
    if isinstance(value, date):
        return int(datetime.combine(value, time.min, UTC).timestamp())
    if value is None:
        return None
    raise ValueError("write an instant as 2026-06-12T21:21:00Z, or null")


def _parsed(text: str) -> datetime | date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return datetime.fromisoformat(text)


Seconds = Annotated[int | None, BeforeValidator(_epoch)]
_Text = Annotated[str, StringConstraints(min_length=1, max_length=4_096)]


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Window(_Form):
    """Is a time in which a rule has one status: from `since`, until before `until`."""

    since: Seconds = Field(alias="from")
    until: Seconds = Field(alias="to")
    """Both in seconds since 1970, UTC; None is without bound."""
    status: Status
    verified: Annotated[bool, Field(strict=True)]
    """Whether a person has compared the dates with the source."""


class Resource(_Form):
    """Is a related resource."""

    ref: _Text
    description: _Text | None = None


class Custom(_Form):
    """Is what the project adds to OPA's annotations."""

    id: Annotated[str, StringConstraints(pattern=_RULE_ID)]
    severity: Severity
    as_of: date
    """The day on which the text of the law was last read."""
    locked: Annotated[bool, Field(strict=True)] = False
    exceptions: tuple[_Text, ...] = ()
    """The cases in which it does not object, for people who read the rule."""
    citation: _Text | None = None
    regime: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")] | None = (
        None
    )
    effective: Annotated[tuple[Window, ...], Field(min_length=1)]


class Annotations(_Form):
    """Is one METADATA document."""

    scope: Literal["package", "subpackages", "document", "rule"] | None = None
    title: _Text | None = None
    description: _Text | None = None
    related_resources: tuple[Resource | _Text, ...] = ()
    authors: tuple[Any, ...] = ()
    organizations: tuple[_Text, ...] = ()
    schemas: tuple[Any, ...] = ()
    entrypoint: bool | None = None
    custom: Custom | None = None

    @property
    def citation(self) -> str | None:
        """Say which text it follows: `custom.citation`, else the first resource."""
        if self.custom is not None and self.custom.citation is not None:
            return self.custom.citation
        for resource in self.related_resources:
            if isinstance(resource, str):
                return resource
            return resource.description or resource.ref
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """Is a METADATA document and where it stands."""

    file: str
    line: int
    annotations: Annotations


def parse_metadata(*, file: str, text: str) -> tuple[Metadata, ...]:
    """Return the METADATA documents of a module, in order.

    Args:
        file: The module's path inside the bundle, for messages.
        text: The module.

    Raises:
        BundleError: a document that is no YAML, has unknown or wrong fields, or stands
            above no statement; names file and line.
    """
    return tuple(_documents(file, text.replace("\r\n", "\n").split("\n")))


def _documents(file: str, lines: list[str]) -> Iterator[Metadata]:
    number = 0
    while number < len(lines):
        if _BEGIN.fullmatch(lines[number].strip()) is None:
            number += 1
            continue
        end = number + 1
        while end < len(lines) and lines[end].lstrip().startswith("#"):
            end += 1
        if end == len(lines) or not lines[end].strip():
            raise BundleError(
                f"{file}:{number + 1}: METADATA above no statement: put it directly"
                " above its rule or package"
            )
        block = [line.lstrip()[1:] for line in lines[number + 1 : end]]
        if sum(map(len, block)) > MAX_CHARACTERS:
            raise BundleError(
                f"{file}:{number + 1}: METADATA of more than {MAX_CHARACTERS} characters"
            )
        annotations = _annotations(file, number + 2, "\n".join(block))
        yield Metadata(file=file, line=number + 1, annotations=annotations)
        number = end


def _annotations(file: str, line: int, text: str) -> Annotations:
    if text.count("[") + text.count("{") > MAX_BRACKETS:
        raise BundleError(
            f"{file}:{line}: METADATA has too many brackets: write blocks"
        )
    try:
        document = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 -- a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = line + (mark.line if mark else 0)
        raise BundleError(
            f"{file}:{at}: METADATA is no YAML: {error.problem}"
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BundleError(
            f"{file}:{line}: METADATA is no YAML: write it anew"
        ) from error
    try:
        return Annotations.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the top"
        raise BundleError(
            f"{file}:{_line_of(text, first['loc'], line)}: METADATA `{place}`:"
            f" {first['msg'].lower()}"
        ) from error


def _line_of(text: str, place: tuple[int | str, ...], first: int) -> int:
    """Return the line of the innermost part of a place that the text has."""
    node: yaml.Node | None = yaml.compose(text, Loader=_StrictLoader)
    line = first
    for part in place:
        node, found = _child(node, part)
        if node is None or found is None:
            break
        line = first + found
    return line


def _child(
    node: yaml.Node | None, part: int | str
) -> tuple[yaml.Node | None, int | None]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return value, key.start_mark.line
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
        item = node.value[part]
        return item, item.start_mark.line
    return None, None


class _StrictLoader(_SafeLoader):
    """Is PyYAML's safe loader without aliases and duplicate keys."""

    def get_single_node(self) -> yaml.Node | None:
        node: yaml.Node | None = super().get_single_node()
        seen: set[int] = set()
        stack = [] if node is None else [node]
        while stack:
            item = stack.pop()
            if id(item) in seen:
                # An alias is the same node at two places; it can be a place in itself.
                raise yaml.composer.ComposerError(
                    problem="aliases are refused: write it out",
                    problem_mark=item.start_mark,
                )
            seen.add(id(item))
            if isinstance(item, yaml.SequenceNode):
                stack.extend(item.value)
            elif isinstance(item, yaml.MappingNode):
                stack.extend(part for pair in item.value for part in pair)
        return node

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002
    ) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem="a key is given twice or is no text",
                    problem_mark=key.start_mark,
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)
