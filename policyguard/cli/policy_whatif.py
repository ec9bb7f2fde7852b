"""`policyguard policy whatif`: what would give a call another verdict, for operators."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from policyguard.cli.policy_matrix import policy_of
from policyguard.cli.trail_option import trail_of, trail_option

if TYPE_CHECKING:
    from rich.console import Console

    from policyguard.engines.protocol import PolicySet
    from policyguard.settings import Settings
    from policyguard.testing.whatif import Change, WhatIf
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.names import without_name_keys

_NONE: Final = 1
_UNFINISHED: Final = 2
_MOST_SHOWN: Final = 8
_HEADLINES: Final = {
    "allow": "allowed",
    "require_approval": "approval required",
    "unavailable": "unavailable",
    "deny": "denied",
}


@click.command(short_help="Find the smallest change that gives a call another verdict.")
@click.argument("call", required=False, metavar="[CALL.json]")
@click.option(
    "--decision",
    metavar="ID",
    help="A recorded decision instead: its id, the beginning of one, or its place.",
)
@click.option(
    "--policy",
    "rules",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIRECTORY",
    help="A bundle, or your own rules, which are added to the bundle. Without it what"
    " settings name, or what decided the recorded call.",
)
@click.option(
    "--mutable",
    multiple=True,
    metavar="FACT",
    help="A fact that may change, `*` for any rest of a name; repeatable. Without it"
    " those under [tool.policyguard], or else deployment, contracts and licences.",
)
@click.option(
    "--to",
    type=click.Choice(("allow", "require_approval", "unavailable", "deny")),
    help="The verdict that is wanted; without it `allow`, or for an allowed call any"
    " other.",
)
@click.option(
    "--most-facts",
    type=click.IntRange(1, 6),
    default=3,
    show_default=True,
    metavar="N",
    help="How many facts a change has at most.",
)
@click.option(
    "--evaluations",
    type=click.IntRange(1),
    default=20_000,
    show_default=True,
    metavar="N",
    help="How many calls are asked about at most.",
)
@click.option(
    "--forced",
    "forcing",
    is_flag=True,
    help="Find the smallest sets of facts that force the verdict instead: whatever all"
    " others are, it stays.",
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.option(
    "--config",
    metavar="FILE",
    help="A policyguard.toml, which names bundle, catalog and trail; without it the one"
    " that POLICYGUARD_CONFIG names, or else the shipped ones.",
)
@trail_option
@click.pass_context
def whatif(
    ctx: click.Context,
    *,
    call: str | None,
    decision: str | None,
    rules: Path | None,
    mutable: tuple[str, ...],
    to: str | None,
    most_facts: int,
    evaluations: int,
    forcing: bool,
    as_json: bool,
    config: str | None,
    directory: str | Path | None,
) -> None:
    """Find the smallest changes of mutable facts that give a call another verdict.

    CALL.json is a ModelCall, or `-` for standard input. Every smallest change is found
    and shown. This is for operators: what changes a verdict is never told to callers, and
    a fact counts only if it is declared to be mutable. Exit code 0 if a change is found,
    1 if none of so many facts is, 2 if the search was not finished.

    With --forced no fact is changed: the smallest sets of facts are found with which a
    rule objects whatever all other facts are. Exit code 0 if there is one, 2 if a rule
    objects of which none is found.
    """
    from policyguard.cli.check import read_call
    from policyguard.cli.progress import ProgressBar
    from policyguard.settings import load_settings
    from policyguard.testing.whatif import what_if

    if (call is None) == (decision is None):
        raise click.UsageError("give CALL.json, or --decision ID")
    if forcing and (mutable or to is not None):
        raise click.UsageError("--forced asks of every fact: give no --mutable or --to")
    settings = load_settings(config)
    if call is not None:
        asked, policy = read_call(call), policy_of(rules, settings)
    else:
        place = directory or (settings.trail.place() if config else trail_of(None))
        asked, policy = _recorded(str(decision), place, rules, settings)
    if forcing:
        from policyguard.cli.forced_view import show_forced

        ctx.exit(show_forced(policy, asked, as_json=as_json))
    with ProgressBar() as bar:
        found = what_if(
            policy,
            asked,
            mutable=mutable or _declared_mutable(),
            to=to,
            most_facts=most_facts,
            most=evaluations,
            progress=bar.advance,
        )
    if as_json:
        click.echo(json.dumps(_document(found), indent=2, ensure_ascii=False))
    else:
        _print(found, most_facts=most_facts)
    if found.changes:
        return
    ctx.exit(_NONE if found.searched == most_facts else _UNFINISHED)


def _declared_mutable() -> tuple[str, ...]:
    from policyguard.testing.gates import read_gates
    from policyguard.testing.whatif import MUTABLE

    declared = read_gates(Path()).mutable
    return MUTABLE if declared is None else declared


def _recorded(
    name: str, place: str | Path, rules: Path | None, settings: Settings
) -> tuple[ModelCall, PolicySet]:
    """Return a recorded call, verified, with what decided it unless told otherwise."""
    from policyguard.assembly import kept_policy
    from policyguard.cli.trail_reading import find_record, opened
    from policyguard.errors import ConfigurationError
    from policyguard.replay.recorded import read_recorded
    from policyguard.vocabulary.call import ModelCall

    reader = opened(place)
    record = find_record(reader, name, origin=None).record.id
    found = [
        item
        for log in reader.logs
        if log.find(record) is not None
        for item in read_recorded(log, only={record})
    ]
    if not found:
        raise ConfigurationError(f"`{name}` is no decision: `policyguard audit list`")
    content = found[0].content
    if content is None:
        raise ConfigurationError(
            f"the content of `{name}` was erased: nothing is known"
        )
    given: dict[str, Any] = dict(content["input"])
    if given["caller"] is not None:
        given["caller"] = {**given["caller"], "id": "x"}
    asked = ModelCall.model_validate_json(json.dumps(without_name_keys(given)))
    if rules is not None:
        return asked, policy_of(rules, settings)
    bundle, catalog = found[0].versions
    versions = reader.source.versions()
    return asked, kept_policy(versions, bundle=bundle, catalog=catalog)[1]


def _print(found: WhatIf, *, most_facts: int) -> None:
    from policyguard.cli.matrix_view import grouped
    from policyguard.cli.terminal import VERDICT_STYLE, output

    console = output()
    by = f" by {', '.join(found.answer.rules)}" if found.answer.rules else ""
    verdict = found.answer.verdict
    console.print(f"{_HEADLINES[verdict]}{by}", style=VERDICT_STYLE[verdict])
    wanted = " or ".join(_HEADLINES[name] for name in found.wanted)
    if found.changes:
        many = f"{found.size} fact{'s' if found.size > 1 else ''}"
        ways = len(found.changes)
        console.print(
            f"{wanted} after a change of {many}; no smaller one does it, and"
            f" {'this one' if ways == 1 else f'these {ways:,}'} of that size"
            f" {'does' if ways == 1 else 'do'}:"
        )
        for names, group in groupby(found.changes, key=lambda item: tuple(item.facts)):
            _print_group(console, names, list(group), found)
    elif found.searched == most_facts:
        console.print(
            f"no change of up to {most_facts} mutable facts makes it {wanted}"
        )
    else:
        console.print(
            f"not finished: no change of up to {found.searched} mutable facts makes it"
            f" {wanted}, and more are not looked at: raise --evaluations, or name fewer"
            " facts with --mutable",
            style="bold yellow",
        )
    console.print()
    console.print("what may change", style="bold")
    console.print(grouped(dict.fromkeys(found.mutable, "")))
    console.print(
        f"{found.evaluations:,} whole evaluations of bundle {found.bundle_digest[:12]},"
        f" catalog {found.catalog_digest[:12]}. For operators: callers are not told.",
        style="dim",
    )


def _print_group(
    console: Console, names: tuple[str, ...], group: list[Change], found: WhatIf
) -> None:
    """Print changes of the same facts: each alone, or what each fact may become."""
    from policyguard.cli.terminal import printable

    becomes = [list(dict.fromkeys(c.facts[name] for c in group)) for name in names]
    every = 1
    for values in becomes:
        every *= len(values)
    console.print()
    if every == len(group):
        for name, values in zip(names, becomes, strict=True):
            text = f"  {name}: {found.before[name]} → {_some(values)}"
            console.print(printable(text), soft_wrap=True)
    else:
        for change in group[:_MOST_SHOWN]:
            parts = [f"{n}: {found.before[n]} → {v}" for n, v in change.facts.items()]
            console.print(printable(f"  {' · '.join(parts)}"), soft_wrap=True)
        if len(group) > _MOST_SHOWN:
            left = len(group) - _MOST_SHOWN
            console.print(f"  and {left:,} more of these facts: `--json` has them all")
    duties = {rule for change in group for rule in change.answer.obligations}
    if duties:
        console.print(f"    with what {', '.join(sorted(duties))} obliges", style="dim")


def _some(values: list[str]) -> str:
    if len(values) == 1:
        return values[0]
    shown = ", ".join(values[:_MOST_SHOWN])
    more = f", … ({len(values)} in all)" if len(values) > _MOST_SHOWN else ""
    return f"one of {shown}{more}"


def _document(found: WhatIf) -> dict[str, Any]:
    return {
        "verdict": found.answer.verdict,
        "objecting": [list(item) for item in found.answer.objecting],
        "wanted": list(found.wanted),
        "size": found.size,
        "searched": found.searched,
        "mutable": list(found.mutable),
        "before": dict(found.before),
        "changes": [
            {
                "facts": dict(change.facts),
                "verdict": change.answer.verdict,
                "obligations": list(change.answer.obligations),
                "input": change.call,
            }
            for change in found.changes
        ],
        "evaluations": found.evaluations,
        "bundle": found.bundle_digest,
        "catalog": found.catalog_digest,
    }
