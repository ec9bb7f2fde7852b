"""What happened to Fable 5 and Mythos 5 in June 2026? The same calls on other days."""

from __future__ import annotations

from pathlib import Path

from policyguard import Guard, ModelCall, Settings, Tenant
from policyguard.settings import TrailSettings
from policyguard.vocabulary.call import Product

ANNEX = "bis-2026-06-26:A"
PEOPLE = {
    "a French citizen in Paris": ("foreign", "FR", []),
    "a green-card holder in San Francisco": ("us_lpr", "US", []),
    "staff of an organisation of Annex A": ("foreign", "FR", [ANNEX]),
}
DAYS = ("2026-06-11", "2026-06-15", "2026-06-27", "2026-07-02")
MODELS = ("claude-fable-5", "claude-mythos-5")


def call(model: str, day: str, who: tuple[str, str, list[str]]) -> ModelCall:
    """Return the question: public text, asked at noon."""
    status, place, annexes = who
    return ModelCall.model_validate(
        {
            "at": f"{day}T12:00:00Z",
            "tenant": Tenant(id="acme", sectors=(), product=Product(resells=False)),
            "caller": {
                "id": "somebody",
                "person_status": status,
                "location": place,
                "organisation": {
                    "name": "ACME",
                    "country": "FR",
                    "headquarters": "FR",
                    "owners": [],
                    "listed": [],
                    "annexes": annexes,
                },
            },
            "purpose": {"kind": "inference", "competes": False},
            "context": {"dod_contract": False, "state_body": "none"},
            "exporter": {"establishment": "FR", "article_3": "establishment"},
            "data": {
                "classes": ["public"],
                "subjects": [],
                "ear": {"classification": "not_technology", "us_origin": False},
                "itar": False,
            },
            "model": model,
            "route": [f"{model}@api.anthropic.com"],
        }
    )


def main() -> None:
    """Print the verdict on each person, model and day, and the rules that make it."""
    settings = Settings(trail=TrailSettings(directory=Path.cwd() / "trail"))
    with Guard(settings=settings) as guard:
        for title, who in PEOPLE.items():
            print(title)
            for model in MODELS:
                for day in DAYS:
                    decision = guard.check(call(model, day, who))
                    rules = sorted(
                        item.id
                        for item in decision.findings
                        if item.effect == decision.verdict
                    )
                    print(
                        f"  {model:16} {day}  {decision.verdict:12} {' '.join(rules)}"
                    )


if __name__ == "__main__":
    main()
