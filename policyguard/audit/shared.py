"""What all processes of a trail share beside its logs, wherever the trail is."""

from __future__ import annotations

from policyguard.audit.counters import Counters
from policyguard.audit.layout import Layout
from policyguard.audit.stores.approval_file import ApprovalFile
from policyguard.audit.stores.count_file import CountFile
from policyguard.audit.stores.fleet import Fleet
from policyguard.audit.stores.protocol import ApprovalStore


def approvals_at(place: Layout | Fleet) -> ApprovalStore:
    """Return what keeps the approvals of a trail; nothing is opened yet."""
    if isinstance(place, Fleet):
        return place.approvals()
    return ApprovalFile.of(place)


def counters_at(place: Layout | Fleet) -> Counters:
    """Return what counts the people of a trail; nothing is opened yet."""
    if isinstance(place, Fleet):
        return Counters(store=place.counts())
    return Counters(store=CountFile(layout=place))
