"""What names in policy stand for: rules by path, and which of them read the question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from policyguard.engines.tree import Node, Path, path_of, walk
from policyguard.errors import NotTranslatedError

Kind = Literal["value", "set", "object", "function"]


@dataclass(slots=True)
class Rule:
    """Is everything that defines one name."""

    number: int
    path: Path
    package: Path
    kind: Kind
    arguments: int = 0
    definitions: list[tuple[bytes, Node]] = field(default_factory=list)
    """Each with the text of its file, of which the tree has places only."""
    default: Node | None = None


def only(node: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the kind of a node, and what is in it."""
    ((kind, inner),) = ((key, value) for key, value in node.items() if key != "span")
    return kind, inner


class Names:
    """Finds rules.

    Args:
        document: The syntax tree as the engine writes it.

    Raises:
        NotTranslatedError: a module or a head has a form that is not translated.
    """

    def __init__(self, document: Iterable[Node]) -> None:
        self.rules: dict[Path, Rule] = {}
        self._prefixes: set[Path] = set()
        for entry in document:
            tree, text = entry["ast"], str(entry["source"]["contents"]).encode("utf-8")
            if tree["imports"]:
                raise NotTranslatedError("an import")
            package = path_of(tree["package"]["refr"])
            if package is None:
                raise NotTranslatedError("a package")
            for definition in tree["rules"]:
                self._define(package, definition, text)

    def _define(self, package: Path, definition: Node, text: bytes) -> None:
        form, body = only(definition)
        if form == "Default":
            if body["args"]:
                raise NotTranslatedError("a default of a function")
            self._rule(package, body["refr"], "value").default = body["value"]
            return
        shape, head = only(body["head"])
        if shape == "Set":
            if head["key"] is None:
                raise NotTranslatedError("a set of the old form")
            rule = self._rule(package, head["refr"], "set")
        elif shape == "Func":
            count = len(head["args"])
            rule = self._rule(package, head["refr"], "function", arguments=count)
        elif (named := _of_literal_key(head["refr"])) is not None:
            rule = self._rule(package, named, "object")
        else:
            rule = self._rule(package, head["refr"], "value")
        rule.definitions.append((text, body))

    def _rule(
        self, package: Path, reference: Node, kind: Kind, *, arguments: int = 0
    ) -> Rule:
        form, inner = only(reference)
        if form != "Var":
            raise NotTranslatedError("a rule whose name is a path")
        path = (*package, str(inner["value"]))
        known = self.rules.get(path)
        if known is None:
            number = len(self.rules) + 1
            known = self.rules[path] = Rule(number, path, package, kind, arguments)
            self._prefixes.update(path[:end] for end in range(len(path)))
        if known.kind != kind or known.arguments != arguments:
            raise NotTranslatedError("a name of two kinds")
        return known

    def in_data(self, path: Path) -> tuple[Rule | None, Path]:
        """Return the rule that a path below `data` reaches, and what is left of it.

        Raises:
            NotTranslatedError: it names what rules and data make together.
        """
        for end in range(1, len(path) + 1):
            rule = self.rules.get(path[:end])
            if rule is not None:
                return rule, path[end:]
        if path in self._prefixes:
            raise NotTranslatedError("a document of several rules")
        return None, path

    @cached_property
    def called_alike(self) -> frozenset[Path]:
        """Give the functions that are called with the same words in several places."""
        calls: Counter[tuple[Path, bytes]] = Counter()
        for rule in self.rules.values():
            for text, definition in rule.definitions:
                for node in walk(definition):
                    called = node.get("Call")
                    path = path_of(called["fcn"]) if called else None
                    if called and path and (*rule.package, *path) in self.rules:
                        span = called["span"]
                        words = text[span["start"] : span["end"]]
                        calls[(*rule.package, *path), words] += 1
        return frozenset(path for (path, _), times in calls.items() if times > 1)

    @cached_property
    def reading_input(self) -> frozenset[Path]:
        """Give the rules whose value depends on the question."""
        uses: dict[Path, set[Path]] = {}
        reading: set[Path] = set()
        for rule in self.rules.values():
            found = set(self._mentioned(rule))
            if () in found:
                reading.add(rule.path)
            uses[rule.path] = found
        while more := {
            path
            for path, used in uses.items()
            if path not in reading and used & reading
        }:
            reading |= more
        return frozenset(reading)

    def _mentioned(self, rule: Rule) -> Iterator[Path]:
        """Yield each rule that may be mentioned, and `()` for the question."""
        for _, definition in rule.definitions:
            for node in walk(definition):
                name = node.get("Var", {}).get("value") if "Var" in node else None
                if name == "input":
                    yield ()
                elif name is not None and (*rule.package, name) in self.rules:
                    yield (*rule.package, name)
                if "RefDot" in node or "RefBrack" in node:
                    yield from self._of_data(node)

    def _of_data(self, node: Node) -> Iterator[Path]:
        path = path_of(node)
        if path is not None and path[0] == "data":
            found = next(
                (
                    path[1:end]
                    for end in range(2, len(path) + 1)
                    if path[1:end] in self.rules
                ),
                None,
            )
            if found is not None:
                yield found


def _of_literal_key(reference: Node) -> Node | None:
    """Return the name of an object to which a head adds a literal key."""
    form, inner = only(reference)
    if form == "RefBrack" and only(inner["index"])[0] == "String":
        return dict(inner["refr"])
    return None
