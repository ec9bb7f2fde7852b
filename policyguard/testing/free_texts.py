"""Says where a rule looks into a free text, of which a space has only some.

Of a fact that may be any text a space has those that rules compare with it, where one
names both, and `x` for all others. That is enough for a rule that asks whether it is one
of them, and not for one that asks how it begins, or hands it to a helper that compares it
with a text of its own. What is claimed of such a rule is claimed of the texts that were
asked, and no more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from policyguard.engines.tree import Path
from policyguard.testing.claims import Claim
from policyguard.testing.evaluating import VIEW
from policyguard.testing.mutants import shown_only
from policyguard.testing.relevant import also_read
from policyguard.testing.slice_forms import ANY, SHAPE, THERE
from policyguard.testing.space import Dim, concerned
from policyguard.testing.tables import Analyst
from policyguard.testing.text_uses import SIZE, TextUses

_OTHERS: Final = "x"
"""Stands in a space for every text that nobody names."""


def lowered(analyst: Analyst, claim: Claim) -> Claim:
    """Return a claim, lowered where the rule looks into a text of which others may be.

    Args:
        analyst: Who decided the rule.
        claim: What was found; one that a call shows to be broken stays.
    """
    shown = claim.tier == "VIOLATED" and claim.counterexample is not None
    if shown or claim.tier == "SAMPLED" or claim.rule not in analyst.rules:
        return claim
    names = looked_into(analyst, claim.rule)
    if not names:
        return claim
    why = f"it looks into {', '.join(names)}, of which only declared texts were asked"
    return replace(claim, tier="CHECKED", why=f"{claim.why}; {why}".lstrip("; "))


def looked_into(analyst: Analyst, rule: str) -> tuple[str, ...]:
    """Return the free texts into which a rule may look.

    Args:
        analyst: Has the rule.
        rule: Its id.
    """
    sliced = analyst.sliced(rule)
    paths = () if sliced is None else tuple(also_read(sliced.deep.facts))
    free = [
        dim
        for dim in analyst.space.dims
        if _is_free(dim)
        and (sliced is None or any(any(concerned((dim,), p)) for p in paths))
    ]
    if not free:
        return ()
    texts = analyst.texts_of(analyst.rules[rule])
    uses = TextUses(analyst.tree, analyst.policy.modules, total=VIEW[:-1])
    looked = uses.looked_into(
        [module for module in analyst.tree.modules if module.name in texts],
        idle=shown_only(analyst.tree.modules),
    )
    return tuple(
        dim.name for dim in free if any(_reaches(uses, path, dim) for path in looked)
    )


def _reaches(uses: TextUses, path: Path, dim: Dim) -> bool:
    """Say whether what is looked into may be a fact, or have it inside."""
    if path[-1:] == (SIZE,):
        # Of an object or a list it says nothing of the texts inside.
        own = path[:-1]
        same = own[-2:] == dim.path[-2:] or own[-2:] == (*dim.path[-2:-1], ANY)
        return same and not any(isinstance(value, list) for value in dim.values)
    reads = uses.reads(VIEW, path).facts if path else {()}
    return any(
        any(concerned((dim,), read))
        for read in reads
        if read[-1:] not in {(SHAPE,), (THERE,)}
    )


def _is_free(dim: Dim) -> bool:
    texts = [t for v in dim.values for t in (v if isinstance(v, list) else [v])]
    return len(dim.values) > 1 and _OTHERS in texts
