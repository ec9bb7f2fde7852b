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
from policyguard.guard.facts import context
from policyguard.guard.guard import Guard
from policyguard.guard.refusal import denial_of
from policyguard.settings import Settings, load_settings
from policyguard.version import __version__
from policyguard.vocabulary.call import Caller, DataFacts, ModelCall, Tenant
from policyguard.vocabulary.decision import Advice, Decision, Finding, Obligation
from policyguard.vocabulary.record import AuditRecord

__all__ = [
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
    "denial_of",
    "load_settings",
]
