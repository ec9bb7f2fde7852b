"""`policyguard check`: answer one question from a file, without making a call."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from policyguard.cli.command_line import UNANSWERED, one_line
from policyguard.cli.terminal import VERDICT_STYLE, output, printable
from policyguard.errors import ConfigurationError

if TYPE_CHECKING:
    from policyguard.vocabulary.call import ModelCall
    from policyguard.vocabulary.decision import Decision

STDIN: Final = "-"
NOT_ALLOWED: Final = 1
_MAX_BYTES: Final = 1 << 20


@click.command(short_help="Answer a question from a file, without making a call.")
@click.argument("call", metavar="CALL.json")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the whole decision as JSON."
)
@click.option(
    "--config",
    metavar="FILE",
    help="A policyguard.toml; without it the one that POLICYGUARD_CONFIG names.",
)
@click.option(
    "--as-of",
    "day",
    metavar="DATE",
    type=click.DateTime(formats=["%Y-%m-%d"]),
    help="Answer with the lists as they were known on this day, as 2026-06-18, and show"
    " what is different as they are known now.",
)
@click.pass_context
def check(
    context: click.Context,
    call: str,
    *,
    as_json: bool,
    config: str | None,
    day: datetime | None,
) -> None:
    """Check a model call without making it, and record that it was checked.

    CALL.json is a ModelCall as JSON, or `-` for standard input. Exits with 0 when the
    call is allowed, with 1 when it is not, and with 2 when there is no decision. With
    --as-of it is the answer with what was known then that counts.
    """
    question = read_call(call)
    if day is not None:
        from policyguard.cli.check_as_of import check_as_of

        context.exit(
            check_as_of(question, day=day.date(), config=config, as_json=as_json)
        )
    from policyguard.assembly import build_core
    from policyguard.guard.guard import Guard
    from policyguard.settings import load_settings

    core = build_core(settings=load_settings(config), role="cli")
    with Guard.of_core(core) as guard:
        decision = guard.check(question)
    if as_json:
        # In ASCII: what a client typed is then harmless on a terminal, too.
        click.echo(json.dumps(decision.model_dump(mode="json"), indent=2))
    if decision.code is not None:
        click.echo(f"policyguard: {one_line(_no_decision(decision))}", err=True)
        context.exit(UNANSWERED)
    if not as_json:
        show(decision)
    context.exit(0 if decision.allowed else NOT_ALLOWED)


def _no_decision(decision: Decision) -> str:
    return f"no decision, so not allowed: {decision.detail} [{decision.code}]"


def show(decision: Decision) -> None:
    """Show a decision as an operator reads it."""
    from rich.text import Text

    from policyguard.guard.messages import operator_view

    text = Text("\n".join(map(printable, operator_view(decision).split("\n"))))
    style = VERDICT_STYLE[decision.verdict]
    if decision.allowed:
        text = Text.assemble(("allowed", style), ": ", text)
    else:
        text.highlight_regex(r"(?m)^[a-z ]+ by [A-Z0-9_-]+", style)
    output().print(text, soft_wrap=True)


def read_call(name: str) -> ModelCall:
    """Read a question.

    Raises:
        ConfigurationError: it cannot be read, or is no ModelCall; names the field.
    """
    from pydantic import ValidationError

    from policyguard.canonical import parse_json
    from policyguard.errors import FormatError
    from policyguard.guard.facts import explain
    from policyguard.vocabulary.call import ModelCall

    shown = "standard input" if name == STDIN else f"`{name}`"
    data = _bytes_of(name)
    try:
        # First as all parsers read it alike; then strictly, so that no text counts
        # as a truth value and no number as an instant.
        parse_json(data, max_bytes=_MAX_BYTES)
        return ModelCall.model_validate_json(data, strict=True)
    except FormatError as error:
        raise ConfigurationError(f"{shown}: {error}") from error
    except ValidationError as error:
        raise ConfigurationError(
            f"{shown} is no model call: {explain(error)}"
        ) from error


def _bytes_of(name: str) -> bytes:
    if name == STDIN:
        return sys.stdin.buffer.read(_MAX_BYTES + 1)
    try:
        with Path(name).open("rb") as file:
            return file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(
            f"cannot read `{name}`: {reason.lower()}: give the path of a model call as"
            f" JSON, or `{STDIN}` for standard input"
        ) from error
