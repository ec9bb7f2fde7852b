"""What tests do not reach is left out, and what a mutant could mention stays."""

from __future__ import annotations

from pathlib import Path

from policyguard.testing.mutate import mutate
from policyguard.testing.pruning import pruned
from policyguard.testing.sources import read_policy
from policyguard.testing.world import ground_of, world_of

FACTS = """package facts

# Where it lies.
storage := {"DE"}

processing := {"FR"}

idle := {"US"}

default known(_) := false

known(x) if x in storage
"""
RULES = """package own

findings contains {"id": "A"} if data.facts.storage
"""
OTHER = """package own

findings contains {"id": "B"} if data.facts.idle
"""


def test_what_is_reached_stays_with_what_may_be_taken_for_it() -> None:
    texts = {"facts.rego": FACTS, "rules.rego": RULES, "other.rego": OTHER}

    found = pruned(texts, asked=[("own", "findings")], contributing={"rules.rego"})

    assert found == {
        "facts.rego": 'package facts\n\n# Where it lies.\nstorage := {"DE"}\n\n'
        'processing := {"FR"}\n\n\n\n\n\n\n',
        "rules.rego": RULES,
    }


def test_a_mutant_that_asks_a_helper_for_something_new_is_tried_without_a_table(
    tmp_path: Path,
) -> None:
    (tmp_path / "levels.rego").write_text("package levels\n\nlevel := 1\n", "utf-8")
    (tmp_path / "places.rego").write_text(
        "package places\n\nlow(x) if x < 2\n", "utf-8"
    )
    (tmp_path / "levels_test.rego").write_text(
        "package levels_test\n\n_low(x) if data.places.low(x)\n\n"
        "test_it_is_low if _low(data.levels.level)\n",
        "utf-8",
    )

    report = mutate(read_policy(tmp_path), files=["levels.rego"], compared_on=0)

    assert [(item.mutant.after, item.state) for item in report.results] == [
        ("", "killed"),
        ("2", "killed"),
        ("0", "survived"),
    ]


def test_what_a_helper_returned_is_looked_up_with_its_sets_or_that_it_is_nothing(
    tmp_path: Path,
) -> None:
    (tmp_path / "own.rego").write_text(
        'package own\n\nallow if {\n\t"DE" in input.to\n\t{1, 2} == input.deep.list[0].of\n'
        '\tinput.deep.names == {"a": {"x"}, "b": {"y", "z"}}\n}\n',
        "utf-8",
    )
    (tmp_path / "made.rego").write_text(
        'package made\n\nasked(x) := {"to": {x}, "deep": {"list": [{"of": {1, 2}}],'
        ' "names": {"a": {"x"}, "b": {"y", "z"}}}} if is_string(x)\n\n'
        'flat(x) := {"to": {x}, "deep": object.remove(asked(x).deep, ["list"]), "one": {3}}\n',
        "utf-8",
    )
    (tmp_path / "own_test.rego").write_text(
        "package own_test\n\n_asked(x) := data.made.asked(x)\n\n"
        "test_nowhere if not _asked(null)\n\n"
        "_flat(x) := data.made.flat(x)\n\n"
        'test_de if data.own.allow with input as _asked("DE")\n\n'
        'test_fr if not data.own.allow with input as _asked("FR")\n\n'
        'test_flat if {\n\tflat := _flat("DE")\n\tflat == {"to": {"DE"}, "one": {3},'
        ' "deep": {"names": {"a": {"x"}, "b": {"y", "z"}}}}\n'
        "\tnot data.own.allow with input as flat\n}\n",
        "utf-8",
    )

    ground = ground_of(read_policy(tmp_path))
    module = next(item for item in ground.tree.modules if item.name == "own.rego")

    world = world_of(ground, module)

    # Were one no set, the tests would not hold on the table, and none would be used.
    assert world is not None
    assert world._whole is not None
    # Nor may anything be asked of the whole policy.
    world._whole = None
    assert world.failing(ground.policy.modules["own.rego"]) == ""
