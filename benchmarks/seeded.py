"""`python -m benchmarks.seeded [--write]`: bugs of many kinds, and who finds each.

Each bug is put into a shipped rule. Then the kit is asked: does a property of the rule
break (`policy prove`), and how does it differ from the rule as it was (`policy compare`)?
With `--write` the table goes to `docs/reference/seeded-bugs.md`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from policyguard.engines.protocol import PolicySet
from policyguard.settings import Settings
from policyguard.testing.claims import Effort
from policyguard.testing.compare import compare
from policyguard.testing.policies import configured_policy
from policyguard.testing.prove import prove
from policyguard.testing.space import Space

PAGE: Final = Path(__file__).parent.parent / "docs/reference/seeded-bugs.md"
_RULES: Final = "policyguard/rules"


@dataclass(frozen=True)
class Bug:
    """Is one fault in one rule."""

    kind: str
    rule: str
    file: str
    old: str
    new: str

    def put_into(self, policy: PolicySet) -> PolicySet:
        """Return the policy with the fault."""
        text = policy.modules[self.file]
        if self.old not in text:
            raise ValueError(f"{self.file} has no `{self.old}`: write the bug anew")
        changed = text.replace(self.old, self.new, 1)
        return replace(policy, modules={**policy.modules, self.file: changed})


BUGS: Final = (
    Bug("a boundary off by one second", "VEND-01", "policyguard/facts/facts.rego",
        "some edge in dated.boundaries; edge <= _now", "some edge in dated.boundaries; edge < _now"),
    Bug("`≥` for `>`", "LIC-04", f"{_RULES}/licence/lic_01.rego",
        "figure > threshold", "figure >= threshold"),
    Bug("operator for developer", "PROC-05", f"{_RULES}/procurement/proc_05.rego",
        'made.developer.id == "anthropic"', 'input.hops[_].deployment.operator == "anthropic"'),
    Bug("first class only", "RBI-01", f"{_RULES}/sector/rbi_01.rego",
        '"financial" in input.data.classes', 'input.data.classes[0] == "financial"'),
    Bug("a hole for a missing fact", "PROC-05", f"{_RULES}/procurement/proc_05.rego",
        "input.context.dod_contract == null", 'input.context.dod_tier == "none"'),
    Bug("membership by name", "PROC-01", f"{_RULES}/procurement/proc_01.rego",
        "input.model.id in licence.models", "input.model.name in licence.models"),
    Bug("an exemption that overrides another regime", "PROC-05", f"{_RULES}/procurement/proc_05.rego",
        "input.context.dod_contract == true", "input.context.dod_contract == true\n\tinput.data.dsp_exemption == null"),
    Bug("a value that is none of the enumeration", "RES-01", f"{_RULES}/residency/res_01.rego",
        'hop.deployment.processing_scope == "global"', 'hop.deployment.processing_scope == "worldwide"'),
    Bug("a milder effect", "LIC-04", f"{_RULES}/licence/lic_04.rego",
        '"effect": "deny"', '"effect": "advise"'),
    Bug("the code of another country", "PROC-01", f"{_RULES}/procurement/proc_01.rego",
        '{"CN", "IR"', '{"TW", "IR"'),
    Bug("a condition that cannot hold", "VEND-01", f"{_RULES}/routing/vend_01.rego",
        "some hop in input.hops", 'input.purpose.kind == "sell"\n\tsome hop in input.hops'),
    Bug("a head that mentions what is not there", "FACT-01", f"{_RULES}/facts/fact_01.rego",
        '"facts": {', '"facts": {"model.maker": input.model.maker.name, '),
    Bug("a negation lost", "PROC-01", f"{_RULES}/procurement/proc_01.rego",
        "not _proc_01_waived", "_proc_01_waived"),
    Bug("a fact for its neighbour", "BLK-02", f"{_RULES}/conflict/blk_02.rego",
        "input.caller.location in", "input.caller.residence in"),
    Bug("the base models forgotten", "PROC-05", f"{_RULES}/procurement/proc_05.rego",
        "array.concat([input.model], input.model.lineage)", "input.model.lineage"),
    Bug("one status for another", "EAR-07", f"{_RULES}/ear/ear_07.rego",
        'input.caller.person_status == "foreign"', 'input.caller.person_status == "us_lpr"'),
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """Is who finds one bug, with the smallest call."""

    bug: Bug
    broken: tuple[str, ...]
    """Properties that break."""
    cases: str
    example: str


def looked_for(policy: PolicySet, bugs: tuple[Bug, ...] = BUGS) -> Iterator[Row]:
    """Yield who finds each bug."""
    space = Space.from_catalog(policy)
    for bug in bugs:
        seeded = bug.put_into(policy)
        proof = prove(
            seeded, space=space, rules=[bug.rule], effort=Effort(crosschecks=100)
        )
        diff = compare(policy, seeded, rules=[bug.rule])
        (item,) = diff.rules
        cases = [
            f"{count:,} {name}"
            for name, count in (("looser", item.looser), ("stricter", item.stricter), ("otherwise", item.otherwise))
            if count
        ]  # fmt: skip
        example = ""
        if item.flips:
            flip = item.flips[0]
            facts = ", ".join(
                f"{name} = {json.dumps(value, ensure_ascii=False)}"
                for name, value in flip.facts.items()
            )
            example = (
                f"{facts or 'as it is'}: {', '.join(flip.before) or 'nothing'} →"
                f" {', '.join(flip.after) or 'nothing'}"
            )
        yield Row(
            bug=bug,
            broken=tuple(claim.property for claim in proof.violated),
            cases=f"{', '.join(cases)} of {item.cases:,}" if cases else "",
            example=example,
        )


def page(rows: list[Row]) -> str:
    """Return the page for the docs."""
    lines = [
        "# Seeded bugs",
        "",
        (
            "Written by `python -m benchmarks.seeded --write`: each bug is put into a shipped rule,"
            " and the kit is asked. `compare` is `policyguard policy compare` with the rule as it"
            " was; its cases are the calls that either version can tell apart. A property is one"
            " of `policyguard policy prove`, which knows nothing of the rule as it was. A fact that"
            " an example does not name is as in a call to which no rule of the changed policy objects."
        ),
        "",
        "| bug | rule | change | found by | cases | smallest call |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        by = [f"prove: {name}" for name in row.broken]
        by += ["compare"] if row.cases else []
        change = f"`{_short(row.bug.old)}` → `{_short(row.bug.new)}`"
        cells = (
            row.bug.kind,
            row.bug.rule,
            change,
            ", ".join(by) or "nobody",
            row.cases,
            row.example,
        )
        lines.append(
            "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
        )
    return "\n".join(lines) + "\n"


def _short(text: str) -> str:
    return " ".join(text.split())


def main(arguments: list[str]) -> int:
    """Look for each bug; exit 1 if one is not found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args(arguments)
    rows = []
    for row in looked_for(configured_policy(Settings())):
        rows.append(row)
        print(f"{row.bug.kind}: {row.broken} {row.cases}\n  {row.example}", flush=True)
    if given.write:
        PAGE.write_text(page(rows), encoding="utf-8")
    return int(any(not row.cases and not row.broken for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
