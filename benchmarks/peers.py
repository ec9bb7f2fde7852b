"""An equivalent policy for another engine: Cedar, through the cedarpy package.

Same intent as the shipped rules on this call: personal data under the GDPR goes to
the EEA, to an adequate country or with a transfer tool; items subject to the EAR do
not go to listed operators; residency demands hold. No log, no citations, no facts
about missing facts.
"""

from __future__ import annotations

from collections.abc import Callable

import cedarpy

EEA = [
    "AT",
    "BE",
    "BG",
    "CY",
    "CZ",
    "DE",
    "DK",
    "EE",
    "ES",
    "FI",
    "FR",
    "GR",
    "HR",
    "HU",
    "IE",
    "IS",
    "IT",
    "LI",
    "LT",
    "LU",
    "LV",
    "MT",
    "NL",
    "NO",
    "PL",
    "PT",
    "RO",
    "SE",
    "SI",
    "SK",
]
ADEQUATE = "AD AR BR CA FO GG IL IM JP JE NZ KR CH GB UY".split()  # noqa: SIM905 -- the same

POLICY = f"""
permit(principal, action, resource);
forbid(principal, action, resource) when {{
  context.personal && context.exporter_in_scope && !context.transfer_tool &&
  !({list(EEA + ADEQUATE)}.containsAll(context.countries))
}};
forbid(principal, action, resource) when {{
  context.item_subject_to_ear && context.operator_listed
}};
forbid(principal, action, resource) when {{
  context.residency_demanded && !context.residency_allowed.containsAll(context.countries)
}};
""".replace("'", '"')


def cedar() -> Callable[[], object]:
    """Return a check of one call, JSON in and out, with the policy parsed before."""
    policies = cedarpy.PolicySet.from_str(POLICY)
    question = {
        "principal": 'Caller::"alice"',
        "action": 'Action::"call"',
        "resource": 'Model::"glm-5.2"',
        "context": {
            "personal": True,
            "exporter_in_scope": True,
            "transfer_tool": False,
            "countries": ["FR"],
            "item_subject_to_ear": False,
            "operator_listed": False,
            "residency_demanded": False,
            "residency_allowed": [],
        },
    }

    def check() -> object:
        answer = cedarpy.is_authorized(question, policies, [])
        if not answer.allowed:
            raise RuntimeError("the Cedar policy is not equivalent: it denies")
        return answer

    return check
