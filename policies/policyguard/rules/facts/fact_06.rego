package policyguard.rules

# METADATA
# title: Lists are no older than they may be
# description: |
#   A list of parties or countries that declares after how many days it is stale counts
#   through the whole of its last day. From then on nobody knows whom it names, so every
#   call needs a person until there is a newer edition. A list that declares no age is
#   never stale.
# related_resources:
#   - ref: policyguard, ADR 0008
# custom:
#   id: FACT-06
#   severity: high
#   citation: the guard's own demand, not law (ADR 0008)
#   as_of: 2026-11-25
#   locked: false
#   exceptions:
#     - "every list is of an edition that is young enough, or declares no age"
#   effective:
#     - {from: null, to: null, status: in_force, verified: true}
findings contains {
	"id": "FACT-06",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whom %s names now: the edition is of %s, and older than it may be", [list, edition]),
	"facts": {"list": list, "lists.as_of": edition},
	"missing": ["lists"],
	"remedy": "a newer edition of the list, in an overlay with its source",
} if {
	some list in input.stale
	edition := object.get(input.lists, list, null)
}
