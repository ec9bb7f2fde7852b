"""`policyguard policy prove`: what holds for every call that the catalog can show."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from policyguard.cli.evidence import record_evidence, record_option
from policyguard.cli.policy_evidence import of_proof

if TYPE_CHECKING:
    from policyguard.testing.claims import Claim, Counterexample, Proof

_VIOLATED: Final = 1
_UNDECIDED: Final = 2
_OF_FACTS: Final = frozenset({"irrelevant", "no_uncovered"})
_TIERS: Final = ("PROVED", "CHECKED", "SAMPLED", "VIOLATED")


@click.command(short_help="Prove properties of rules over every call of a catalog.")
@click.argument(
    "directory",
    required=False,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="[DIRECTORY]",
)
@click.option(
    "--rule", "rules", multiple=True, metavar="ID", help="Only this rule; repeatable."
)
@click.option(
    "--property",
    "properties",
    multiple=True,
    metavar="NAME",
    help="fail_closed, monotone_classes, monotone_lists, reachable or"
    " allow_iff_nothing_objects, which are decided without it; or order_independent,"
    " same_instant, boundary_exact, monotone_time, no_dead_condition, irrelevant,"
    " no_uncovered; repeatable.",
)
@click.option(
    "--fact",
    "facts",
    multiple=True,
    metavar="NAME",
    help="What `irrelevant` and `no_uncovered` are about, as data.classes; repeatable.",
)
@click.option(
    "--views",
    type=click.IntRange(1),
    default=25_000,
    show_default=True,
    metavar="N",
    help="The most views of one condition that are asked; of more, calls are drawn.",
)
@click.option(
    "--samples",
    type=click.IntRange(1),
    default=400,
    show_default=True,
    metavar="N",
    help="How many calls are drawn for a rule that tells more views apart.",
)
@click.option(
    "--crosschecks",
    type=click.IntRange(0),
    default=5_000,
    show_default=True,
    metavar="N",
    help="How many whole evaluations are compared with what was decided.",
)
@click.option(
    "--kinds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    metavar="N",
    help="How many kinds of call are shown that break one property: they differ in the"
    " fact that changes, or in what the rule found before.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    metavar="N",
    help="How many processes decide; without it one for each core.",
)
@click.option(
    "--config",
    metavar="FILE",
    help="A policyguard.toml, which names bundle and catalog; without it the shipped.",
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@record_option
@click.pass_context
def prove(
    ctx: click.Context,
    *,
    directory: Path | None,
    rules: tuple[str, ...],
    properties: tuple[str, ...],
    facts: tuple[str, ...],
    views: int,
    samples: int,
    crosschecks: int,
    kinds: int,
    jobs: int | None,
    config: str | None,
    as_json: bool,
    recording: bool,
) -> None:
    """Decide properties of rules for every call that can be made of a catalog.

    DIRECTORY is a bundle, or your own rules, which are added to the bundle. PROVED:
    every call that the rule can tell apart was decided. CHECKED: it falls silent, and another
    rule objected in each call tried. SAMPLED: calls were drawn at random. VIOLATED: a
    call is shown to which nobody objects. Exit code 0 if all is proved, 1 if something
    is violated, 2 if something is undecided.
    """
    from policyguard.cli.progress import ProgressBar
    from policyguard.settings import load_settings
    from policyguard.testing.claims import Effort
    from policyguard.testing.policies import configured_policy, policy_in
    from policyguard.testing.properties import property_named
    from policyguard.testing.prove import prove as decide

    settings = load_settings(config)
    policy = (
        configured_policy(settings)
        if directory is None
        else policy_in(directory, settings)
    )
    with ProgressBar() as bar:
        proof = decide(
            policy,
            properties=[
                property_named(name, facts=facts if name in _OF_FACTS else ())
                for name in properties
            ],
            rules=rules,
            effort=Effort(
                views=views, samples=samples, crosschecks=crosschecks, kinds=kinds
            ),
            jobs=jobs or os.cpu_count() or 1,
            progress=bar.advance,
        )
    if as_json:
        click.echo(json.dumps(_document(proof), indent=2, ensure_ascii=False))
    else:
        _print(proof)
    if recording:
        evidence = of_proof(proof, policy=policy, document=_document(proof))
        record_evidence(evidence, settings=settings, place=None)
    ctx.exit(_VIOLATED if proof.violated else _UNDECIDED if proof.undecided else 0)


def _print(proof: Proof) -> None:
    from policyguard.cli.terminal import output, plain_table
    from policyguard.testing.properties import PROPERTIES

    console = output()
    console.print(
        f"space {proof.calls:.1e} calls of {proof.dims} facts, unknown ones included"
        f" ({proof.space_digest[:12]})",
    )
    console.print(
        f"bundle {proof.bundle_digest[:12]}, catalog {proof.catalog_digest[:12]}:"
        f" {proof.evaluations:,} evaluations in {proof.seconds:.1f} s, and"
        f" {proof.crosschecks:,} cross-checks that agree",
        soft_wrap=True,
    )
    table = plain_table()
    table.add_column("property")
    for tier in _TIERS:
        table.add_column(tier.lower(), justify="right")
    for name in sorted({claim.property for claim in proof.claims}):
        own = [claim for claim in proof.claims if claim.property == name]
        counts = (str(sum(claim.tier == tier for claim in own)) for tier in _TIERS)
        table.add_row(name, *counts)
    console.print(table)
    for claim in sorted(proof.claims, key=lambda claim: _TIERS.index(claim.tier)):
        if claim.tier == "VIOLATED":
            console.print(f"VIOLATED {claim.property} {claim.rule}", style="bold red")
            _print_broken(claim, PROPERTIES[claim.property].says)
        elif claim.tier != "PROVED":
            console.print(f"{claim.tier} {claim.property} {claim.rule}: {_why(claim)}")


def _why(claim: Claim) -> str:
    if claim.tier == "CHECKED":
        return f"{claim.why} ({claim.broken:,} of {claim.cases:,} calls)"
    return (
        f"{claim.cases:,} calls drawn, less than {claim.bound:.2%} break it with 95 %"
        f" confidence; {claim.why}"
    )


def _print_broken(claim: Claim, text: str) -> None:
    from policyguard.cli.terminal import output

    console = output()
    console.print(f"  not so: {text}")
    console.print(f"  {claim.broken:,} of {claim.cases:,} calls that it can tell apart")
    if claim.counterexample is None:
        said = claim.why or "no call of the space makes it find anything"
        console.print(f"  {said}", soft_wrap=True)
        return
    for place, found in enumerate(claim.counterexamples()):
        facts = " · ".join(
            f"{name} = {_text(value)}" for name, value in found.facts.items()
        )
        word = "another kind" if place else "smallest"
        console.print(f"  {word}: {facts or 'as it is'}", soft_wrap=True)
        # Of calls that were drawn nothing was counted.
        counted = "" if found.cases is None else f" ({found.cases:,} calls)"
        console.print(
            f"  {', '.join(found.before) or 'nothing'} →"
            f" {', '.join(found.after) or 'nothing'}, when {found.changed} ="
            f" {_text(found.value)}{counted}",
            soft_wrap=True,
        )


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _document(proof: Proof) -> dict[str, Any]:
    return {
        "bundle": proof.bundle_digest,
        "catalog": proof.catalog_digest,
        "space": {
            "digest": proof.space_digest,
            "facts": proof.dims,
            "calls": str(proof.calls),
        },
        "evaluations": proof.evaluations,
        "crosschecks": proof.crosschecks,
        "claims": [
            {
                "property": claim.property,
                "rule": claim.rule,
                "tier": claim.tier,
                "cases": claim.cases,
                "broken": claim.broken,
                "bound": claim.bound,
                "why": claim.why,
                "counterexample": _counterexample(claim.counterexample),
                "others": [_counterexample(found) for found in claim.others],
            }
            for claim in proof.claims
        ],
    }


def _counterexample(found: Counterexample | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "facts": dict(found.facts),
        "changed": found.changed,
        "value": found.value,
        "before": list(found.before),
        "after": list(found.after),
        "cases": found.cases,
        "input": found.call,
    }
