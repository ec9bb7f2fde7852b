"""What if open weights were restricted? Assume a rule that is no law, and look."""

from __future__ import annotations

from pathlib import Path

from policyguard import Guard, ModelCall, Settings, Tenant
from policyguard.settings import TrailSettings

MODELS = ("glm-5.2", "gpt-oss-120b")
TODAY: tuple[str, ...] = ()
SUPPOSED = ("OPEN-01",)


def call(model: str, assumed: tuple[str, ...]) -> ModelCall:
    """Return the question: public text, to a host in France."""
    return ModelCall.model_validate(
        {
            "at": "2026-07-10T12:00:00Z",
            "tenant": Tenant(id="acme", sectors=(), assumed=assumed),
            "caller": {"id": "planner", "person_status": "foreign", "location": "DE"},
            "purpose": {"kind": "inference", "competes": False},
            "context": {"dod_contract": False, "state_body": "none"},
            "exporter": {"establishment": "DE", "article_3": "establishment"},
            "data": {
                "classes": ["public"],
                "subjects": [],
                "ear": {"classification": "not_technology", "us_origin": False},
                "itar": False,
            },
            "model": model,
            "route": [f"{model}@api.scaleway.ai"],
        }
    )


def main() -> None:
    """Ask for each model today, and as if the rule were in force."""
    settings = Settings(trail=TrailSettings(directory=Path.cwd() / "trail"))
    with Guard(settings=settings) as guard:
        for title, assumed in (("today", TODAY), ("if they were", SUPPOSED)):
            print(title)
            for model in MODELS:
                decision = guard.check(call(model, assumed))
                print(f"  {model:14} {decision.verdict}")
                for finding in decision.findings:
                    if finding.effect == decision.verdict:
                        print(f"    {finding.id}: {finding.msg}")


if __name__ == "__main__":
    main()
