"""Send each job to the cheapest deployment that no configured rule objects to."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from policyguard import Guard, Settings
from policyguard.settings import CatalogSettings, TenantSettings, TrailSettings
from policyguard.vocabulary.call import Contract
from policyguard.vocabulary.decision import Route

JULY = datetime(2026, 7, 10, 12, tzinfo=UTC)
JOBS = {
    "support tickets": {"classes": ["pii"], "subjects": ["DE"]},
    "a blog post": {"classes": ["public"], "subjects": []},
}
ACCEPTED = ["mistral-large-2512", "gpt-oss-120b"]
"""Models that would do where the preferred one may not be used."""
ACME = TenantSettings(
    id="acme",
    sectors=(),
    contracts=(
        Contract(
            operator="scaleway",
            dpa=True,
            training=False,
            sub_processors=True,
            remote_access_countries=("FR",),
        ),
    ),
)


def show(route: Route) -> None:
    """Print what was cheaper and may not be used, and where the job goes."""
    for item in route.decision.rejected:
        print(f"    {item.deployment:33} {item.verdict:17} {', '.join(item.rules)}")
    if route.to is None:
        print("    nothing may be used")
    else:
        price = route.to.price or "price unknown"
        print(f"    {route.to.deployment:33} {route.decision.verdict:17} {price}")


def main() -> None:
    """Ask for the route of each job, to the model alone and with others accepted."""
    settings = Settings(
        trail=TrailSettings(directory=Path.cwd() / "trail"),
        catalog=CatalogSettings(),
        tenant=ACME,
    )
    with Guard(settings=settings, clock=lambda: JULY) as guard:
        router = guard.bind(
            caller={"id": "router", "person_status": "foreign", "location": "DE"},
            context={"dod_contract": False, "state_body": "none"},
            purpose="inference",
            exporter={"establishment": "DE", "article_3": "establishment"},
        )
        for name, data in JOBS.items():
            job = router.bind(
                data={**data, "ear": {"classification": "not_technology"}}
            )
            print(name)
            for model in ("glm-5.2", "kimi-k2"):
                print(f"  {model}")
                show(job.route(model))
            print("  kimi-k2, or another that would do")
            show(job.route("kimi-k2", models=ACCEPTED))


if __name__ == "__main__":
    main()
