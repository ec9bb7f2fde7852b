"""Renders vocabulary classes as tables: each field, its type, default and meaning.

The meaning is the text under the field in the source, so that it is written once.
"""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from collections.abc import Iterator
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from docs.docstrings import first_line
from docs.forms import forms, names_in, without_constraints
from policyguard.vocabulary import call, decision, record, rolling, value

_FORMS = (value, rolling, call, decision, record)


def tables(*roots: type[BaseModel], level: int = 3) -> str:
    """Return a section with a table for each class that can be reached from the roots.

    Args:
        roots: Where to begin.
        level: The depth of the headings, as in `###`.
    """
    seen: dict[type[BaseModel], None] = {}
    for root in roots:
        for kind in _reachable(root):
            seen.setdefault(kind)
    used = frozenset().union(
        *(
            names_in(_annotation(kind, name))
            for kind in seen
            for name in kind.model_fields
        )
    )
    sections = [_section(kind, level=level) for kind in seen]
    sections.append(f"{'#' * level} Forms\n\n{forms(_FORMS, used=used)}\n")
    return "\n".join(sections)


def table(kind: type[BaseModel]) -> str:
    """Return the fields of one class as a Markdown table."""
    rows = [
        f"| `{name}` | `{_shown(kind, name)}` | {_default(field)} |"
        f" {_meaning(kind, name)} |"
        for name, field in kind.model_fields.items()
    ]
    return "\n".join(
        ["| field | type | default | meaning |", "|---|---|---|---|", *rows]
    )


def _section(kind: type[BaseModel], *, level: int) -> str:
    return f"{'#' * level} {kind.__name__}\n\n{first_line(kind)}\n\n{table(kind)}\n"


def _reachable(root: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield root
    for field in root.model_fields.values():
        for kind in _classes(field.annotation):
            yield from _reachable(kind)


def _classes(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _classes(part)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, BaseModel):
        return "its defaults"
    if value is None:
        return "null"
    return f"`{_json_like(value)}`"


def _json_like(value: object) -> str:
    if isinstance(value, tuple):
        return "[]" if not value else str(list(value))
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def _meaning(kind: type[BaseModel], name: str) -> str:
    for owner in kind.__mro__:
        text = _declarations(owner).get(name, ("", ""))[1]
        if text:
            return _escaped(" ".join(text.split()))
    return ""


def _shown(kind: type[BaseModel], name: str) -> str:
    return _escaped(without_constraints(_annotation(kind, name)))


def _annotation(kind: type[BaseModel], name: str) -> str:
    for owner in kind.__mro__:
        found = _declarations(owner).get(name)
        if found:
            return found[0]
    return ""


@functools.cache
def _declarations(kind: type) -> dict[str, tuple[str, str]]:
    """Return each annotation of a class body with the text that stands under it."""
    if not issubclass(kind, BaseModel) or kind is BaseModel:
        return {}
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    found: dict[str, tuple[str, str]] = {}
    for statement, following in zip(body, [*body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign) and isinstance(
            statement.target, ast.Name
        ):
            text = _text_of(following)
            found[statement.target.id] = (ast.unparse(statement.annotation), text)
    return found


def _text_of(statement: ast.stmt | None) -> str:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return str(statement.value.value)
    return ""


def _escaped(text: str) -> str:
    return text.replace("|", r"\|")
