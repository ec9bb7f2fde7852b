"""Builds what a tenant adds to a bundle, and what the signatures of people need."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from policyguard.audit.shared import approvals_at
from policyguard.audit.stores.fleet import place_of
from policyguard.audit.stores.protocol import ApprovalStore
from policyguard.audit.trail import Trail
from policyguard.authority.approvals import Approvals
from policyguard.authority.overrides import Overriding
from policyguard.authority.people import People
from policyguard.bundle.additions import (
    override_document,
    tenant_digest,
    tenant_modules,
    with_additions,
)
from policyguard.bundle.files import read_files
from policyguard.bundle.rulebook import RuleOverride
from policyguard.bundle.source import Bundle, load_files
from policyguard.canonical import Json
from policyguard.errors import BundleError, ConfigurationError
from policyguard.guard.leave import Leave
from policyguard.settings import Settings, default_trail


def people_of(settings: Settings) -> People:
    """Return the people whose signatures count; nobody, if no file is named.

    Raises:
        ConfigurationError: the file cannot be read, or is malformed.
    """
    path = settings.authority.people
    return People() if path is None else People.load(path)


def approvals_of(settings: Settings, *, bundle: Bundle) -> Approvals:
    """Return the approvals of the trail that the settings name.

    Args:
        settings: Name the file of people, and the trail.
        bundle: Says which rule is of which regime.

    Raises:
        ConfigurationError: the settings name no file of people, or it is malformed.
    """
    people = people_of(settings)
    if not people.vkeys("approver"):
        raise ConfigurationError(
            "nobody may approve anything: name a file of people with `people` under"
            " [authority], and give it a line `approver <vkey>`"
        )
    where = settings.trail.url or settings.trail.directory or default_trail()
    place = place_of(where, settings.trail.lock_url if settings.trail.url else None)
    return _approvals(people, bundle=bundle, store=approvals_at(place))


def leave_of(settings: Settings, *, bundle: Bundle, trail: Trail) -> Leave | None:
    """Return what looks up approvals; `None`: nobody may approve anything.

    Raises:
        ConfigurationError: the file of people cannot be read, or is malformed.
    """
    people = people_of(settings)
    if not people.vkeys("approver"):
        return None
    return Leave(
        approvals=_approvals(people, bundle=bundle, store=approvals_at(trail.place)),
        pseudonym=trail.pseudonym,
    )


def overriding_of(settings: Settings, *, bundle: Bundle) -> Overriding:
    """Return what reads and signs overrides of a bundle's rules.

    Raises:
        ConfigurationError: the file of people cannot be read, or is malformed.
    """
    return Overriding(
        people=people_of(settings), rule=bundle.rules.get, tenant=settings.tenant.id
    )


def in_force(bundle: Bundle, *, settings: Settings, now: datetime) -> Bundle:
    """Return a bundle with the tenant's own rules and the overrides that count.

    Args:
        bundle: The bundle, which is trusted already.
        settings: Name the rules and the overrides.
        now: Overrides that have ended by then are refused.

    Raises:
        BundleError: the tenant's rules cannot be used, or are not the trusted ones.
        AuthorityError: an override does not count.
    """
    tenant = _tenant_rules(settings)
    overrides = _overrides(settings, bundle=bundle, now=now)
    if not tenant and not overrides:
        return bundle
    files = with_additions(bundle.files, tenant=tenant, overrides=overrides)
    return load_files(files, name=f"{bundle.revision} with additions")


def _tenant_rules(settings: Settings) -> Mapping[str, bytes]:
    path, trusted = settings.bundle.tenant, settings.bundle.tenant_digest
    if path is None:
        return {}
    files = read_files(path)
    modules = tenant_modules(files, name=str(path))
    found = tenant_digest(files)
    if trusted is None:
        raise ConfigurationError(
            f"the rules at `{path}` are not trusted: after reading them, set"
            f' `tenant_digest = "{found}"` under [bundle]'
        )
    if found != trusted:
        raise BundleError(
            f"the rules at `{path}` have digest `{found}` and the trusted one is"
            f" `{trusted}`: restore them, or trust the new ones knowingly"
        )
    return modules


def _overrides(
    settings: Settings, *, bundle: Bundle, now: datetime
) -> Mapping[str, Json]:
    overriding = overriding_of(settings, bundle=bundle)
    found: dict[str, Json] = {}
    for path in settings.authority.overrides:
        override, statement = overriding.load(path, now=now)
        if override.id in found:
            raise ConfigurationError(f"`{path}` is named twice under [authority]")
        found[override.id] = override_document(
            override=RuleOverride(
                id=override.id,
                rule=override.rule,
                to=override.to,
                since=int(override.since.timestamp()),
                until=int(override.until.timestamp()),
            ),
            author=override.author,
            reason=override.reason,
            statement=statement,
        )
    return found


def _approvals(people: People, *, bundle: Bundle, store: ApprovalStore) -> Approvals:
    return Approvals(
        store=store,
        people=people,
        regimes={name: rule.regime for name, rule in bundle.rules.items()}.get,
    )
