"""How to declare what a decision found unknown, as the code or the settings to write.

What is shown can be pasted: a call of `guard.bind` with the groups that miss a fact,
whole, because a group is taken whole from the innermost place that names it; or a
table of `policyguard.toml`. The values are examples, and the comments say which others
there are. The caller's id is not repeated: whoever reads a log need not know it.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, get_args

from policyguard.vocabulary.call import (
    DataClass,
    EndUse,
    ModelCall,
    PurposeKind,
    TransferTool,
)
from policyguard.vocabulary.rolling import Counts

_WIDTH: Final = 60
_SHORT: Final = {"caller": "id", "purpose": "kind", "exporter": "establishment"}
"""The field that stands for its whole group in `guard.bind`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """Is how one fact is declared: an example, and what else it may be."""

    example: object
    comment: str = ""


_CALLER_ID: Final = _Form(example="alice@example.com", comment="an id for who asks")
_FORMS: Final[Mapping[str, _Form]] = {
    "caller": _CALLER_ID,
    "caller.id": _CALLER_ID,
    "caller.person_status": _Form(
        example="us_citizen", comment="or us_lpr, us_protected, foreign (15 CFR 772.1)"
    ),
    "caller.citizenships": _Form(example=["FR"], comment="ISO 3166-1 codes"),
    "caller.latest_citizenship": _Form(
        example="FR", comment="the most recent citizenship or permanent residency"
    ),
    "caller.residence": _Form(example="FR", comment="an ISO 3166-1 code"),
    "caller.location": _Form(example="FR", comment="an ISO 3166-1 code"),
    "caller.subdivision": _Form(example="US-TX", comment="an ISO 3166-2 code"),
    "data.classes": _Form(
        example=["none"],
        comment=f"all that is true of what is sent: {', '.join(get_args(DataClass))}",
    ),
    "data.subjects": _Form(
        example=["DE"], comment="countries of the people whom the data is about"
    ),
    "data.anonymous_evidence": _Form(
        example="https://example.com/anonymisation", comment="why it is anonymous"
    ),
    "data.citizenships": _Form(
        example=["DE"], comment="citizenships of the people whom the data is about"
    ),
    "data.persons": _Form(example=1, comment="how many people the data is about"),
    "data.employment": _Form(example=False, comment="or True: HR data"),
    "data.collection_at_source": _Form(
        example=False, comment="or True: this call first records it"
    ),
    "data.important_data": _Form(
        example=False, comment="or True: important data by Chinese law"
    ),
    "data.brokerage": _Form(
        example=False, comment="or True: sold or licensed to who receives it"
    ),
    **{
        f"data.counts.{name}": _Form(example=0, comment="US persons in this call")
        for name in Counts.model_fields
    },
    "data.ear.classification": _Form(
        example="EAR99", comment="or not_technology, published, an ECCN as 3E001"
    ),
    "data.ear.us_origin": _Form(example=True, comment="or False"),
    "data.ear.evidence": _Form(
        example="https://example.com/repository", comment="where it is published"
    ),
    "data.itar": _Form(example=False, comment="or True"),
    "purpose": _Form(
        example="inference", comment=f"or {', '.join(get_args(PurposeKind)[1:])}"
    ),
    "purpose.competes": _Form(
        example=False, comment="or True: it serves a model that competes with this one"
    ),
    "purpose.end_use": _Form(
        example="civil", comment=f"or {', '.join(get_args(EndUse)[1:])}"
    ),
    "purpose.beneficiary_headquarters": _Form(
        example="DE", comment="where the parent of whom it is for has its headquarters"
    ),
    "exporter.establishment": _Form(
        example="DE", comment="country of the establishment that sends the data"
    ),
    "exporter.article_3": _Form(
        example="establishment", comment="or targeting, none (GDPR Art. 3)"
    ),
    "exporter.uk_article_3": _Form(
        example="none", comment="or establishment, targeting (UK GDPR Art. 3)"
    ),
    "exporter.swiss_effect": _Form(
        example=False, comment="or True: an effect in Switzerland (FADP Art. 3)"
    ),
    "context.dod_tier": _Form(
        example="indirect", comment="or direct: the department itself buys"
    ),
    "context.dod_contract": _Form(example=False, comment="or True"),
    "context.gsa_schedule": _Form(example=False, comment="or True"),
    "context.state_body": _Form(example="none", comment="or an ISO 3166-2 code"),
}
_PAPERS: Final[Mapping[str, str]] = {
    "contract.dpa": "dpa = true",
    "contract.transfer_tool": f'transfer_tool = "scc"  # or {", ".join(get_args(TransferTool))}',
    "contract.transfer_assessed": "transfer_assessed = 2026-10-01T00:00:00Z  # when",
    "contract.training": "training = false",
    "contract.retention_days": "retention_days = 0",
    "contract.remote_access_countries": 'remote_access_countries = ["FR"]',
    "contract.supplementary_measures": "supplementary_measures = true",
    "contract.sub_processors": "sub_processors = true  # all named, and accepted",
    "contract.baa": "baa = true",
    "contract.onward_transfer_ban": "onward_transfer_ban = true",
    "contract.dora_clause": "dora_clause = true",
    "contract.dpf": "dpf = { active = true, as_of = 2026-10-01T00:00:00Z }",
    "contract.local_tools.uk": 'local_tools.uk = "idta"',
    "contract.local_tools.swiss": 'local_tools.swiss = "scc"',
    "contract.local_tools.china": 'local_tools.china = "standard_contract"',
    "contract.local_tools.saudi": 'local_tools.saudi = "scc"',
}
_TENANT: Final[Mapping[str, str]] = {
    "tenant.data_security.requirements": "data_security.requirements = true",
    "tenant.data_security.certified": "data_security.certified = 2026-10-01T00:00:00Z",
    "tenant.data_security.audited": "data_security.audited = 2026-10-01T00:00:00Z",
    "tenant.sectors": "sectors = []  # or financial_eu, hipaa, ciio_cn, payments_in",
    "tenant.product.attributions": "product.attributions = []  # names that it displays",
    "tenant.product.monthly_active_users": "product.monthly_active_users = 1000",
    "tenant.product.monthly_revenue_usd": "product.monthly_revenue_usd = 1000",
    "tenant.product.users_at_release": "product.users_at_release = 1000",
    "tenant.product.resells": "product.resells = false  # or true: others get the model itself",
}
_ORGANISATION: Final[Mapping[str, str]] = {
    "caller.organisation.country": 'organisation.country = "DE"',
    "caller.organisation.headquarters": 'organisation.headquarters = "DE"  # of its ultimate parent',
    "caller.organisation.owners": "organisation.owners = []  # screened: nobody holds a share that matters",
    "caller.organisation.listed": "organisation.listed = []  # screened: no list names it",
    "caller.organisation.annexes": "organisation.annexes = []  # no official letter names it",
}
"""Of your own company, once; a call for another one binds `caller.organisation`."""
_THREADS: Final = "lost in a thread? what is bound goes along, a context block does not"
_UNNAMED: Final = "the operator's id in the catalog"
_ALL_PAPERS: Final = (
    "contract.dpa",
    "contract.transfer_tool",
    "contract.transfer_assessed",
)


def can_be_declared(name: str) -> bool:
    """Say whether `declarations` shows how to declare a fact."""
    return (
        name in _FORMS
        or name in _PAPERS
        or name in _TENANT
        or name in _ORGANISATION
        or name == "tenant.contracts"
    )


def declarations(
    missing: Iterable[str], *, call: ModelCall, operators: Iterable[str] = ()
) -> list[str]:
    """Return the lines to write so that these facts are known.

    Args:
        missing: Names of facts, as findings give them.
        call: The question, whose declared facts are kept.
        operators: Whose contracts are asked for, as far as it is known.
    """
    names = sorted(set(missing))
    lines = list(_bind([name for name in names if name in _FORMS], call=call))
    lines += _tenant(names, call=call)
    papers = [name for name in names if name in _PAPERS]
    if papers or "tenant.contracts" in names:
        lines += _contract(papers, operators=sorted(set(operators)))
    return lines


def _bind(names: list[str], *, call: ModelCall) -> Iterator[str]:
    if not names:
        return
    yield "guard = guard.bind("
    for group in sorted({name.partition(".")[0] for name in names}):
        own = [name for name in names if name.partition(".")[0] == group]
        for name in own:
            yield from _comment(name, alone=len(own) == 1)
        yield f"    {group}={_literal(_group(group, own, call=call))},"
    yield f")  # {_THREADS}"


def _comment(name: str, *, alone: bool) -> Iterator[str]:
    text = _FORMS[name].comment
    if not alone:
        text = f"{name.rpartition('.')[2]}: {text}"
    yield from textwrap.wrap(
        text,
        width=_WIDTH,
        initial_indent="    # ",
        subsequent_indent="    # ",
        break_on_hyphens=False,
    )


def _group(group: str, names: list[str], *, call: ModelCall) -> object:
    """Return a group as `guard.bind` takes it: what is known, with the examples."""
    known = getattr(call, group)
    declared: dict[str, object] = (
        {} if known is None else known.model_dump(mode="json", exclude_defaults=True)
    )
    if "id" in declared:
        declared["id"] = "…"
    for name in names:
        path = name.split(".")[1:] or [_SHORT[group]]
        inner = declared
        for step in path[:-1]:
            below = inner.setdefault(step, {})
            inner = below if isinstance(below, dict) else {}
        inner[path[-1]] = _FORMS[name].example
    short = _SHORT.get(group)
    return declared[short] if short and list(declared) == [short] else declared


def _tenant(names: list[str], *, call: ModelCall) -> Iterator[str]:
    own = [_TENANT[name] for name in names if name in _TENANT]
    company = [_ORGANISATION[name] for name in names if name in _ORGANISATION]
    if not own and not company:
        return
    acting = call.caller.organisation if call.caller is not None else None
    if company and acting is not None:
        yield '# of whom this caller acts for, in caller={"organisation": {…}}; for your own'
        yield "# company:"
    yield "# policyguard.toml, for Guard.from_config(path):"
    # One table: TOML refuses a second one of the same name.
    yield "[tenant]"
    yield from own
    if company:
        yield 'organisation.name = "Example Ltd"'
        yield from company


def _contract(papers: list[str], *, operators: list[str]) -> Iterator[str]:
    yield "# policyguard.toml, for Guard.from_config(path). Nothing signed with anybody:"
    yield "#   [tenant]"
    yield "#   contracts = []"
    for operator in operators or [_UNNAMED]:
        yield "[[tenant.contracts]]"
        yield f"operator = {json.dumps(operator)}"
        for name in papers or _ALL_PAPERS:
            yield _PAPERS[name]


def _literal(value: object) -> str:
    """Write a value as Python has it, with the quotes that we use."""
    if isinstance(value, dict):
        items = (f"{_literal(key)}: {_literal(item)}" for key, item in value.items())
        return "{" + ", ".join(items) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_literal, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)
