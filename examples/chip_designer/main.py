"""May our chip designers use Kimi K2? On our machines, at its vendor, and to fine-tune."""

from __future__ import annotations

from pathlib import Path

from policyguard import Guard, ModelCall, Settings, Tenant
from policyguard.settings import CatalogSettings, TrailSettings

OURS = Path(__file__).with_name("ours.yaml")
DESIGNER = Tenant.model_validate(
    {
        "id": "designer",
        "sectors": [],
        "contracts": [],
        "product": {
            "monthly_active_users": 2000,
            "monthly_revenue_usd": 900_000,
            "attributions": [],
        },
        "organisation": {
            "name": "Designer Example Inc.",
            "country": "US",
            "headquarters": "US",
            "owners": [],
            "listed": [],
        },
    }
)
DESIGNS = {
    "at": "2026-07-10T12:00:00Z",
    "tenant": DESIGNER,
    "caller": {
        "id": "dana",
        "person_status": "us_citizen",
        "citizenships": ["US"],
        "latest_citizenship": "US",
        "location": "US",
    },
    "context": {"dod_contract": False, "gsa_schedule": False, "state_body": "none"},
    "exporter": {"establishment": "US", "article_3": "none"},
    "data": {
        "classes": ["technical"],
        "subjects": [],
        "ear": {"classification": "3E001", "us_origin": True},
        "itar": False,
        "brokerage": False,
    },
    "model": "kimi-k2",
}
ASKED = (
    ("designs on our own machines", "kimi-k2@austin", "inference"),
    ("designs at the vendor", "kimi-k2@api.moonshot.ai", "inference"),
    ("a fine-tune on these designs", "kimi-k2@austin", "fine_tune"),
)


def main() -> None:
    """Ask three times for the same technology, which is controlled as 3E001."""
    settings = Settings(
        trail=TrailSettings(directory=Path.cwd() / "trail"),
        catalog=CatalogSettings(overlays=(OURS,)),
    )
    with Guard(settings=settings) as guard:
        for title, host, kind in ASKED:
            purpose = {"kind": kind, "competes": False, "end_use": "civil"}
            asked = {**DESIGNS, "route": [host], "purpose": purpose}
            decision = guard.check(ModelCall.model_validate(asked))
            print(f"{title}: {decision.verdict}")
            for finding in decision.findings:
                print(f"  {finding.id} ({finding.effect}): {finding.msg}")


if __name__ == "__main__":
    main()
