"""The built-in functions that policies may call.

A policy gives the same answer on the embedded engine and on OPA only as long as it
calls what both have, with one meaning, and what depends on its arguments alone.
Specification: the built-ins of OPA 1.x, and those of regorus 0.13.0.
"""

from __future__ import annotations

from typing import Final

SHARED_BUILTINS: Final = frozenset(
    {
        "abs",
        "array.concat",
        "array.reverse",
        "array.slice",
        "base64.decode",
        "base64.encode",
        "base64.is_valid",
        "base64url.decode",
        "base64url.encode",
        "base64url.encode_no_pad",
        "bits.and",
        "bits.lsh",
        "bits.negate",
        "bits.or",
        "bits.rsh",
        "bits.xor",
        "ceil",
        "concat",
        "contains",
        "count",
        "endswith",
        "floor",
        "format_int",
        "glob.match",
        "glob.quote_meta",
        "graph.reachable",
        "graph.reachable_paths",
        "hex.decode",
        "hex.encode",
        "indexof",
        "indexof_n",
        "intersection",
        "is_array",
        "is_boolean",
        "is_null",
        "is_number",
        "is_object",
        "is_set",
        "is_string",
        "json.filter",
        "json.is_valid",
        "json.marshal",
        "json.patch",
        "json.remove",
        "json.unmarshal",
        "lower",
        "max",
        "min",
        "net.cidr_contains",
        "net.cidr_is_valid",
        "numbers.range",
        "numbers.range_step",
        "object.filter",
        "object.get",
        "object.keys",
        "object.remove",
        "object.subset",
        "object.union",
        "object.union_n",
        "print",
        "product",
        "regex.find_all_string_submatch_n",
        "regex.find_n",
        "regex.is_valid",
        "regex.match",
        "regex.replace",
        "regex.split",
        "regex.template_match",
        "replace",
        "round",
        "semver.compare",
        "semver.is_valid",
        "sort",
        "split",
        "sprintf",
        "startswith",
        "strings.any_prefix_match",
        "strings.any_suffix_match",
        "strings.replace_n",
        "strings.reverse",
        "substring",
        "sum",
        "time.add_date",
        "time.clock",
        "time.date",
        "time.diff",
        "time.format",
        "time.parse_duration_ns",
        "time.parse_ns",
        "time.parse_rfc3339_ns",
        "time.weekday",
        "to_number",
        "trim",
        "trim_left",
        "trim_prefix",
        "trim_right",
        "trim_space",
        "trim_suffix",
        "type_name",
        "union",
        "units.parse",
        "units.parse_bytes",
        "upper",
        "urlquery.decode",
        "urlquery.decode_object",
        "urlquery.encode",
        "urlquery.encode_object",
    }
)
"""What both engines have and mean alike."""

REFUSED_BUILTINS: Final = {
    "http.send": "reaches the network",
    "net.lookup_ip_addr": "reaches the network",
    "opa.runtime": "depends on the process",
    "rand.intn": "is random",
    "rego.parse_module": "is not in the embedded engine",
    "time.now_ns": "reads the clock: take the instant from `input`",
    "uuid.parse": "is kept out with its random sibling",
    "uuid.rfc4122": "is random",
    "json.marshal_with_options": "writes text that differs between engines",
    "json.match_schema": "answers in another shape on OPA",
    "json.verify_schema": "answers in another shape on OPA",
    "net.cidr_expand": "makes a set of any size of one short text",
    "strings.count": "panics on the empty text",
    "trace": "writes to another place on each engine",
    "walk": "visits in another order on OPA",
    "yaml.is_valid": "reads another YAML on OPA",
    "yaml.marshal": "writes another YAML on OPA",
    "yaml.unmarshal": "reads another YAML on OPA",
    "__builtin_sets.intersection": "is internal",
    "__builtin_sets.union": "is internal",
}
"""What one of them has, but a policy may not call, and why."""

KNOWN_BUILTINS: Final = SHARED_BUILTINS | frozenset(REFUSED_BUILTINS)
"""Every name that a policy must not take for a function of its own."""

BUILTIN_NAMESPACES: Final = frozenset(name.split(".")[0] for name in KNOWN_BUILTINS)
"""Every name that an import must not hide."""

LITERAL_RANGES: Final = frozenset({"numbers.range", "numbers.range_step"})
"""What builds as many numbers as its arguments say: they must be literals."""

MAX_RANGE: Final = 10_000
"""The widest literal range that is accepted."""
