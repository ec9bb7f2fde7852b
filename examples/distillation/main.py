"""May we fine-tune on a model's answers? Terms are contract, accusations are advice."""

from __future__ import annotations

from pathlib import Path

from policyguard import Guard, ModelCall, Settings, Tenant
from policyguard.settings import TrailSettings
from policyguard.vocabulary.call import Product

TEACHERS = (
    "claude-fable-5@api.anthropic.com",
    "gpt-5.5@api.openai.com",
    "glm-5.2@api.scaleway.ai",
)
PURPOSES = {
    "a model that competes with the teacher's developer": True,
    "a classifier of our own tickets": False,
}


def call(model: str, route: str, *, competes: bool) -> ModelCall:
    """Return the question: public text is sent, the answers train a model."""
    return ModelCall.model_validate(
        {
            "at": "2026-07-10T12:00:00Z",
            "tenant": Tenant(id="acme", sectors=(), product=Product(resells=False)),
            "caller": {
                "id": "trainer",
                "person_status": "foreign",
                "location": "DE",
                "organisation": {
                    "name": "ACME",
                    "country": "DE",
                    "headquarters": "DE",
                    "owners": [],
                    "listed": [],
                },
            },
            "purpose": {
                "kind": "distil",
                "competes": competes,
                "beneficiary_headquarters": "DE",
                "end_use": "civil",
                "compute_zettaops": 1,
                "publishes": False,
            },
            "context": {"dod_contract": False, "state_body": "none"},
            "exporter": {"establishment": "DE", "article_3": "establishment"},
            "data": {
                "classes": ["public"],
                "subjects": [],
                "ear": {"classification": "not_technology", "us_origin": False},
                "itar": False,
            },
            "model": model,
            "route": [route],
        }
    )


def main() -> None:
    """Ask each teacher for both purposes."""
    settings = Settings(trail=TrailSettings(directory=Path.cwd() / "trail"))
    with Guard(settings=settings) as guard:
        for title, competes in PURPOSES.items():
            print(title)
            for route in TEACHERS:
                model = guard.core.catalog.deployment(route).model
                decision = guard.check(call(model, route, competes=competes))
                print(f"  {model:16} {decision.verdict}")
                for finding in decision.findings:
                    if finding.effect == decision.verdict:
                        print(f"    {finding.id}: {finding.msg}")


if __name__ == "__main__":
    main()
