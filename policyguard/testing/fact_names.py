"""Names facts as people do who read no Rego: for tables that lawyers read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_ORGANISATION: Final = {
    "": "organisation",
    ".country": "country",
    ".headquarters": "headquarters",
    ".listed": "is on lists",
    ".annexes": "is in annexes",
    ".owners": "owners",
    ".owners.country": "owner's country",
    ".owners.listed": "owner is on lists",
    ".owners.share_bp": "owner's share (1/100 %)",
    ".owners.since": "owner since",
    ".owners.until": "owner until",
}
_OF_CALLS: Final = {
    "at": "instant",
    "model": "model",
    "route": "deployment",
    "asked.model": "model that was named",
    "asked.host": "host that was called",
    "asked.opaque": "body could not be read",
    "purpose": "purpose",
    "purpose.kind": "kind of use",
    "purpose.competes": "trains a competing model",
    "purpose.beneficiary_headquarters": "headquarters of who benefits",
    "purpose.end_use": "end use",
    "purpose.compute_zettaops": "training compute (10²¹ operations)",
    "purpose.publishes": "weights are published",
    "purpose.compute_share_bp": "share of the compute (1/100 %)",
    "context.dod_contract": "for the Department of Defense",
    "context.dod_tier": "tier of the contract",
    "context.gsa_schedule": "under a GSA schedule",
    "context.state_body": "state's body",
    "context.eu_market": "on the Union's market",
    "context.weights_evidence": "digest of the weights in use",
    "caller": "caller",
    "caller.person_status": "caller's status in US law",
    "caller.citizenships": "caller's citizenships",
    "caller.latest_citizenship": "caller's latest citizenship",
    "caller.residence": "caller's residence",
    "caller.location": "caller is in",
    "caller.subdivision": "caller's region",
    "exporter.establishment": "exporter is established in",
    "exporter.article_3": "GDPR applies by (Art. 3)",
    "exporter.uk_article_3": "UK GDPR applies by (Art. 3)",
    "exporter.swiss_effect": "has effects in Switzerland",
    "rolling.us_twelve_months": "people in twelve months (US rule)",
    "rolling.china_since_january": "people since January (China)",
    "rolling.china_since_january.persons": "people since January (China)",
    "rolling.china_since_january.sensitive": "of them, sensitive data",
}
_OF_DATA: Final = {
    "data.classes": "classes of data",
    "data.subjects": "data subjects are in",
    "data.anonymous_evidence": "evidence that it is anonymous",
    "data.brokerage": "sale of data",
    "data.dsp_exemption": "exemption of the bulk data rule",
    "data.citizenships": "citizenships of data subjects",
    "data.persons": "people it is about",
    "data.employment": "data of employees",
    "data.collection_at_source": "first recorded where collected",
    "data.direct_from_subject": "comes from the data subject",
    "data.important_data": "important data (China)",
    "data.china_exemption": "exemption in China",
    "data.ofac_exemption": "exempt from the sanctions as",
    "data.undeclared": "found in it, and not declared",
    "data.itar": "technical data (ITAR)",
    "data.ear.classification": "export classification (ECCN)",
    "data.ear.us_origin": "of US origin",
    "data.ear.evidence": "evidence of the classification",
    "data.ear.exception": "licence exception",
    "data.ear.no_licence_countries": "countries without licence requirement",
}
_OF_TENANT: Final = {
    "tenant.profile": "our profile",
    "tenant.residency_allowed": "data may stay in",
    "tenant.zero_retention": "no retention is demanded",
    "tenant.retention_max_days": "longest retention (days)",
    "tenant.sectors": "our sectors",
    "tenant.contracts": "contract with the operator",
    "tenant.contracts.dpa": "processing agreement",
    "tenant.contracts.transfer_tool": "transfer tool",
    "tenant.contracts.transfer_assessed": "transfer assessed on",
    "tenant.contracts.dpf": "Data Privacy Framework",
    "tenant.contracts.dpf.active": "DPF certification is active",
    "tenant.contracts.dpf.hr_data": "DPF covers employees' data",
    "tenant.contracts.dpf.uk_extension": "DPF has the UK extension",
    "tenant.contracts.dpf.swiss": "DPF covers Switzerland",
    "tenant.contracts.dpf.as_of": "DPF was looked up on",
    "tenant.contracts.supplementary_measures": "supplementary measures",
    "tenant.contracts.training": "operator may train on it",
    "tenant.contracts.retention_days": "operator keeps it (days)",
    "tenant.contracts.remote_access_countries": "read remotely from",
    "tenant.contracts.sub_processors": "sub-processors agreed",
    "tenant.contracts.baa": "business associate agreement",
    "tenant.contracts.us_persons_only": "US persons alone have access",
    "tenant.contracts.onward_transfer_ban": "onward transfer is banned",
    "tenant.contracts.dora_clause": "clauses of DORA",
    "tenant.contracts.source": "where the contract is kept",
    "tenant.contracts.local_tools.uk": "transfer tool (UK)",
    "tenant.contracts.local_tools.swiss": "transfer tool (Switzerland)",
    "tenant.contracts.local_tools.china": "transfer tool (China)",
    "tenant.contracts.local_tools.saudi": "transfer tool (Saudi Arabia)",
    "tenant.licences": "a licence is held",
    "tenant.licences.authority": "licence is of",
    "tenant.licences.operators": "licence covers operators",
    "tenant.licences.models": "licence covers models",
    "tenant.licences.classifications": "licence covers classifications",
    "tenant.licences.countries": "licence covers countries",
    "tenant.licences.persons": "licence covers persons of",
    "tenant.licences.expires": "licence expires on",
    "tenant.product.monthly_active_users": "our users a month",
    "tenant.product.monthly_revenue_usd": "our revenue a month (USD)",
    "tenant.product.attributions": "names that we display",
    "tenant.product.resells": "we resell access",
    "tenant.product.users_at_release": "our users at the release",
    "tenant.data_security.requirements": "security requirements are met",
    "tenant.data_security.certified": "compliance certified on",
    "tenant.data_security.audited": "compliance audited on",
}
_COUNTED: Final = (
    "genomic", "omic", "biometric", "geolocation", "health", "financial", "pii",
)  # fmt: skip
NAMES: Final[Mapping[str, str]] = {
    **_OF_CALLS,
    **_OF_DATA,
    **{f"data.counts.{name}": f"people, {name} data" for name in _COUNTED},
    **_OF_TENANT,
    **{f"caller.organisation{k}": f"caller's {v}" for k, v in _ORGANISATION.items()},
    **{f"tenant.organisation{k}": f"our {v}" for k, v in _ORGANISATION.items()},
}
"""By the name that a fact has in a space, without the ids of what has one value."""


def name_of(fact: str) -> str:
    """Return how a person calls a fact; its own name where nobody has named it.

    Args:
        fact: Its name in a space, as `data.classes`.
    """
    return NAMES.get(fact, fact)
