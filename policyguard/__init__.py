"""Asks before each model call whether it may be made, and proves later that it asked.

    from policyguard import Guard

    guard = Guard()
    support = guard.bind(
        caller="alice@example.com",
        data={"classes": ["pii"], "subjects": ["DE"]},
        purpose="inference",
        exporter="DE",
    )
    reply = support.call(client.chat.completions.create, model=…, messages=…)

A call that may not be made raises `PolicyDenied`, `ApprovalRequired`,
`ModelUnavailable` or `NoDecision`; each says why and carries the decision.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

from policyguard.version import __version__

if TYPE_CHECKING:
    from policyguard.errors import (
        ApprovalRequired,
        BundleError,
        CannotProtect,
        CatalogError,
        ConfigurationError,
        EngineError,
        ModelUnavailable,
        NoDecision,
        NotAllowed,
        PolicyDenied,
        PolicyGuardError,
        TrailError,
        VerificationError,
    )
    from policyguard.guard.facts import FROM_CONTEXT, context
    from policyguard.guard.guard import Guard
    from policyguard.guard.refusal import denial_of
    from policyguard.guard.threads import copy_context
    from policyguard.settings import Settings, load_settings
    from policyguard.vocabulary.call import Caller, DataFacts, ModelCall, Tenant
    from policyguard.vocabulary.decision import Advice, Decision, Finding, Obligation
    from policyguard.vocabulary.record import AuditRecord

_HOME: Final = {
    "Advice": "policyguard.vocabulary.decision",
    "ApprovalRequired": "policyguard.errors",
    "AuditRecord": "policyguard.vocabulary.record",
    "BundleError": "policyguard.errors",
    "Caller": "policyguard.vocabulary.call",
    "CannotProtect": "policyguard.errors",
    "CatalogError": "policyguard.errors",
    "ConfigurationError": "policyguard.errors",
    "DataFacts": "policyguard.vocabulary.call",
    "Decision": "policyguard.vocabulary.decision",
    "EngineError": "policyguard.errors",
    "FROM_CONTEXT": "policyguard.guard.facts",
    "Finding": "policyguard.vocabulary.decision",
    "Guard": "policyguard.guard.guard",
    "ModelCall": "policyguard.vocabulary.call",
    "ModelUnavailable": "policyguard.errors",
    "NoDecision": "policyguard.errors",
    "NotAllowed": "policyguard.errors",
    "Obligation": "policyguard.vocabulary.decision",
    "PolicyDenied": "policyguard.errors",
    "PolicyGuardError": "policyguard.errors",
    "Settings": "policyguard.settings",
    "Tenant": "policyguard.vocabulary.call",
    "TrailError": "policyguard.errors",
    "VerificationError": "policyguard.errors",
    "context": "policyguard.guard.facts",
    "copy_context": "policyguard.guard.threads",
    "denial_of": "policyguard.guard.refusal",
    "load_settings": "policyguard.settings",
}
# A name is imported when it is first used: a program that asks only for the version,
# or only verifies a trail, does not load engine and policies.


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module `policyguard` has no name `{name}`")
    value: object = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)


__all__ = [  # noqa: RUF022 -- in plain order of characters, constants not apart
    "Advice",
    "ApprovalRequired",
    "AuditRecord",
    "BundleError",
    "Caller",
    "CannotProtect",
    "CatalogError",
    "ConfigurationError",
    "DataFacts",
    "Decision",
    "EngineError",
    "FROM_CONTEXT",
    "Finding",
    "Guard",
    "ModelCall",
    "ModelUnavailable",
    "NoDecision",
    "NotAllowed",
    "Obligation",
    "PolicyDenied",
    "PolicyGuardError",
    "Settings",
    "Tenant",
    "TrailError",
    "VerificationError",
    "__version__",
    "context",
    "copy_context",
    "denial_of",
    "load_settings",
]
