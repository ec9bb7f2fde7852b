"""Makes evidence of proofs and comparisons: what they claim, of which policy, how surely."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from policyguard.cli.evidence import Evidence

if TYPE_CHECKING:
    from policyguard.engines.protocol import PolicySet
    from policyguard.testing.claims import Proof
    from policyguard.testing.claims import Tier as Claimed
    from policyguard.testing.compare import Diff
    from policyguard.vocabulary.record import Tier


def of_proof(
    proof: Proof, *, policy: PolicySet, document: Mapping[str, Any]
) -> Evidence:
    """Return a proof as evidence; its tier is that of its weakest claim.

    Args:
        proof: What was decided.
        policy: Of what.
        document: What `--json` prints.
    """
    tiers = Counter(claim.tier for claim in proof.claims)
    order: tuple[tuple[Claimed, Tier], ...] = (
        ("VIOLATED", "violated"),
        ("SAMPLED", "sampled"),
        ("CHECKED", "checked"),
    )
    tier: Tier = next((name for key, name in order if tiers[key]), "proved")
    counts = {"claims": len(proof.claims), "crosschecks": proof.crosschecks}
    return _evidence(
        Evidence(
            examined="proof",
            tier=tier,
            counts={
                **counts,
                **{key.lower(): count for key, count in sorted(tiers.items())},
            },
            document=document,
        ),
        policy,
    )


def of_comparison(
    diff: Diff, *, policy: PolicySet, document: Mapping[str, Any]
) -> Evidence:
    """Return a comparison as evidence about the new policy; the document names both.

    Args:
        diff: What differs.
        policy: The new policy.
        document: What `--json` prints.
    """
    relations = Counter(item.relation for item in diff.rules)
    sampled = any(item.tier == "SAMPLED" for item in diff.rules)
    return _evidence(
        Evidence(
            examined="comparison",
            tier="sampled" if sampled else "proved",
            counts={
                "compared": len(diff.rules),
                "same": diff.same,
                "new_access": len(diff.access),
                "windows": len(diff.windows),
                **dict(sorted(relations.items())),
            },
            document=document,
        ),
        policy,
    )


def _evidence(evidence: Evidence, policy: PolicySet) -> Evidence:
    from dataclasses import replace

    from policyguard.vocabulary.decision import BundleRef, CatalogRef

    data: Any = policy.data
    return replace(
        evidence,
        bundle=BundleRef(
            revision=data["policyguard"]["rulebook"]["revision"],
            digest=policy.bundle_digest,
        ),
        catalog=CatalogRef(
            version=data["catalog"]["version"], digest=policy.catalog_digest
        ),
    )
