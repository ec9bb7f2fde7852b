package policyguard.rules

# METADATA
# title: What the AI Act asks of providers, for models on the Union's market
# description: |
#   The duties of Article 53 are the provider's: whoever only uses a model does not answer
#   for a document that its provider lacks, and is told. Free and open-source models are
#   exempt from Article 53(1)(a) and (b), not from copyright policy and training summary,
#   and not with systemic risk. Who fine-tunes with more than a third of the original
#   computing becomes a provider.
# related_resources:
#   - ref: Regulation (EU) 2024/1689 (AI Act) Art. 51, 53-55
#   - ref: Commission guidelines on general-purpose AI models, 2025-07-18
# custom:
#   id: AIA-01
#   severity: low
#   citation: Regulation (EU) 2024/1689 (AI Act) Art. 53-55
#   as_of: 2026-06-29
#   locked: false
#   exceptions:
#     - "the documents are published, or it is not known that they are not"
#     - "what comes out is not for the Union's market"
#   effective:
#     - {from: 2025-08-02T00:00:00Z, to: null, status: in_force, verified: false}
findings contains {
	"id": "AIA-01",
	"effect": "advise",
	"msg": sprintf("the provider of %s has not published %s: that is the provider's duty, not yours, and its model may be withdrawn from the Union's market", [
		input.model.label,
		concat(" and ", absent),
	]),
	"facts": _aia_01_facts,
	"missing": [],
	"remedy": "",
} if {
	_aia_01_market
	absent := _aia_01_absent
	count(absent) > 0
}

findings contains {
	"id": "AIA-01",
	"effect": "oblige",
	"msg": sprintf("fine-tuning %s with more than a third of its original computing makes you the provider of what comes out: training summary, copyright policy and documentation are then yours%s", [
		input.model.label,
		_aia_01_systemic,
	]),
	"facts": _aia_01_facts,
	"missing": [],
	"remedy": "",
	"obligation": {"type": "record_keeping", "properties": {"article": "AI Act Art. 53"}},
} if {
	_aia_01_tunes
	is_number(input.purpose.compute_share_bp)
	input.purpose.compute_share_bp * 3 > 10000
}

findings contains {
	"id": "AIA-01",
	"effect": "advise",
	"msg": sprintf("it is not known whether fine-tuning %s takes more than a third of its original computing, which would make you a provider", [input.model.label]),
	"facts": _aia_01_facts,
	"missing": [],
	"remedy": "",
} if {
	_aia_01_tunes
	input.purpose.compute_share_bp == null
}

_aia_01_market if input.context.eu_market == true

_aia_01_market if {
	input.context.eu_market == null
	input.countries[input.exporter.establishment].eea
}

_aia_01_tunes if {
	input.purpose.kind in {"fine_tune", "train", "distil"}
	_aia_01_market
}

_aia_01_absent := [name |
	some name, value in {
		"a copyright policy": input.model.documents.copyright_policy,
		"a summary of its training content": input.model.documents.training_summary,
	}
	value == false
]

_aia_01_systemic := ", and so are the duties of Article 55" if {
	input.model.systemic_risk == true
} else := ""

_aia_01_facts := {
	"context.eu_market": input.context.eu_market,
	"exporter.establishment": input.exporter.establishment,
	"model": input.model.id,
	"model.documents": input.model.documents,
	"model.open_weights": input.model.open_weights,
	"model.systemic_risk": input.model.systemic_risk,
	"purpose.compute_share_bp": input.purpose.compute_share_bp,
	"purpose.kind": input.purpose.kind,
}
