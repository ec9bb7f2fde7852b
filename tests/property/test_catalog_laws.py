"""Laws of the catalog: any bytes, any order, any host."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from policyguard.canonical import Json
from policyguard.catalog.document import SECTIONS
from policyguard.catalog.endpoints import endpoint_of, host_key, model_in_path
from policyguard.catalog.load import Source, compile_catalog
from policyguard.catalog.yaml_text import read_yaml
from policyguard.errors import CatalogError

ROOT = Path(__file__).parents[2]
FILES = {
    path.name: path.read_bytes()
    for path in sorted((ROOT / "policies" / "catalog").glob("*.yaml"))
}
SOURCES = [Source(name=name, data=data) for name, data in FILES.items()]
CATALOG = compile_catalog(SOURCES)
NAMES = sorted({name for _, name in CATALOG.index.answers})
HOSTS = sorted(CATALOG.index.hosts)


def attempt(data: bytes) -> None:
    try:
        compile_catalog([Source(name="f.yaml", data=data)])
    except CatalogError as error:
        assert str(error).startswith(("f.yaml:", "no file of the catalog"))  # noqa: PT017


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
@settings(max_examples=300)
def test_any_bytes_load_or_raise_our_error(data: bytes) -> None:
    attempt(data)


@given(
    st.text(alphabet="ab:-[]{}&*!|>'\"#%@`,?~ \n\t0NOx", max_size=60),
    st.sampled_from(["", "models:\n  m:\n    ", "lists: {l: {countries: "]),
)
@settings(max_examples=400)
def test_any_text_made_of_yaml_signs_loads_or_raises_our_error(
    text: str, prefix: str
) -> None:
    attempt((prefix + text).encode())


@given(st.sampled_from(sorted(FILES)), st.data())
@settings(max_examples=150)
def test_a_damaged_shipped_file_loads_or_raises_our_error(
    name: str, data: st.DataObject
) -> None:
    whole = FILES[name]
    start = data.draw(st.integers(0, len(whole)))
    stop = data.draw(st.integers(start, min(start + 40, len(whole))))
    attempt(whole[:start] + data.draw(st.binary(max_size=6)) + whole[stop:])


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(categories=("L", "N", "P", "S"))),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(alphabet="abcNO", max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(JSON)
@settings(max_examples=200)
def test_json_is_read_as_json(value: Json) -> None:
    assert read_yaml(json.dumps(value, ensure_ascii=False), name="f.yaml") == value


def _shuffled(value: Json, data: st.DataObject) -> Json:
    if not isinstance(value, dict):
        return value
    keys = data.draw(st.permutations(sorted(value)))
    return {key: _shuffled(value[key], data) for key in keys}


@given(st.permutations(range(len(SOURCES))), st.data())
@settings(max_examples=15)
def test_the_digest_knows_no_order_of_files_entries_and_keys(
    order: list[int], data: st.DataObject
) -> None:
    sources = []
    for i in order:
        file = read_yaml(SOURCES[i].data.decode(), name="f")
        assert isinstance(file, dict)
        for section in file.keys() & set(SECTIONS):
            entries = file[section]
            assert isinstance(entries, dict)
            keys = data.draw(st.permutations(sorted(entries)))
            first = keys[0]
            moved = {key: entries[key] for key in keys}
            moved[first] = _shuffled(entries[first], data)
            file[section] = moved  # type: ignore[index]
        # The names of the files are no facts either.
        sources.append(Source(name=f"{order[i]}.yaml", data=json.dumps(file).encode()))
    assert compile_catalog(sources) == CATALOG


HOST_TEXT = st.one_of(
    st.text(max_size=30),
    st.from_regex(
        r"[a-z0-9-]{1,9}(\.[a-z0-9-]{1,9}){0,3}(:[0-9]{1,5})?", fullmatch=True
    ),
    st.sampled_from(HOSTS).flatmap(
        lambda host: st.sampled_from(
            [
                f"x.{host}",
                f"{host}.x",
                f"{host}:8443",
                f"{host}:443",
                f"user@{host}",
                f"{host}@x",
                f"{host}/",
                f"{host} ",
                f"{host}\n",
                f"{host}\0",
                host.replace("a", "\u0430"),
                host.replace(".", "\u3002"),
                f"xn--{host}",
                f"{host}..",
                f"[{host}]",
            ]
        )
    ),
)


@given(st.sampled_from(NAMES) | st.text(max_size=20), HOST_TEXT)
@settings(max_examples=400)
def test_a_host_that_is_not_listed_is_never_a_deployment(name: str, host: str) -> None:
    answer = CATALOG.resolve(asked_model=name, host=host)
    listed = host.lower().removesuffix(".") in CATALOG.index.hosts
    assert answer.deployment is None or listed
    if not listed:
        assert "no deployment of the catalog answers at" in answer.why


@given(st.sampled_from(sorted(CATALOG.index.answers)), st.data())
@settings(max_examples=100)
def test_the_case_of_a_host_a_final_dot_and_its_own_port_do_not_matter(
    pair: tuple[str, str], data: st.DataObject
) -> None:
    host, name = pair
    written = "".join(
        letter.upper() if data.draw(st.booleans()) else letter for letter in host
    )
    written += data.draw(st.sampled_from(["", "."]))
    plain = CATALOG.resolve(asked_model=name, host=host)
    assert plain.deployment == CATALOG.index.answers[pair]
    assert CATALOG.resolve(asked_model=name, host=written) == plain
    assert endpoint_of(f"https://{written}:443/v1") == host


@given(st.sampled_from(sorted(CATALOG.index.answers)), st.data())
@settings(max_examples=100)
def test_the_case_of_a_name_matters(pair: tuple[str, str], data: st.DataObject) -> None:
    host, name = pair
    other = data.draw(
        st.sampled_from([name.upper(), name + " ", " " + name, name[:-1]])
    )
    if (host, other) not in CATALOG.index.answers:
        answer = CATALOG.resolve(asked_model=other, host=host)
        assert (answer.model, answer.deployment) == (None, None)


@given(st.text(max_size=60) | HOST_TEXT.map(lambda host: f"https://{host}/v1"))
@settings(max_examples=400)
def test_an_endpoint_is_in_the_form_in_which_hosts_are_compared(url: str) -> None:
    host = endpoint_of(url)
    assert host is None or host_key(host) == host


@given(st.text(max_size=60))
@settings(max_examples=200)
def test_any_path_names_a_model_or_none(path: str) -> None:
    name = model_in_path(path)
    assert name is None or isinstance(name, str)


REWRITINGS = {
    "encoded": lambda char: "".join(f"%{byte:02X}" for byte in char.encode()),
    "encoded in small letters": lambda char: f"%{ord(char):02x}",
    "encoded twice": lambda char: f"%25{ord(char):02X}",
    "in another case": str.swapcase,
    "doubled, if it is a slash": lambda char: "//" if char == "/" else char,
    "turned, if it is a slash": lambda char: "\\" if char == "/" else char,
    "with a dot, if it is a slash": lambda char: "/./" if char == "/" else char,
    "there and back": lambda char: "/x/../" if char == "/" else char,
    "with a parameter": lambda char: ";x=/" if char == "/" else char,
    "with a verb": lambda char: f":a{char}" if char == "/" else char,
    "with a colon": lambda char: f"%3A{char}",
}
PATHS = (
    "/model/{}/converse",
    "/proxy/model/{}/invoke",
    "/openai/deployments/{}/chat/completions",
    "/v1/engines/{}/completions",
    "/v1/projects/p/locations/eu/publishers/x/models/{}:rawPredict",
)


@given(
    st.sampled_from(sorted(CATALOG.index.answers)),
    st.sampled_from([*NAMES, "deepseek.r1-v1:0", "arn:aws:x:y/z"]),
    st.sampled_from(PATHS),
    st.lists(
        st.tuples(st.integers(min_value=0), st.sampled_from(sorted(REWRITINGS))),
        min_size=1,
        max_size=3,
    ),
)
@settings(max_examples=400)
def test_a_rewritten_path_means_what_the_plain_one_does_or_nothing(
    pair: tuple[str, str], named: str, path: str, changes: list[tuple[int, str]]
) -> None:
    """Whatever the body says, which is a name that is known at that host."""
    host, said = pair
    plain = path.format(quote(named, safe=""))
    rewritten = list(plain)
    for number, how in changes:
        place = number % len(plain)
        rewritten[place] = REWRITINGS[how](plain[place])

    meant = CATALOG.resolve(asked_model=said, host=host, path=plain)
    found = CATALOG.resolve(asked_model=said, host=host, path="".join(rewritten))

    assert (found.model, found.deployment) in {
        (None, None),
        (meant.model, meant.deployment),
    }
