"""May we use GLM-5.2 for EU customer support? The host decides, not the model."""

from __future__ import annotations

from pathlib import Path

from policyguard import Guard, ModelCall, Settings, Tenant
from policyguard.settings import TrailSettings

PAPERS = {
    "dpa": True,
    "training": False,
    "retention_days": 0,
    "sub_processors": True,
    "remote_access_countries": ["FR"],
}
ACME = Tenant.model_validate(
    {
        "id": "acme",
        "sectors": [],
        "contracts": [
            {"operator": "scaleway", "transfer_tool": "none", **PAPERS},
            {"operator": "zhipu-bigmodel", "transfer_tool": "none", **PAPERS},
            {
                "operator": "jingsheng-hengxing",
                "transfer_tool": "scc",
                "transfer_assessed": "2026-05-04T00:00:00Z",
            },
        ],
    }
)
TICKETS = {
    "at": "2026-07-10T12:00:00Z",
    "tenant": ACME,
    "caller": {"id": "desk", "person_status": "foreign", "location": "DE"},
    "purpose": {"kind": "inference", "competes": False},
    "context": {"dod_contract": False, "gsa_schedule": False, "state_body": "none"},
    "exporter": {"establishment": "DE", "article_3": "establishment"},
    "data": {
        "classes": ["pii"],
        "subjects": ["DE"],
        "ear": {"classification": "not_technology", "us_origin": False},
        "itar": False,
    },
    "model": "glm-5.2",
}
HOSTS = ("glm-5.2@api.scaleway.ai", "glm-5.2@api.z.ai", "glm-5.2@open.bigmodel.cn")


def main() -> None:
    """Ask for the same tickets and the same model at three hosts."""
    settings = Settings(trail=TrailSettings(directory=Path.cwd() / "trail"))
    with Guard(settings=settings) as guard:
        for host in HOSTS:
            call = ModelCall.model_validate({**TICKETS, "route": [host]})
            decision = guard.check(call)
            print(f"{host:28} {decision.verdict}")
            for finding in decision.findings:
                if finding.effect in {"deny", "require_approval"}:
                    print(f"  {finding.id}: {finding.msg}")


if __name__ == "__main__":
    main()
