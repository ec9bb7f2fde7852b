"""Send each job to the cheapest deployment that no configured rule objects to."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from policyguard import Decision, Guard, ModelCall, Settings, Tenant
from policyguard.settings import TrailSettings

JULY = datetime(2026, 7, 10, 12, tzinfo=UTC)
TICKETS = {"classes": ["pii"], "subjects": ["DE"]}
BLOG = {"classes": ["public"], "subjects": []}
ACME = Tenant.model_validate(
    {
        "id": "acme",
        "sectors": [],
        "contracts": [
            {
                "operator": "scaleway",
                "dpa": True,
                "training": False,
                "sub_processors": True,
                "remote_access_countries": ["FR"],
            }
        ],
    }
)


def ask(guard: Guard, data: dict[str, object], deployment: str) -> Decision:
    """Check one deployment for one kind of data."""
    entry = guard.core.catalog.deployment(deployment)
    return guard.check(
        ModelCall.model_validate(
            {
                "at": JULY,
                "tenant": ACME,
                "caller": {
                    "id": "router",
                    "person_status": "foreign",
                    "location": "DE",
                },
                "context": {"dod_contract": False, "state_body": "none"},
                "purpose": {"kind": "inference"},
                "exporter": {"establishment": "DE", "article_3": "establishment"},
                "data": {**data, "ear": {"classification": "not_technology"}},
                "model": entry.model,
                "route": [deployment],
                "asked": {"model": entry.model, "host": entry.hosts[0]}
                if entry.hosts
                else {},
            }
        )
    )


def main() -> None:
    """Walk the deployments from cheap to dear, and stop at the first that may be used."""
    trail = TrailSettings(directory=Path.cwd() / "trail")
    with Guard(settings=Settings(trail=trail)) as guard:
        for name, data in (("support tickets", TICKETS), ("a blog post", BLOG)):
            print(name)
            for deployment in guard.core.catalog.deployments_of("glm-5.2"):
                decision = ask(guard, data, deployment)
                why = ", ".join(
                    sorted(
                        {item.id for item in decision.findings if not decision.allowed}
                    )
                )
                print(f"  {deployment:34} {decision.verdict:17} {why}".rstrip())
                if decision.allowed:
                    break


if __name__ == "__main__":
    main()
