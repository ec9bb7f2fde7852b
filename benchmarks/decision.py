"""`python -m benchmarks.decision [--rounds N] [--json]`: what a decision costs, by stage.

All shipped rules on a generated catalog of 2,000 models, 500 deployments and 3,000 listed
parties. Every case runs once a round; ratios are to the whole decision of an allowed call
that is not remembered. Beside it: the same decision by OPA's own library in this process
and by an OPA server over one kept connection, if `make tools` has fetched them, and the
same decision on smaller catalogs, whose size must not matter.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson
from rich.console import Console
from rich.table import Table

from benchmarks.generated import DEPLOYMENTS, MODELS, PARTIES, generated_catalog
from benchmarks.opa import bare_request, opa_program, serving
from benchmarks.timing import Measured, measure
from policyguard import Guard, Settings
from policyguard.assembly import policy_set
from policyguard.bundle.shipped import load_shipped
from policyguard.bundle.source import Bundle
from policyguard.canonical import canonical_bytes
from policyguard.catalog.catalog import Catalog
from policyguard.engines.intake import input_text
from policyguard.engines.joined import join_modules
from policyguard.engines.native import NativeEngine, compile_modules, with_data
from policyguard.engines.protocol import PolicySet
from policyguard.engines.regorus import RegorusEngine, RegorusSnapshot
from policyguard.guard.answer import read_answer
from policyguard.guard.describe import Described
from policyguard.guard.facts import Facts, facts_of
from policyguard.guard.input_bytes import input_bytes
from policyguard.guard.policy import Policy, PolicyInUse
from policyguard.settings import TenantSettings, TrailSettings
from policyguard.vocabulary.call import Contract, ModelCall, Organisation, Owner

ALLOWED: Final = "decision, allowed: evaluated"
BURST: Final = 10
"""A service asks many questions in a row, not one between others' work."""
VIEW: Final = "data.policyguard.facts.view"
ROOT: Final = Path(__file__).resolve().parents[1]
LIBRARY: Final = ROOT / ".tools/opa-golib"
NOTED: Final = datetime(2026, 7, 10, 12, tzinfo=UTC)

Case = Callable[[], object]


def main() -> int:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.decision", description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--json", action="store_true", dest="as_json")
    chosen = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        measured = measure(_cases(folder, stack), rounds=chosen.rounds, burst=BURST)
    base = next(item.p10 for item in measured if item.name == ALLOWED)
    if chosen.as_json:
        rows = [{**_row(item), "ratio": item.p10 / base} for item in measured]
        print(json.dumps(rows, indent=2))
    else:
        Console().print(_table(measured, base=base))
    return 0


def _cases(folder: Path, stack: contextlib.ExitStack) -> dict[str, Case]:
    bundle, catalog = load_shipped(), generated_catalog()
    policy = policy_set(bundle=bundle, catalog=catalog)
    snapshot = RegorusEngine().load(policy)
    guard = _guard(folder, Policy(snapshot=snapshot, bundle=bundle, catalog=catalog))
    stack.callback(guard.close)
    question = _on_shipped(_question(guard, _facts()))
    allowed = canonical_bytes(question.engine_input())
    objected = canonical_bytes(
        _question(guard, _objected(), host="open.bigmodel.cn").engine_input()
    )
    if snapshot.evaluate(allowed)["verdict"] != "allow":
        raise SystemExit("rules have changed: give the call the facts that it lacks")
    found: Any = snapshot.evaluate(objected)["findings"]
    return {
        **_stages(policy, snapshot, question, allowed),
        ALLOWED: _decided(snapshot, allowed, bundle),
        f"decision, {len(found)} findings: evaluated": _decided(
            snapshot, objected, bundle
        ),
        **_remembered(guard, question),
        **_on_less(allowed),
        **_opa_library(policy, allowed),
        **_opa_server(bundle, catalog, allowed, stack),
    }


def _guard(folder: Path, policy: Policy) -> Guard:
    contract = Contract(
        operator="scaleway",
        dpa=True,
        sub_processors=True,
        transfer_tool="none",
        remote_access_countries=("FR",),
    )
    # Names that are compared with every listed one: of the company, and of two owners.
    ours = Organisation(
        name="Beispiel Handel GmbH",
        country="DE",
        headquarters="DE",
        owners=tuple(
            Owner(name=f"Familie Beispiel {number}", country="DE", listed=())
            for number in range(2)
        ),
        listed=(),
    )
    tenant = TenantSettings(
        id="bench",
        establishment="DE",
        contracts=(contract,),
        sectors=(),
        organisation=ours,
    )
    guard = Guard(
        settings=Settings(
            trail=TrailSettings(directory=folder / "trail"), tenant=tenant
        ),
        clock=lambda: NOTED,
    )
    return Guard.of_core(replace(guard.core, policies=PolicyInUse(policy)))


def _facts() -> Facts:
    return facts_of(
        caller={"id": "bench", "location": "DE"},
        data={"classes": ["pii"], "subjects": ["DE"]},
        purpose="inference",
        context={"dod_contract": False, "gsa_schedule": False, "state_body": "none"},
    )


def _objected() -> Facts:
    return facts_of(
        caller={"id": "bench"},
        data={"classes": ["pii", "health"], "subjects": ["DE", "US"]},
        purpose={"kind": "train"},
    )


def _question(
    guard: Guard, facts: Facts, *, host: str = "api.scaleway.ai"
) -> ModelCall:
    described = Described(model="glm-5.2", host=host)
    return guard.core.question(described=described, facts=facts)


def _on_shipped(question: ModelCall) -> ModelCall:
    """Return the question about a deployment that a catalog of any size has."""
    known = generated_catalog(share=0.0).resolve(
        asked_model=question.asked.model, host=question.asked.host, path=None
    )
    return question.model_copy(
        update={"model": known.model, "route": (known.deployment,)}
    )


def _stages(
    policy: PolicySet, snapshot: RegorusSnapshot, question: ModelCall, allowed: bytes
) -> dict[str, Case]:
    bundle = load_shipped()
    base = _engine(policy)
    text = allowed.decode()
    answer = snapshot.evaluate(allowed)
    written = orjson.dumps(answer)

    def evaluated(rule: str) -> Case:
        def run() -> object:
            engine = base.clone()
            engine.set_input_json(text)
            return engine.eval_rule_as_json(rule)

        return run

    return {
        "input: bytes of a question with new facts": lambda: canonical_bytes(
            question.engine_input()
        ),
        "input: the same with bound facts": lambda: input_bytes(question),
        "input: looked at before the engine reads it": lambda: input_text(allowed),
        "engine: a clone with its input": lambda: base.clone().set_input_json(text),
        "engine: that and the view of the facts": evaluated(VIEW),
        "engine: that and all rules": evaluated(policy.entrypoint),
        "answer: JSON read": lambda: orjson.loads(written),
        "answer: validated": lambda: read_answer(answer, rules=bundle),
    }


def _engine(policy: PolicySet) -> NativeEngine:
    modules = join_modules(policy.modules).modules
    data = canonical_bytes(dict(policy.data)).decode()
    return with_data(compile_modules(modules), data, entrypoint=policy.entrypoint)


def _decided(snapshot: RegorusSnapshot, question: bytes, bundle: Bundle) -> Case:
    return lambda: read_answer(snapshot.evaluate(question), rules=bundle)


def _remembered(guard: Guard, question: ModelCall) -> dict[str, Case]:
    policy = guard.core.policies.newest
    bound = _facts()
    policy.answer(question)

    def nested() -> object:
        return policy.answer(_question(guard, _facts()))

    return {
        "memo: an answer that is remembered": lambda: policy.answer(question),
        "memo: the question put with bound facts, and its answer": lambda: (
            policy.answer(_question(guard, bound))
        ),
        "memo: the question put with new facts, and its answer": nested,
    }


def _on_less(allowed: bytes) -> dict[str, Case]:
    """Return the same decision on less and on as much data, by engines made alike."""
    found: dict[str, Case] = {}
    sizes = {"the shipped catalog": 0.0, "a quarter of this": 0.25, "this again": 1.0}
    for name, share in sizes.items():
        catalog = generated_catalog(share=share)
        bundle = load_shipped()
        snapshot = RegorusEngine().load(policy_set(bundle=bundle, catalog=catalog))
        if snapshot.evaluate(allowed)["verdict"] != "allow":
            raise SystemExit("on less data it is another question: name what all have")
        found[f"decision, allowed: {name}"] = _decided(snapshot, allowed, bundle)
    return found


def _opa_library(policy: PolicySet, allowed: bytes) -> dict[str, Case]:
    if not LIBRARY.is_dir():
        return {}
    sys.path.append(str(LIBRARY))
    engine: Any = importlib.import_module("opa_bindings").OpaEngine()
    for path, text in policy.modules.items():
        engine.add_policy(path, text)
    engine.add_data(json.loads(canonical_bytes(dict(policy.data))))
    entrypoint = policy.entrypoint.removeprefix("data.")

    def ask() -> object:
        return engine.eval_document(entrypoint, orjson.loads(allowed))

    try:
        ask()
    except Exception as error:  # noqa: BLE001 -- the library's own class
        sys.stderr.write(f"OPA's library does not take the policy: {error}\n")
        return {}
    return {"OPA's library in this process": ask}


def _opa_server(
    bundle: Bundle, catalog: Catalog, allowed: bytes, stack: contextlib.ExitStack
) -> dict[str, Case]:
    program = opa_program()
    if program is None:
        return {}
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    url = stack.enter_context(serving(program, folder, bundle=bundle, catalog=catalog))
    return {"OPA server: bare request, kept connection": bare_request(url, allowed)}


def _row(item: Measured) -> dict[str, object]:
    return {
        "name": item.name,
        "p10_us": item.p10,
        "p50_us": item.p50,
        "p99_us": item.p99,
    }


def _table(measured: tuple[Measured, ...], *, base: float) -> Table:
    table = Table(
        title=f"Python {sys.version.split()[0]}, {MODELS:,} models,"
        f" {DEPLOYMENTS} deployments, {PARTIES:,} listed parties,"
        f" {measured[0].runs} runs in turns of {BURST}"
    )
    table.add_column("what")
    for name in ("p10 µs", "p50 µs", "p99 µs", "decisions"):
        table.add_column(name, justify="right")
    for item in measured:
        table.add_row(
            item.name,
            f"{item.p10:,.1f}",
            f"{item.p50:,.1f}",
            f"{item.p99:,.1f}",
            f"{item.p10 / base:.3f}",
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
