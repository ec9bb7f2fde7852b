"""The cases of the demonstration: who sends what where at which instant, and the answer.

Facts are declared generously, those included that no rule of today asks for, so that
an allowed case stays allowed for the reasons that stand here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from policyguard.vocabulary.decision import Verdict

EU_HOST: Final = "api.scaleway.ai"
OWN_HOST: Final = "llm.fra-1.acme.example"
CN_HOST: Final = "open.bigmodel.cn"
_URLS: Final = {
    EU_HOST: "https://api.scaleway.ai/v1",
    OWN_HOST: "https://llm.fra-1.acme.example/v1",
    CN_HOST: "https://open.bigmodel.cn/api/paas/v4",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Is one call, and what must come of it."""

    key: str
    title: str
    """What is sent by whom, in a few words."""
    data: str
    """The data's classes and whose they are, in a few words."""
    model: str
    host: str
    at: datetime
    """The legal instant, UTC; the guard's clock shows it during the case."""
    facts: Mapping[str, Any]
    """The groups that `guard.bind` takes."""
    prompt: str
    verdict: Verdict
    rules: tuple[str, ...] = ()
    """The ids of the rules that must object, and no others with that effect."""
    obligations: tuple[str, ...] = ()
    """The types of the obligations that must come with an allowed call."""
    alternatives: tuple[str, ...] = ()
    """Hosts that the denial must offer."""
    missing: tuple[str, ...] = ()
    """Facts that the answer must name as missing."""
    stream: bool = False

    @property
    def base_url(self) -> str:
        """Return the address that the client is given."""
        return _URLS.get(self.host, f"https://{self.host}/v1")

    @property
    def hits(self) -> int:
        """Return how many requests may reach the host."""
        return 1 if self.verdict == "allow" else 0


_ACME: Final = {
    "name": "ACME Beispiel GmbH",
    "country": "DE",
    "headquarters": "DE",
    "owners": [
        {
            "name": "Familie Beispiel",
            "country": "DE",
            "listed": [],
            "share_bp": 10_000,
        }
    ],
    "listed": [],
    "annexes": [],
}
_OFFICE: Final = {"dod_contract": False, "gsa_schedule": False, "state_body": "none"}
_INFERENCE: Final = {"kind": "inference", "competes": False}
_IN_GERMANY: Final = {"establishment": "DE", "article_3": "establishment"}
_NO_TECHNOLOGY: Final = {"classification": "not_technology", "us_origin": False}

_SUPPORT: Final = {
    "caller": {
        "id": "anna@acme.example",
        "person_status": "foreign",
        "citizenships": ["DE"],
        "residence": "DE",
        "location": "DE",
        "subdivision": "DE-HE",
        "organisation": _ACME,
    },
    "data": {
        "classes": ["pii"],
        "subjects": ["DE"],
        "ear": _NO_TECHNOLOGY,
        "itar": False,
    },
    "purpose": _INFERENCE,
    "exporter": _IN_GERMANY,
    "context": _OFFICE,
}
_ENGINEER: Final = {
    "id": "dana@acme.example",
    "person_status": "us_citizen",
    "citizenships": ["US"],
    "residence": "US",
    "location": "US",
    "subdivision": "US-TX",
    "organisation": {**_ACME, "name": "ACME Example Inc.", "country": "US"},
}
_IN_TEXAS: Final = {"establishment": "US", "article_3": "none"}
_UNPUBLISHED: Final = {
    "caller": _ENGINEER,
    "data": {
        "classes": ["confidential", "source_code"],
        "subjects": [],
        "ear": {"classification": "EAR99", "us_origin": True},
        "itar": False,
    },
    "purpose": _INFERENCE,
    "exporter": _IN_TEXAS,
    "context": _OFFICE,
}
_PUBLISHED: Final = {
    **_UNPUBLISHED,
    "data": {
        "classes": ["public", "source_code"],
        "subjects": [],
        "ear": {
            "classification": "published",
            "us_origin": True,
            "evidence": "https://git.acme.example/router, public since 2026-06-20",
        },
        "itar": False,
    },
}
_FRENCH: Final = {
    "caller": {
        "id": "chloe@acme.example",
        "person_status": "foreign",
        "citizenships": ["FR"],
        "residence": "FR",
        "location": "FR",
        "subdivision": "FR-75",
        "organisation": _ACME,
    },
    "data": {
        "classes": ["public"],
        "subjects": [],
        "ear": _NO_TECHNOLOGY,
        "itar": False,
    },
    "purpose": _INFERENCE,
    "exporter": _IN_GERMANY,
    "context": _OFFICE,
}

_JULY: Final = datetime(2026, 7, 10, 12, tzinfo=UTC)
_TICKET: Final = "Anna Schmidt, Frankfurt, cannot log in since Monday. Draft a reply."
_REVIEW: Final = "Review: def route(packet): return table[packet.dst >> 8]"


def _tickets(key: str, *, host: str, verdict: Verdict, **more: Any) -> Case:
    return Case(
        key=key,
        title="support tickets",
        data="pii of people in DE",
        model="glm-5.2",
        host=host,
        at=_JULY,
        facts=_SUPPORT,
        prompt=_TICKET,
        verdict=verdict,
        **more,
    )


def _code(
    key: str, *, title: str, data: str, facts: Mapping[str, Any], **more: Any
) -> Case:
    return Case(
        key=key,
        title=title,
        data=data,
        model="glm-5.2",
        host=CN_HOST,
        at=_JULY,
        facts=facts,
        prompt=_REVIEW,
        **more,
    )


def _fable(key: str, *, month: int, day: int, verdict: Verdict, **more: Any) -> Case:
    return Case(
        key=key,
        title="French citizen in Paris",
        data="public text",
        model="claude-fable-5",
        host="api.anthropic.com",
        at=datetime(2026, month, day, 12, tzinfo=UTC),
        facts=_FRENCH,
        prompt="Summarise Article 44 GDPR in one sentence.",
        verdict=verdict,
        **more,
    )


CASES: Final = (
    _tickets(
        "tickets-cn",
        host=CN_HOST,
        verdict="deny",
        rules=("GDPR-01", "GDPR-04"),
        alternatives=(EU_HOST, OWN_HOST),
    ),
    _tickets(
        "tickets-eu",
        host=EU_HOST,
        verdict="allow",
        obligations=("record_processing",),
    ),
    _tickets(
        "tickets-own",
        host=OWN_HOST,
        verdict="allow",
        obligations=("record_processing",),
        stream=True,
    ),
    _code(
        "code-unpublished",
        title="unpublished source code",
        data="EAR99, US origin",
        facts=_UNPUBLISHED,
        verdict="deny",
        rules=("EAR-01",),
    ),
    _code(
        "code-published",
        title="the same, now published",
        data="public since 2026-06-20",
        facts=_PUBLISHED,
        verdict="allow",
    ),
    _fable("fable-before", month=6, day=11, verdict="allow"),
    _fable("fable-during", month=6, day=15, verdict="deny", rules=("EAR-07",)),
    _fable("fable-after", month=7, day=2, verdict="allow"),
    _tickets(
        "tickets-nowhere",
        host="llm.unknown.example",
        verdict="require_approval",
        rules=("FACT-02",),
        missing=("deployment",),
    ),
)
"""The cases in the order in which they are shown."""
