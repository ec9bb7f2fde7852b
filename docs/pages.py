"""The generated parts of the reference: fragments that hand-written pages include."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

import click
from pydantic import BaseModel, TypeAdapter

import policyguard
from benchmarks import detection
from docs import watched
from docs.docstrings import as_markdown, first_line
from docs.fields import table, tables
from policyguard import errors
from policyguard.audit.query_canned import CANNED
from policyguard.audit.query_columns import VIEWS
from policyguard.catalog.schema import CatalogFile
from policyguard.cli import main as command_line
from policyguard.settings import Settings
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.decision import Advice, Decision, Finding, Obligation
from policyguard.vocabulary.record import (
    AUDIT_RECORD,
    DecisionRecord,
    EvidenceRecord,
    GenesisRecord,
    KeyRotateRecord,
    OutcomeRecord,
    PolicyLoadRecord,
    PolicyRejectRecord,
)

_NOTE: Final = "<!-- written by `python -m docs.generate`: do not edit -->\n\n"
_WIDTH: Final = 80
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_READ: Final = (ModelCall, Settings, CatalogFile)
_WRITTEN: Final = (Decision, Finding, Obligation, Advice)


def fragments() -> Mapping[str, str]:
    """Return each generated fragment by its file name."""
    made = {
        "cli.md": _cli(),
        "detection.md": _detection(),
        "errors.md": _errors(),
        "input.md": tables(ModelCall, level=2),
        "python.md": "\n".join(_python()),
        "record.md": tables(
            GenesisRecord,
            DecisionRecord,
            OutcomeRecord,
            PolicyLoadRecord,
            PolicyRejectRecord,
            KeyRotateRecord,
            EvidenceRecord,
        ),
        "settings.md": tables(Settings, level=2),
        "views.md": _views(),
        "watched.md": watched.page(),
    }
    return {name: f"{_NOTE}{text.rstrip()}\n" for name, text in made.items()}


def _detection() -> str:
    faults = "\n".join(detection.faults("held"))
    return "\n".join(detection.table()) + f"\n\nIn the part held out:\n\n{faults}\n"


def schemas() -> Mapping[str, str]:
    """Return each JSON Schema (draft 2020-12) by its file name."""
    made = {kind.__name__: kind.model_json_schema() for kind in _READ}
    made |= {
        kind.__name__: kind.model_json_schema(mode="serialization") for kind in _WRITTEN
    }
    made["AuditRecord"] = _record_schema(AUDIT_RECORD)
    return {
        f"{name}.json": json.dumps(
            {"$schema": _DIALECT, "title": name, **schema}, indent=2, sort_keys=True
        )
        + "\n"
        for name, schema in made.items()
    }


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield each command of the command line with its full name, groups included."""
    yield from _commands("policyguard", command_line)


def error_classes() -> tuple[type[errors.PolicyGuardError], ...]:
    """Return every exception of the project, in the order of the source."""
    return tuple(
        thing
        for thing in vars(errors).values()
        if isinstance(thing, type) and issubclass(thing, errors.PolicyGuardError)
    )


def _record_schema(adapter: TypeAdapter[Any]) -> dict[str, object]:
    return adapter.json_schema()


def _commands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for short in sorted(command.commands):
            yield from _commands(f"{name} {short}", command.commands[short])


def _cli() -> str:
    parts: list[str] = []
    for name, command in commands():
        context = click.Context(
            command,
            info_name=name,
            terminal_width=_WIDTH,
            max_content_width=_WIDTH,
            # Inherited from the group when the program runs.
            help_option_names=command_line.context_settings["help_option_names"],
        )
        parts += [f"## {name}", "", "```none", command.get_help(context), "```", ""]
    return "\n".join(parts)


def _views() -> str:
    parts: list[str] = []
    for name, (meaning, columns) in VIEWS.items():
        rows = [f"| `{item.name}` | {item.type} | {item.meaning} |" for item in columns]
        heading = ["| column | type | is |", "|---|---|---|"]
        parts += [f"## `{name}`", "", f"{meaning[0].upper()}{meaning[1:]}.", ""]
        parts += [*heading, *rows, ""]
    questions = [
        f"### `{item.name}`\n\n{item.answers[0].upper()}{item.answers[1:]}.\n\n"
        f"```sql\n{item.sql.strip()}\n```\n"
        for item in CANNED.values()
    ]
    return "\n".join([*parts, "## Questions with a name", "", *questions])


def _errors() -> str:
    drawn = inspect.cleandoc(errors.__doc__ or "").split("\n\n")[1]
    tree = inspect.cleandoc(drawn)
    rows = [
        f"| `{kind.__name__}` | `{kind.__bases__[0].__name__}` | {first_line(kind)} |"
        for kind in error_classes()
    ]
    heading = ["| error | kind of | meaning |", "|---|---|---|"]
    return "\n".join(["```none", tree, "```", "", *heading, *rows])


def _python() -> Iterator[str]:
    for name in sorted(policyguard.__all__):
        thing = getattr(policyguard, name)
        yield f"## `{name}`\n"
        if isinstance(thing, type) and issubclass(thing, BaseModel):
            yield f"{first_line(thing)}\n\n{table(thing)}\n"
        elif isinstance(thing, type) and issubclass(thing, BaseException):
            yield f"{first_line(thing)} See [errors](errors.md).\n"
        elif isinstance(thing, type):
            yield f"{as_markdown(thing)}\n"
            yield from _methods(thing)
        elif name == "AuditRecord":
            kinds = ", ".join(f"`{kind.__name__}`" for kind in _kinds_of_record())
            yield f"Is one of {kinds}; see [the record](record.md).\n"
        elif name == "FROM_CONTEXT":
            yield "Is what `Guard.bind` takes as `caller` who has to come from a context.\n"
        elif callable(thing):
            yield f"```python\n{_signature(name, thing)}\n```\n\n{as_markdown(thing)}\n"
        else:
            yield "Is the version of the package, as text.\n"


def _kinds_of_record() -> tuple[type, ...]:
    return get_args(get_args(policyguard.AuditRecord)[0])


def _methods(owner: type) -> Iterator[str]:
    for name, raw in vars(owner).items():
        public = not name.startswith("_") or name == "__init__"
        if isinstance(raw, property) and public:
            yield f"### `{owner.__name__}.{name}`\n\n{as_markdown(raw)}\n"
            continue
        plain = raw.__func__ if isinstance(raw, classmethod) else raw
        if not public or not inspect.isfunction(plain):
            continue
        shown = owner.__name__ if name == "__init__" else f"{owner.__name__}.{name}"
        yield f"### `{shown}()`\n"
        yield f"```python\n{_signature(shown, plain)}\n```\n\n{as_markdown(plain)}\n"


def _signature(name: str, function: object) -> str:
    if not callable(function):
        return name
    signature = inspect.signature(function)
    if "." not in name and name[:1].isupper():
        # Of a constructor nobody reads what it returns.
        signature = signature.replace(return_annotation=inspect.Signature.empty)
    kept = [
        item
        for item in signature.parameters.values()
        if item.name not in {"self", "cls"}
    ]
    shown = signature.replace(
        parameters=[item.replace(annotation=_bare(item.annotation)) for item in kept],
        return_annotation=_bare(signature.return_annotation),
    )
    keyword = "async def" if inspect.iscoroutinefunction(function) else "def"
    flat = f"{keyword} {name}{shown}"
    return flat if len(flat) <= _WIDTH else _folded(keyword, name, shown)


def _folded(keyword: str, name: str, signature: inspect.Signature) -> str:
    """Write a signature with one argument a line."""
    lines: list[str] = []
    kind = None
    for item in signature.parameters.values():
        if kind is inspect.Parameter.POSITIONAL_ONLY and item.kind is not kind:
            lines.append("    /,")
        if item.kind is inspect.Parameter.KEYWORD_ONLY and kind is not item.kind:
            lines.append("    *,")
        lines.append(f"    {item},")
        kind = item.kind
    arrow = signature.return_annotation
    tail = "" if arrow is inspect.Signature.empty else f" -> {arrow}"
    return "\n".join([f"{keyword} {name}(", *lines, f"){tail}"])


class _Bare:
    """Shows an annotation as it is written in the source, without quotes."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _bare(annotation: object) -> object:
    return _Bare(annotation) if isinstance(annotation, str) else annotation
