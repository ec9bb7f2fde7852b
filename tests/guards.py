"""Guards for tests: the shipped bundle and catalog, a tenant, a trail in a folder."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from policyguard import Guard, Settings
from policyguard.settings import CatalogSettings, TenantSettings, TrailSettings
from policyguard.vocabulary.call import Contract, Product

SUMMER: Final = datetime(2026, 7, 10, 12, tzinfo=UTC)
"""An ordinary instant: nothing is suspended, no letter is in force."""
TICKETS: Final[dict[str, Any]] = {
    "caller": "canary-alice@acme.example",
    "data": {"classes": ["pii"], "subjects": ["DE"]},
    "purpose": "inference",
    "exporter": "DE",
    "context": {"dod_contract": False, "gsa_schedule": False, "state_body": "none"},
}
"""Support tickets of people in Germany."""
CN: Final = "https://open.bigmodel.cn/api/paas/v4"
FR: Final = "https://api.scaleway.ai/v1"
NOWHERE: Final = "https://llm.unknown.example/v1"
MESSAGES: Final[list[Any]] = [{"role": "user", "content": "canary-prompt"}]


def settings(folder: Path, **tenant: Any) -> Settings:
    """Return settings with a trail in a folder."""
    known: dict[str, Any] = {
        "id": "acme",
        "sectors": (),
        "product": Product(resells=False),
        "contracts": (
            Contract(
                operator="scaleway",
                dpa=True,
                transfer_tool="none",
                training=False,
                remote_access_countries=("FR",),
                sub_processors=True,
            ),
        ),
    }
    return Settings(
        trail=TrailSettings(directory=folder / "trail"),
        catalog=CatalogSettings(),
        tenant=TenantSettings(**{**known, **tenant}),
    )


def guard_in(folder: Path, *, at: datetime = SUMMER, **tenant: Any) -> Guard:
    """Return a guard whose clock stands still."""
    return Guard(settings=settings(folder, **tenant), clock=lambda: at)
