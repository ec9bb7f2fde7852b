"""Tells somebody of an allowed call, when a rule obliges to.

Owner: any number of processes append to one file, a line each. A line is durable before
the call is made; a crash in between leaves a notice of a call that was not. Whoever can
write the file can add and remove lines: it is a message, and the trail is the evidence.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from policyguard.canonical import Json, canonical_bytes
from policyguard.errors import ConfigurationError
from policyguard.identity import record_time
from policyguard.vocabulary.decision import Decision, Obligation
from policyguard.vocabulary.record import OutcomeRecord

_OWNER_ONLY = 0o600


def notice_of(decision: Decision, obligation: Obligation) -> dict[str, Json]:
    """Return what somebody is told: what a leaf of the trail may say, and no more."""
    call = decision.call
    return {
        "decision": decision.id,
        "time": record_time(decision.time),
        "rule": obligation.id,
        "about": str(obligation.properties.get("about")),
        "tenant": call.tenant.id,
        "model": call.model,
        "deployments": list(call.route),
        "data_classes": list(call.data.classes or ()),
    }


def deviation_notice(decision: Decision, outcome: OutcomeRecord) -> dict[str, Json]:
    """Return what somebody is told of an answer that came by another route."""
    call = decision.call
    return {
        "decision": decision.id,
        "time": outcome.time,
        "rule": None,
        "about": "the answer came by another route than the approved one",
        "deviations": list(outcome.deviations),
        "served_model": outcome.served_model,
        "served_countries": list(outcome.served_countries or ()),
        "tenant": call.tenant.id,
        "model": call.model,
        "deployments": list(call.route),
        "data_classes": list(call.data.classes or ()),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeFile:
    """Appends notices to a file of JSON lines, which others watch."""

    path: Path

    def tell(self, notice: dict[str, Json]) -> None:
        """Append a notice, durably.

        Raises:
            ConfigurationError: it cannot be written.
        """
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            descriptor = os.open(self.path, flags, _OWNER_ONLY)
            try:
                # One write of one line: appends of several processes do not mix.
                line = canonical_bytes(notice) + b"\n"
                if os.write(descriptor, line) != len(line):
                    raise OSError(28, "no space left on device")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise ConfigurationError(
                f"cannot write the notice to `{self.path}`:"
                f" {(error.strerror or 'error').lower()}: correct `notify` under"
                " [obligations]"
            ) from error
