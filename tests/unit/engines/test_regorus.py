"""Tests of the embedded engine: what it loads, and what it answers."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from unit.engines.tiny_policy import (
    ADVISED,
    DENIED,
    MAIN,
    RULES,
    answering,
    policy,
)

from policyguard.engines.library import KNOWN_DIGESTS
from policyguard.engines.regorus import RegorusEngine
from policyguard.errors import ConfigurationError, EngineLoadError, EvaluationError

SECRET = "canary-7f3a"


def _failure(body: str, data: bytes = b'{"value":1}') -> tuple[str, str]:
    snapshot = RegorusEngine().load(answering(body))
    with pytest.raises(EvaluationError) as caught:
        snapshot.evaluate(data)
    return caught.value.code, str(caught.value)


def _refusal(**changes: object) -> str:
    with pytest.raises(EngineLoadError) as caught:
        RegorusEngine().load(policy(**changes))
    return str(caught.value)


def test_the_answer_is_the_entrypoints_object() -> None:
    snapshot = RegorusEngine().load(policy())

    assert snapshot.evaluate(b'{"model":"bad"}') == {
        "verdict": "deny",
        "findings": [{"id": "EAR-01", "effect": "deny"}],
    }


def test_the_loaded_catalog_answers_and_not_the_golden_one() -> None:
    snapshot = RegorusEngine().load(policy())
    shipped, golden = (
        snapshot.evaluate(b'{"model":"fr"}'),
        snapshot.evaluate(b'{"model":"open"}'),
    )

    assert (shipped["findings"], golden["findings"]) == (
        [{"id": "EAR-02", "effect": "advise"}],
        [],
    )


def test_one_evaluation_leaves_nothing_for_the_next() -> None:
    snapshot = RegorusEngine().load(policy())
    first = snapshot.evaluate(b'{"model":"bad"}')
    with pytest.raises(EvaluationError):
        snapshot.evaluate(b'{"model":')
    other = snapshot.evaluate(b'{"model":"none"}')

    assert (first["verdict"], other) == ("deny", {"verdict": "allow", "findings": []})


def test_the_asynchronous_answer_is_the_same() -> None:
    snapshot = RegorusEngine().load(policy())
    inline = snapshot.evaluate(b'{"model":"bad"}')

    assert asyncio.run(snapshot.aevaluate(b'{"model":"bad"}')) == inline


def test_a_snapshot_names_bundle_catalog_and_engine() -> None:
    engine = RegorusEngine()
    snapshot = engine.load(policy())

    assert (snapshot.bundle_digest, snapshot.catalog_digest, snapshot.info) == (
        "b" * 64,
        "c" * 64,
        engine.info,
    )


def test_the_engine_names_a_known_library() -> None:
    info = RegorusEngine().info

    assert (
        info.name,
        info.version,
        info.distribution,
        info.digest in KNOWN_DIGESTS,
    ) == (
        "regorus",
        "0.13.0",
        "gordon-to-regorus",
        True,
    )


def test_an_undefined_answer_has_its_own_code() -> None:
    code, _ = _failure("decision := {} if input.none")

    assert code == "engine.undefined"


def test_the_text_undefined_is_no_answer_either() -> None:
    code, _ = _failure('decision := "<undefined>"')

    assert code == "engine.undefined"


@pytest.mark.parametrize("value", ["null", "true", "7", '"text"', "[{}]", "{1, 2}"])
def test_an_answer_that_is_no_object_is_malformed(value: str) -> None:
    code, _ = _failure(f"decision := {value}")

    assert code == "engine.malformed"


def test_a_conflict_of_rules_is_an_error() -> None:
    code, message = _failure(
        'decision := {"a": 1} if input.value\ndecision := {"a": 2} if input.value'
    )

    assert (code, message) == (
        "engine.evaluation",
        "evaluation failed at main.rego:4:1: rule conflicts with rule at",
    )


def test_an_error_never_names_the_input() -> None:
    _, message = _failure(
        'decision := {"a": time.parse_rfc3339_ns(input.value)}',
        f'{{"value":"{SECRET}"}}'.encode(),
    )

    assert message == (
        "evaluation failed at the policy: a built-in or an expression failed"
    )


def test_an_error_carries_no_cause_that_holds_the_input() -> None:
    snapshot = RegorusEngine().load(
        answering('decision := {"a": time.parse_rfc3339_ns(input.value)}')
    )
    with pytest.raises(EvaluationError) as caught:
        snapshot.evaluate(f'{{"value":"{SECRET}"}}'.encode())

    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_prints_are_dropped(capfd: pytest.CaptureFixture[str]) -> None:
    snapshot = RegorusEngine().load(
        answering("decision := {} if {\n\tprint(input.value)\n}")
    )
    snapshot.evaluate(b'{"value":"canary"}')

    assert capfd.readouterr() == ("", "")


def test_strings_cannot_forge_an_answer() -> None:
    forged = '"}],"verdict":"allow","zz":[{"y":"'
    snapshot = RegorusEngine().load(
        answering(
            'decision := {"verdict": "deny", "msg": sprintf("%s", [input.value])}'
        )
    )

    assert snapshot.evaluate(
        b'{"value":"\\"}],\\"verdict\\":\\"allow\\",\\"zz\\":[{\\"y\\":\\""}'
    ) == {
        "verdict": "deny",
        "msg": forged,
    }


def test_a_larger_limit_admits_larger_input() -> None:
    data = b'{"value":"' + b"x" * 300_000 + b'"}'
    snapshot = RegorusEngine(max_input_bytes=400_000).load(
        answering('decision := {"n": count(input.value)}')
    )

    assert snapshot.evaluate(data) == {"n": 300_000}


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="`0` bytes of input"):
        RegorusEngine(max_input_bytes=0)


def test_a_module_that_does_not_parse_is_named_with_its_line() -> None:
    message = _refusal(modules={"main.rego": MAIN, "rules.rego": RULES + "x := [1,\n"})

    assert message.startswith("rules.rego:9:1: ")


def test_a_missing_entrypoint_is_refused() -> None:
    message = _refusal(entrypoint="data.policyguard.main.answer")

    assert message == "no module defines the entrypoint `data.policyguard.main.answer`"


def test_an_empty_policy_is_refused() -> None:
    message = _refusal(modules={}, rule_ids=frozenset(), golden=())

    assert message == f"no module defines the entrypoint `{policy().entrypoint}`"


def test_a_rule_that_the_rulebook_lacks_is_named() -> None:
    message = _refusal(rule_ids=frozenset({"EAR-01"}))

    assert message == (
        "rulebook and modules differ in the rules `EAR-02`: write the rulebook anew"
    )


def test_a_rule_that_the_modules_lack_is_named() -> None:
    message = _refusal(rule_ids=frozenset({"EAR-01", "EAR-02", "EAR-03"}))

    assert message == (
        "rulebook and modules differ in the rules `EAR-03`: write the rulebook anew"
    )


def test_a_rule_without_a_golden_vector_is_named() -> None:
    message = _refusal(golden=(DENIED,))

    assert message == (
        "rules of the rulebook and rules that fire on golden vectors differ in"
        " `EAR-02`: add a vector for each rule"
    )


def test_a_golden_vector_with_another_verdict_is_named() -> None:
    message = _refusal(golden=(dataclasses.replace(DENIED, verdict="allow"), ADVISED))

    assert message == (
        "golden vector `bad model` gives `deny` by `EAR-01`, but promises `allow` by"
        " `EAR-01`: correct the rules or the vector"
    )


def test_a_golden_vector_with_other_rules_is_named() -> None:
    wrong = dataclasses.replace(ADVISED, rules=("EAR-01", "EAR-02"))

    assert _refusal(golden=(DENIED, wrong)) == (
        "golden vector `open model` gives `allow` by `EAR-02`, but promises `allow` by"
        " `EAR-01, EAR-02`: correct the rules or the vector"
    )


def test_a_golden_vector_that_fails_is_named() -> None:
    main = MAIN.replace(":= {", ":= {") + "\ndecision := {} if input.twice\n"
    twice = dataclasses.replace(DENIED, name="twice", input={"twice": True})

    assert _refusal(
        modules={"main.rego": main, "rules.rego": RULES}, golden=(DENIED, twice)
    ) == (
        "golden vector `twice`: evaluation failed at main.rego:12:1: rule conflicts"
        " with rule at"
    )


def test_data_without_a_canonical_form_is_refused() -> None:
    message = _refusal(data={"catalog": {"price": 0.5}})

    assert message == "data cannot be loaded: a float has no canonical form"


def test_data_that_silences_a_rule_is_refused() -> None:
    message = _refusal(data={"policyguard": {"rules": {"findings": []}}})

    assert message == (
        "data at `data.policyguard.rules` shadows the policy at"
        " `data.policyguard.rules`: rename one of them"
    )


@pytest.mark.parametrize(
    ("call", "cause"),
    [
        ("no.such(1)", "is no function of the policy"),
        (
            'http.send({"method": "get", "url": "http://127.0.0.1"})',
            "reaches the network",
        ),
        ("time.now_ns()", "reads the clock"),
    ],
)
def test_a_refused_call_in_a_rule_that_is_never_reached_is_found(
    call: str, cause: str
) -> None:
    unreached = f"{RULES}\nunreached := {call}\n"

    message = _refusal(modules={"main.rego": MAIN, "rules.rego": unreached})

    assert (message.startswith("rules.rego:9: `"), cause in message) == (True, True)
