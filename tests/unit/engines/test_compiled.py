"""Tests that compiled policy answers what the interpreter answers, or nothing."""

from __future__ import annotations

import threading
from typing import Any

import orjson
import pytest
from unit.engines.tiny_policy import policy

from policyguard.assembly import catalog_of, policy_set
from policyguard.bundle.shipped import load_shipped
from policyguard.canonical import canonical_bytes
from policyguard.catalog.catalog import Catalog
from policyguard.engines.compiled import builtins
from policyguard.engines.compiled.checked import agrees, compiled_or_not
from policyguard.engines.compiled.program import Compiled
from policyguard.engines.compiled.translate import Translated, translate
from policyguard.engines.native import (
    compile_modules,
    evaluate_on,
    syntax_tree,
    with_data,
)
from policyguard.engines.regorus import COMPILED, RegorusEngine
from policyguard.engines.threads import THREAD
from policyguard.errors import EvaluationError, NotTranslatedError
from policyguard.settings import Settings


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return catalog_of(Settings())


ENTRY = "data.t.answer"
DATA: dict[str, Any] = {"table": {"a": [1, 2], "b": []}, "words": ["x", "ä", "x"]}
INPUTS: tuple[Any, ...] = (
    {},
    {"n": 3, "s": "x", "l": ["b", "a", "b"], "o": {"b": 1, "a": None}, "z": None},
    {"n": 0, "s": "", "l": [], "o": {}, "z": False, "at": "2026-06-12T21:21:00.5Z"},
    {"n": True, "s": 1, "l": [[1], {"a": 1}, None, "a", 2], "o": {"a": {"b": [1]}}},
    {"n": -1, "s": "%s", "l": {"a": "b"}, "o": ["a"], "z": "a"},
)
FORMS = {
    "a reference": "x := input.o.a",
    "a reference into data": "x := data.table[input.s]",
    "a member of a set": 'x := {"a", "b"}[input.s]',
    "an index": "x := input.l[0]",
    "an index too far": "x := input.l[7]",
    "text has no members": "x := input.s[0]",
    "a loop in a reference": "x := [y | y := input.l[_]]",
    "null has no members to loop over": "x := [y | y := input.z[_]]",
    "some": "x := [y | some y in input.l]",
    "some of an object, in order": "x := [[k, v] | some k, v in input.o]",
    "some of a set, in order": "x := [y | some y in {input.n, input.s, null, [1]}]",
    "a set is its members": "x := {y | some y in input.l}",
    "an object of members": "x := {k: count(v) | some k, v in data.table}",
    "every": "x if { every y in input.l { y != null } }",
    "every of nothing": "x if { every y in [] { y == 1 } }",
    "every of no collection": "x if { every y in input.n { y == 1 } }",
    "not": "x if not input.z",
    "not of a comparison": 'x if not input.s == "x"',
    "not in": 'x if not "a" in input.l',
    "in an object": "x if 1 in input.o",
    "in nothing": "x if 1 in input.z",
    "true is not one": "x := [input.n == 1, 1 == true, input.n == true]",
    "numbers are below text": "x := [input.n < input.s, input.n >= 3, input.l > input.o]",
    "sets": 'x := ({"a", input.s} | {1}) - {"a"}',
    "what sets share": 'x := {"a", input.s} & {"x", "a"}',
    "arithmetic": "x := [input.n + 1, input.n * 2, input.n - 5]",
    "what a division leaves": "x := [7 % 4, floor(7 / 2), floor(input.n / 2)]",
    "else": 'x := 1 if { input.n > 1 } else := 2 if { input.s == "" } else := 3',
    "two bodies that agree": "x if input.n\nx if input.s",
    "two bodies that do not": "x := 1 if input.n\nx := 2 if input.s",
    "a default": 'default x := {"d": [1]}\nx := input.o.a',
    "a function": "x := f(input.n)\nf(y) := [y]",
    "a function by pattern": 'x := [f(input.s), f("x")]\nf("x") := 1\nf(y) := 2 if y != "x"',
    "a function that is undefined": "x := f(input.o)\nf(y) := y.a.b",
    "a set by several heads": "x contains 1 if input.n\nx contains input.s if input.l",
    "heads that begin alike": (
        "x contains 1 if {\n\tinput.n != 0\n\tinput.s\n}\n\n"
        "x contains input.l if {\n\tinput.n != 0\n\tinput.s\n\tcount(input.l) > 1\n}\n\n"
        "x contains 3 if {\n\tinput.n != 0\n\tnot input.z\n}\n\n"
        "x contains 4 if not input.z\n\nx contains 5"
    ),
    "heads that begin with what is undefined": (
        "x contains 1 if {\n\tinput.o.a.b\n\tinput.n\n}\n\n"
        "x contains 2 if {\n\tinput.o.a.b\n\tinput.s\n}"
    ),
    "heads that begin alike, with a name of their own": (
        "x contains y if {\n\tinput.n\n\tinput.s\n\ty := 1\n}\n\n"
        "x contains z if {\n\tinput.n\n\tinput.s\n\tsome z in input.l\n}"
    ),
    "a function asked the same twice": (
        "x := [f(input.l), f(input.l), f(input.o)]\n\nf(l) := [y | some y in l]"
    ),
    "a function asked the same of another input": (
        'x := [f(input.l), y, f(input.l)] if { y := inner with input as {"l": [9]} }\n'
        "inner := f(input.l)\n\nf(l) := [[y, input.l] | some y in l]"
    ),
    "a set of objects": (
        'x := {{"a": 1, "b": input.n}, {"a": 1}, {"a": input.s, "c": 1}, {"a": null}, {},'
        ' {"a": 1, "b": [input.n]}, {"a": {"b": input.l}}, {"a": {"b": input.z}}}'
    ),
    "a head that is undefined": 'x contains {"y": input.o.a.b} if input.n',
    "an object by several heads": 'x if m[input.s]\nm["x"] if input.n\nm["y"] if input.l',
    "an array taken apart": 'x := [a, b] if { [a, b] := {"x": [1, 2]}[input.s] }',
    "names that hide others": "x := [y | some y in input.l; z := [y | y := 2]; z == [2]]",
    "with": 'x := [y, input.n] if { y := inner with input as {"n": 9} }\ninner := input.n',
    "text written": 'x := sprintf("%s %v %d %%", [input.s, input.z, input.n])',
    "text from a value that is written otherwise": 'x := sprintf("%s", [input.l])',
    "text joined": 'x := concat(", ", {y | some y in input.l})',
    "counting": "x := [count(input.s), count(input.l), count(input.o)]",
    "kinds": "x := [is_array(input.l), is_string(input.s), is_number(input.n)]",
    "sorting": "x := sort(input.l)",
    "sums": "x := [sum([1, input.n]), max([1, input.n]), min([3, input.n])]",
    "objects joined": 'x := object.union(input.o, {"a": {"c": 1}})',
    "objects asked": 'x := [object.get(input.o, "a", 5), object.get(input.o, ["a", "b"], 6)]',
    "objects without": 'x := [object.remove(input.o, ["a"]), object.keys(input.o)]',
    "arrays joined": "x := array.concat(input.l, [1])",
    "the beginning of a text": 'x := [startswith(input.s, "x"), substring("abc", 1, 1)]',
    "patterns": "x := regex.match(`^[a-z]{1}$`, input.s)",
    "instants": "x := floor(time.parse_rfc3339_ns(input.at) / 1000000000)",
    "null as a key": "x := {y: 1 | some y in [input.s, null]}[null]",
    "a name of data": "x := [y | some y in data.words]",
}
QUICK = {
    "text and its per cent": 'x := sprintf("%s%% of %s, %%s", [input.n, input.s])',
    "text from more than it has room for": 'x := sprintf("%s", [input.s, input.n])',
    "kinds of values": (
        "x := [is_object(input.o), is_boolean(input.z), is_string(input.s),"
        " is_array(input.l), is_null(input.z)]"
    ),
    "a set of what an object has": "x := {y | some y in input.o}",
    "a set of pairs": "x := {[k, v] | some k, v in input.o}",
    "a set of what a set has": "x := {[y] | some y in {input.n, input.s, null, input.n}}",
    "an array inside a set inside an array": (
        "x := [z | some z in {[k | some k, _ in input.o], [y | some y in input.s]}]"
    ),
    "an array of what a set takes apart": (
        'x := [[a, b] | some [a, b] in {[input.s, 1], ["b", input.l], ["b", input.n]}]'
    ),
    "no members": "x := {y | some y in input.l; y == 7} | set()",
    "every of an object": "x if { every y in input.o { y != 1 } }",
    "how many, compared": "x := [count(input.l) > 1, count({input.n, input.z}) < 2]",
    "a count that the policy has itself": (
        'x := count(input.s) > 1\ncount(y) := "many" if y == ""\ncount(y) := 0 if y != ""'
    ),
    "a rule that a body before has looked up, or not": (
        "x := 1 if { input.z; r > 1 } else := r if { input.l[_] == 1; r }"
        " else := [r, y] if { y := [1 | some z in input.l; z == r]; not r == 2; r == r }\n"
        "r := input.n"
    ),
    "a rule by two inputs": (
        'x := [r, y] if { r; y := inner with input as {"n": 9}; r }\n'
        "inner := [r, s] if { r }\nr := input.n\ns := r if r > 0"
    ),
    "one value in several ways": (
        "x := f(input.l)\nf(y) := z if { some u in y; z := count([u]) }"
    ),
    "several values of a last body": (
        "x := f(input.l)\nf(y) := 0 if { count(y) == 0 } else := z if { some z in y }"
    ),
}
"""Forms for which a quicker program is written than for others that look alike."""


def interpreted(modules: dict[str, str], question: bytes) -> Any:
    base = with_data(
        compile_modules(modules), orjson.dumps(DATA).decode(), entrypoint=ENTRY
    )
    try:
        return evaluate_on(base, question.decode(), entrypoint=ENTRY)
    except EvaluationError:
        return None


def program(body: str) -> Compiled:
    modules = {"t.rego": f'package t\n\nanswer := {{"x": x}}\n\n{body}\n'}
    return Compiled(translate(syntax_tree(compile_modules(modules)), entrypoint=ENTRY))


@pytest.mark.parametrize(
    "body", [*FORMS.values(), *QUICK.values()], ids=[*FORMS.keys(), *QUICK.keys()]
)
def test_each_form_answers_as_the_interpreter_does_or_not_at_all(body: str) -> None:
    modules = {"t.rego": f'package t\n\nanswer := {{"x": x}}\n\n{body}\n'}
    running = program(body).on(DATA)
    for given in INPUTS:
        question = canonical_bytes(given)
        answer = running.answer(orjson.loads(question))

        assert answer is None or orjson.dumps(answer) == orjson.dumps(
            interpreted(modules, question)
        ), given


def test_most_of_what_the_interpreter_answers_is_answered() -> None:
    asked = answered = 0
    for body in FORMS.values():
        modules = {"t.rego": f'package t\n\nanswer := {{"x": x}}\n\n{body}\n'}
        running = program(body).on(DATA)
        for given in INPUTS:
            if interpreted(modules, canonical_bytes(given)) is not None:
                asked += 1
                answered += running.answer(given) is not None

    assert answered / asked > 0.9


def test_whatever_is_quick_is_answered() -> None:
    silent = []
    for name, body in QUICK.items():
        modules = {"t.rego": f'package t\n\nanswer := {{"x": x}}\n\n{body}\n'}
        running = program(body).on(DATA)
        for given in INPUTS[:3]:
            known = interpreted(modules, canonical_bytes(given))
            if known is not None and running.answer(given) != known:
                silent.append((name, given))

    assert silent == []


@pytest.mark.parametrize(
    "body",
    [
        "x := y if { y = input.n }",
        "x := [k | some k; input.l[k]]",
        "x := input.n if { some 1, v in input.l; v }",
        "x := m\nm[k] := v if some k, v in input",
        "x := to_number(input.s)",
        "x := 1.5",
        "x := y if { y := [1 | true][0] with input.n as 2 }",
        "x := data",
        "x := [y | y > 0; y := input.n]",
        "x := [1 in input.l]",
    ],
)
def test_a_form_that_is_not_translated_is_named(body: str) -> None:
    with pytest.raises(NotTranslatedError) as caught:
        program(body)

    assert str(caught.value)


def test_names_and_texts_of_a_policy_get_into_no_code() -> None:
    text = "'); raise SystemExit; ('\"\\n\u2028{}"
    body = f"x := {{{orjson.dumps(text).decode()}: __import__}}\n__import__ := input.s"
    answer = program(body).on({}).answer({"s": text})

    assert answer == {"x": {text: text}}


def test_what_is_answered_shares_nothing_with_question_or_data() -> None:
    running = program("x := [input.l, data.words]").on(DATA)
    given = {"l": ["a"]}
    answer: Any = running.answer(given)
    answer["x"][0].append("b")
    answer["x"][1].clear()

    assert running.answer(given) == {"x": [["a"], ["x", "ä", "x"]]}


def test_a_policy_that_calls_itself_without_end_has_no_answer() -> None:
    running = program("x := f(input.n)\nf(y) := f([y])").on({})

    assert running.answer({"n": 1}) is None


def test_more_loops_in_one_another_than_python_has_are_left_to_the_interpreter() -> (
    None
):
    loops = "; ".join(f"some y{n} in input.l" for n in range(30))
    modules = {"t.rego": f"package t\n\nanswer := [1 | {loops}]\n"}
    tree = syntax_tree(compile_modules(modules))

    assert compiled_or_not(translate(tree, entrypoint=ENTRY)) is None


@pytest.mark.parametrize(
    ("instant", "seconds"),
    [
        ("2026-06-12T21:21:00Z", 1781299260),
        ("2026-06-12T21:21:00.999Z", 1781299260),
        ("2026-06-12T23:21:00+02:00", 1781299260),
        ("1970-01-01T00:00:00Z", 0),
    ],
)
def test_an_instant_is_read_to_the_second(instant: str, seconds: int) -> None:
    read = builtins.floor(
        builtins.divide(builtins.parse_rfc3339_ns(instant), 1_000_000_000)
    )

    assert read == seconds


def test_a_program_that_differs_anywhere_is_not_used() -> None:
    given = policy()
    wrong = Compiled(
        Translated(
            parts=("def r1(M):\n  return {'verdict': 'allow', 'findings': []}\n",),
            entry=1,
            rules=1,
        )
    )
    base = with_data(
        compile_modules(given.modules),
        orjson.dumps(dict(given.data)).decode(),
        entrypoint=given.entrypoint,
    )

    assert not agrees(
        wrong,
        data=given.data,
        base=base,
        entrypoint=given.entrypoint,
        examples=given.golden,
    )


def test_the_version_says_whether_compiled_policy_answers(catalog: Catalog) -> None:
    engine = RegorusEngine()
    shipped = policy_set(bundle=load_shipped(), catalog=catalog)
    versions = [engine.load(item).info.version for item in (shipped, policy())]

    assert versions == [f"{engine.info.version}+{COMPILED}", engine.info.version]


def test_threads_share_one_compiled_policy_and_make_no_engine(catalog: Catalog) -> None:
    bundle = load_shipped()
    snapshot = RegorusEngine().load(policy_set(bundle=bundle, catalog=catalog))
    question = canonical_bytes(bundle.golden.vectors[0].input)
    answers: list[Any] = []
    made: list[int] = []

    def ask() -> None:
        answers.append(snapshot.evaluate(question))
        made.append(len(THREAD.by_generation))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert made == [0, 0, 0, 0]
    assert all(answer == answers[0] for answer in answers)


def test_every_golden_vector_is_answered_by_the_compiled_policy(
    catalog: Catalog,
) -> None:
    bundle = load_shipped()
    given = policy_set(bundle=bundle, catalog=catalog)
    tree = syntax_tree(compile_modules(given.modules))
    running = Compiled(translate(tree, entrypoint=given.entrypoint)).on(
        {**given.data, "catalog": given.golden_catalog}
    )
    silent = [
        vector.name
        for vector in given.golden
        if running.answer(orjson.loads(canonical_bytes(vector.input))) is None
    ]

    assert silent == []
