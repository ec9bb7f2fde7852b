"""`policyguard policy compare`: what a change of rules or catalog opens and closes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from policyguard.cli.evidence import record_evidence, record_option
from policyguard.cli.policy_evidence import of_comparison
from policyguard.errors import ConfigurationError

if TYPE_CHECKING:
    from policyguard.engines.protocol import PolicySet
    from policyguard.settings import Settings
    from policyguard.testing.compare import Diff, RuleDiff

_LOOSER: Final = 1
_UNDECIDED: Final = 2
_path: Final = click.Path(exists=True, path_type=Path)


@click.command(short_help="Say what a change of rules or catalog opens and closes.")
@click.argument("old", type=_path, metavar="OLD")
@click.argument("new", type=_path, required=False, metavar="[NEW]")
@click.option(
    "--against",
    metavar="REVISION",
    help="Compare OLD as it is with what it was in a revision of git.",
)
@click.option(
    "--views",
    type=click.IntRange(1),
    default=60_000,
    show_default=True,
    metavar="N",
    help="The most pairs of views of one rule that are compared; of more, calls are drawn.",
)
@click.option(
    "--samples",
    type=click.IntRange(1),
    default=400,
    show_default=True,
    metavar="N",
    help="How many calls are drawn for such a rule.",
)
@click.option(
    "--config", metavar="FILE", help="A policyguard.toml, which names the catalog."
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@record_option
@click.pass_context
def compare(
    ctx: click.Context,
    *,
    old: Path,
    new: Path | None,
    against: str | None,
    views: int,
    samples: int,
    config: str | None,
    as_json: bool,
    recording: bool,
) -> None:
    """Compare what two policies find, for every call that can be made of the catalog.

    OLD and NEW are each a directory, of a bundle or of your own rules, or a
    policyguard.toml, whose bundle and catalog are taken. Of each rule that differs it is
    said whether it is stricter, looser or incomparable, in how many cases, with the
    smallest call. Exit code 0 if no rule objects less than before, 1 if one does, 2 if
    that is undecided.
    """
    from policyguard.cli.progress import ProgressBar
    from policyguard.settings import load_settings
    from policyguard.testing.claims import Effort
    from policyguard.testing.compare import compare as differences
    from policyguard.testing.policies import policy_at

    settings = load_settings(config)
    if (new is None) == (against is None):
        raise ConfigurationError("what is OLD compared with? give NEW, or --against")
    if new is not None:
        before, after = _policy(old, settings), _policy(new, settings)
    else:
        before = policy_at(old, str(against), settings)
        after = _policy(old, settings)
    with ProgressBar() as bar:
        diff = differences(
            before,
            after,
            effort=Effort(views=views, samples=samples),
            progress=bar.advance,
        )
    if as_json:
        click.echo(json.dumps(_document(diff), indent=2, ensure_ascii=False))
    else:
        _print(diff)
    if recording:
        evidence = of_comparison(diff, policy=after, document=_document(diff))
        record_evidence(evidence, settings=settings, place=None)
    loosened = diff.loosened or diff.windows
    ctx.exit(_LOOSER if loosened else _UNDECIDED if diff.undecided else 0)


def _policy(path: Path, settings: Settings) -> PolicySet:
    from policyguard.settings import load_settings
    from policyguard.testing.policies import configured_policy, policy_in

    if path.is_dir():
        return policy_in(path, settings)
    return configured_policy(load_settings(str(path)))


def _print(diff: Diff) -> None:
    from policyguard.cli.terminal import output

    console = output()
    console.print(
        f"{diff.relation}: {len(diff.rules)} rules compared over {diff.calls:.1e} calls"
        f" ({diff.space_digest[:12]}) in {diff.seconds:.1f} s; {diff.same} are the same"
        " text on the same catalog",
        soft_wrap=True,
    )
    console.print(
        f"bundle {diff.old_digest[:12]} → {diff.new_digest[:12]}, catalog"
        f" {diff.old_catalog[:12]} → {diff.new_catalog[:12]}",
        soft_wrap=True,
    )
    for rule in diff.windows:
        console.print(f"{rule} is in force at other times, or otherwise")
    for item in diff.rules:
        if item.relation != "equivalent" or item.tier == "SAMPLED":
            style = "bold red" if item.looser else None
            console.print(f"{item.relation} {item.rule}: {_counts(item)}", style=style)
            _print_flips(item)


def _counts(item: RuleDiff) -> str:
    parts = [
        f"{count:,} {name}"
        for name, count in (
            ("stricter", item.stricter),
            ("looser", item.looser),
            ("otherwise", item.otherwise),
        )
        if count
    ]
    what = "cases" if item.tier == "PROVED" else "calls drawn"
    why = f"; {item.why}" if item.why else ""
    return f"{', '.join(parts) or 'no difference'} of {item.cases:,} {what}{why}"


def _print_flips(item: RuleDiff) -> None:
    from policyguard.cli.terminal import output

    for flip in item.flips:
        facts = " · ".join(
            f"{name} = {json.dumps(value, ensure_ascii=False)}"
            for name, value in flip.facts.items()
        )
        opened = "  NEW ACCESS: nothing objects any more" if flip.access else ""
        output().print(
            f"  {', '.join(flip.before) or 'nothing'} →"
            f" {', '.join(flip.after) or 'nothing'}  when {facts or 'nothing is said'}"
            f"{opened}",
            soft_wrap=True,
        )


def _document(diff: Diff) -> dict[str, Any]:
    return {
        "relation": diff.relation,
        "bundle": {"old": diff.old_digest, "new": diff.new_digest},
        "catalog": {"old": diff.old_catalog, "new": diff.new_catalog},
        "space": {"digest": diff.space_digest, "calls": str(diff.calls)},
        "same": diff.same,
        "windows": list(diff.windows),
        "rules": [
            {
                "rule": item.rule,
                "relation": item.relation,
                "tier": item.tier,
                "cases": item.cases,
                "stricter": item.stricter,
                "looser": item.looser,
                "otherwise": item.otherwise,
                "why": item.why,
                "flips": [
                    {
                        "facts": dict(flip.facts),
                        "before": list(flip.before),
                        "after": list(flip.after),
                        "new_access": flip.access,
                        "input": flip.call,
                    }
                    for flip in item.flips
                ],
            }
            for item in diff.rules
        ],
    }
