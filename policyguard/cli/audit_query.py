"""`policyguard audit query`: the questions of auditors, and what the answer covers."""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from policyguard.cli.command_line import UNANSWERED
from policyguard.cli.progress import ProgressBar
from policyguard.cli.terminal import output
from policyguard.cli.trail_option import log_option, trail_of, trail_option

if TYPE_CHECKING:
    from policyguard.audit.query import Answer

_LIMIT = 1_000
_SECONDS = 30.0


@click.command(short_help="Ask the trail; the answer says what it covers.")
@click.argument("name", required=False)
@click.option("--sql", metavar="SELECT", help="A SELECT of your own, in place of NAME.")
@click.option(
    "--set",
    "given",
    metavar="NAME=VALUE",
    multiple=True,
    help="What the question has to be told, or a `:name` of the SELECT.",
)
@click.option("--since", metavar="TIME", help="Only records of this time or later.")
@click.option("--until", metavar="TIME", help="Only records before this time.")
@click.option(
    "--after",
    metavar="LOG:ENTRY",
    help="Only records behind this one, as `app-1:4711`: to go on where an answer ended.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=_LIMIT,
    show_default=True,
    help="The largest number of rows.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0),
    default=_SECONDS,
    show_default=True,
    help="How long the SELECT may take.",
)
@click.option(
    "--proofs",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write each row's record and its `.tlog-proof` there.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@log_option
@trail_option
@click.pass_context
def query(
    context: click.Context,
    *,
    name: str | None,
    sql: str | None,
    given: tuple[str, ...],
    since: str | None,
    until: str | None,
    after: str | None,
    limit: int,
    seconds: float,
    proofs: Path | None,
    as_json: bool,
    origin: str | None,
    directory: str | Path | None,
) -> None:
    """Ask the trail a question with a NAME, or one SELECT of your own.

    Without either, list the questions. Every record is hashed and compared with the
    signed checkpoint first, and the answer says which records it covers. A SELECT reads
    the views `decisions`, `rule_answers` and `records`, and can do nothing else.

    Exits with 2 if rows were left out by --limit: go on with --after.
    """
    from policyguard.audit.query import Question, ask, instant
    from policyguard.audit.query_index import Span
    from policyguard.cli.query_view import print_answer, print_questions
    from policyguard.cli.trail_reading import opened

    if name is None and sql is None:
        print_questions(output(), as_json=as_json)
        return
    question = Question(
        name=name,
        sql=sql,
        values=_values(given),
        span=Span(
            since=instant(since) if since else None,
            until=instant(until) if until else None,
            after=after,
        ),
        limit=limit,
        seconds=seconds,
    )
    reader = opened(trail_of(directory))
    with ProgressBar() as bar:
        answer = ask(
            question,
            reader=reader,
            logs=[reader.log(origin)] if origin else None,
            proofs=proofs,
            progress=bar.advance,
        )
    if as_json:
        click.echo(json.dumps(_document(answer), indent=2))
    else:
        print_answer(output(), answer, question=question, proofs=proofs)
    if answer.left_out:
        context.exit(UNANSWERED)


def _values(given: tuple[str, ...]) -> dict[str, str]:
    values = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise click.UsageError(f"`{item}` says nothing: give `--set name=value`")
        values[name] = value
    return values


def _json(value: Any) -> Any:
    """Return a value as JSON has it: bytes in hexadecimal, what is no number as text."""
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if isinstance(value, float) and not isfinite(value) else value


def _document(answer: Answer) -> dict[str, object]:
    return {
        "columns": answer.columns,
        "rows": [[_json(value) for value in row] for row in answer.rows],
        "complete": not answer.left_out,
        "after": answer.after,
        "covers": [
            {
                "origin": item.origin,
                "size": item.size,
                "root": item.root,
                "first": item.first,
                "matched": item.matched,
            }
            for item in answer.covered
        ],
        "proofs": answer.proofs,
    }
