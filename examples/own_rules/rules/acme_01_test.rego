package policyguard.tenant_test

import data.policyguard.tenant

test_acme_01[name] if {
	some name, case in {
		"to train on it is denied": {"kind": "train", "classes": ["omic"], "is": {"deny"}},
		"to embed it, too": {"kind": "embed", "classes": ["pii", "omic"], "is": {"deny"}},
		"to ask about it is free": {"kind": "inference", "classes": ["omic"], "is": set()},
		"to train on other data is free": {"kind": "train", "classes": ["public"], "is": set()},
	}
	asked := {"purpose": {"kind": case.kind}, "data": {"classes": case.classes}}
	found := {f.effect | some f in tenant.findings with input as asked; f.id == "ACME-01"}
	found == case.is
}
