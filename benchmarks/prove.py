"""`python -m benchmarks.prove [--write] [--json] [--jobs N]`: all shipped rules over the whole catalog.

Proves every property of every rule over every declared fact value, unknown included, and
says how long that took and how much memory. With `--write` the claims go to
`docs/reference/proved.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks.meant import MEANT, reasons, why_meant
from policyguard.engines.protocol import PolicySet
from policyguard.settings import Settings
from policyguard.testing.claims import (
    ALLOW,
    DECIDED,
    Claim,
    Counterexample,
    Effort,
    Proof,
)
from policyguard.testing.policies import configured_policy
from policyguard.testing.properties import PROPERTIES
from policyguard.testing.prove import prove
from policyguard.testing.space import Space

PAGE: Final = Path(__file__).parent.parent / "docs/reference/proved.md"
SECONDS: Final = 60
MEGABYTES: Final = 2_000
_LARGE: Final = 10_000_000


_WHY: Final = (
    "*Proved* rests on two things that the cross-checks watch and no proof covers: the",
    "view of the facts exists, and groups and rows of countries are looked up by one name",
    "at a time. Each exception is meant, with its reason, or marked **open**. Where a meant",
    "one can be left out of the space, the rest of the calls is decided for itself.",
    "",
    "`tenant.retention_max_days` is a demand and no fact: whoever makes none has none.",
    "",
)


def rest_of(policy: PolicySet) -> dict[str, Claim]:
    """Decide `fail_closed` of the rules with a meant exception, on the calls without it."""
    found = {}
    for item in MEANT:
        if item.rest:
            space = Space.from_catalog(policy, **item.rest)  # type: ignore[arg-type]
            proof = prove(
                policy,
                space=space,
                properties=["fail_closed"],
                rules=[item.rule],
                effort=Effort(crosschecks=100),
            )
            found[item.rule] = proof.claims[0]
    return found


def page(proof: Proof, rest: Mapping[str, Claim]) -> str:
    """Return the page for the docs."""
    names = list(DECIDED)
    lines = [
        "# What is proved of the shipped rules",
        "",
        (
            "Written by `python -m benchmarks.prove --write`, over the shipped bundle"
            f" (`{proof.bundle_digest[:12]}`) and catalog (`{proof.catalog_digest[:12]}`), for"
            f" {proof.calls:.1e} calls of {proof.dims} facts, unknown ones included (space"
            f" `{proof.space_digest[:12]}`), with {proof.crosschecks:,} whole evaluations that"
            " agree with what was decided. {doc}`../how-to/prove-your-rules` says what the words"
            " mean."
        ),
        "",
        "| property | proved | checked | sampled | violated |",
        "|---|---|---|---|---|",
    ]
    for name in names:
        own = [claim for claim in proof.claims if claim.property == name]
        counts = [
            str(sum(claim.tier == tier for claim in own))
            for tier in ("PROVED", "CHECKED", "SAMPLED", "VIOLATED")
        ]
        lines.append(f"| {PROPERTIES[name].says} (`{name}`) | {' | '.join(counts)} |")
    # How findings become a decision is no rule's own.
    own_names = [name for name in names if name != ALLOW]
    lines += ["", f"| rule | {' | '.join(f'`{name}`' for name in own_names)} |"]
    lines.append("|---|" + "---|" * len(own_names))
    by_rule: dict[str, dict[str, Claim]] = {}
    for claim in (item for item in proof.claims if item.property != ALLOW):
        by_rule.setdefault(claim.rule, {})[claim.property] = claim
    for rule, claims in by_rule.items():
        lines.append(f"| {rule} | {' | '.join(_cell(claims[n]) for n in own_names)} |")
    lines += ["", "## What breaks, and what is not proved", "", *_WHY, ""]
    for claim in proof.claims:
        if claim.tier == "VIOLATED":
            lines += [
                f"- **{claim.rule}** `{claim.property}`: {_broken(found)}."
                f" {'**Open**.' if why is None else f'Meant: {why}.'}"
                for found, why in reasons(claim)
            ]
    for claim in proof.claims:
        if claim.tier == "CHECKED":
            lines.append(
                f"- {claim.rule} `{claim.property}`: {claim.why} ({claim.broken:,} of"
                f" {claim.cases:,} calls that it tells apart)"
            )
    lines += [
        "",
        "## Without what is meant",
        "",
        "| rule | calls of which | |",
        "|---|---|---|",
    ]
    lines += [
        f"| {item.rule} | {item.of} | {_cell(rest[item.rule])} |"
        for item in MEANT
        if item.rest
    ]
    return "\n".join(lines) + "\n"


def _cell(claim: Claim) -> str:
    if claim.tier == "PROVED":
        return f"proved {claim.why}".strip() + f", {_number(claim.cases)}"
    if claim.tier == "SAMPLED":
        return f"sampled, < {claim.bound:.2%}"
    return claim.tier.lower()


def _number(cases: int) -> str:
    return f"{cases:,}" if cases < _LARGE else f"{cases:.0e}".replace("e+", "e")


def _broken(found: Counterexample | None) -> str:
    if found is None:
        return "no call of the catalog makes it find anything"
    facts = ", ".join(
        f"`{name}` = `{json.dumps(value)}`" for name, value in found.facts.items()
    )
    return (
        f"{', '.join(found.before)} → nothing, where {facts}, when `{found.changed}` ="
        f" `{json.dumps(found.value)}`"
        + ("" if found.cases is None else f" ({_number(found.cases)} calls)")
    )


def main(arguments: list[str]) -> int:
    """Prove, and say what it cost beside the targets; no benchmark fails a build."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args(arguments)
    policy = configured_policy(Settings())
    proof = prove(policy, jobs=given.jobs)
    own, others = (
        resource.getrusage(who)
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    # Of processes beside one another the largest is known: none is larger.
    megabytes = (
        own.ru_maxrss + (given.jobs > 1) * given.jobs * others.ru_maxrss
    ) / 1024
    tiers = {
        tier: sum(claim.tier == tier for claim in proof.claims)
        for tier in ("PROVED", "CHECKED", "SAMPLED", "VIOLATED")
    }
    figures = {
        "seconds": round(proof.seconds, 1),
        "target_seconds": SECONDS,
        "cpu_seconds": round(sum(u.ru_utime + u.ru_stime for u in (own, others)), 1),
        "jobs": given.jobs,
        "megabytes": round(megabytes),
        "target_megabytes": MEGABYTES,
        "evaluations": proof.evaluations,
        "crosschecks": proof.crosschecks,
        **tiers,
        "open": sum(why_meant(claim) is None for claim in proof.violated),
    }
    print(json.dumps(figures) if given.json else figures)
    if given.write:
        PAGE.write_text(page(proof, rest_of(policy)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
