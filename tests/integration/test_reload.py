"""Tests of letting new policy take over while calls are made."""

from __future__ import annotations

import gc
import os
import random
import resource
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bundle_corpus import corpus
from bundles import put, shipped_as, signed, trusting
from guards import SUMMER, settings
from hostile import answering, http, serving
from trails import entries
from unit.engines.tiny_policy import policy as tiny_policy

from policyguard import BundleError, Guard, ModelCall, Settings
from policyguard.assembly import build_core, catalog_of, kept_policy
from policyguard.bundle.archive import pack, unpack
from policyguard.bundle.shipped import load_shipped
from policyguard.bundle.source import load_files
from policyguard.engines.compiled.translate import translate
from policyguard.engines.native import compile_modules, syntax_tree
from policyguard.engines.regorus import COMPILED, RegorusEngine, RegorusSnapshot
from policyguard.engines.sampling import Sampling
from policyguard.errors import BundleRefused, ConfigurationError, EngineLoadError
from policyguard.guard.core import Core
from policyguard.guard.policy import Policy, PolicyInUse
from policyguard.reload.acceptance import Accepted
from policyguard.reload.offer import FileSource
from policyguard.reload.reloader import Reloader, Supply
from policyguard.supply import trust_of
from policyguard.vocabulary.call import Tenant

PATIENCE = 30.0
CALL = ModelCall(at=SUMMER, tenant=Tenant(id="acme"))
BAD_REGO = b"\nfindings contains {} if {\n"


def configured(folder: Path, **bundle: Any) -> Settings:
    return settings(folder).model_copy(update={"bundle": trusting(folder, **bundle)})


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    put(tmp_path / "bundle.tar.gz", signed(shipped_as("2026.11.7"), tmp_path))
    return tmp_path / "bundle.tar.gz"


@pytest.fixture
def core(archive: Path, tmp_path: Path) -> Iterator[Core]:
    made = build_core(settings=configured(tmp_path, poll_seconds=1))
    yield made
    made.close()


def records(folder: Path, kind: str) -> list[Any]:
    found = [entry.record() for entry in entries(folder / "trail")]
    return [record for record in found if record.kind == kind]


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def test_a_newer_bundle_takes_over_without_a_restart(
    core: Core, archive: Path, tmp_path: Path
) -> None:
    with Guard.of_core(core) as guard:
        before = guard.check(CALL)
        put(archive, signed(shipped_as("2026.11.8"), tmp_path))
        until(lambda: core.bundle.revision == "2026.11.8")
        until(lambda: guard.check(CALL).bundle.revision == "2026.11.8")

    first, second = records(tmp_path, "policy.load")
    assert before.bundle == first.bundle
    assert second.previous == first.bundle
    assert (second.source, second.signed_by, second.lowered) == (
        "archive",
        "acme-2026",
        False,
    )
    assert (first.enforced, second.enforced) == (True, True)


def test_a_reload_says_that_the_process_only_observes(
    archive: Path, tmp_path: Path
) -> None:
    known = configured(tmp_path, poll_seconds=1)
    observing = known.model_copy(
        update={"tenant": known.tenant.model_copy(update={"mode": "observe"})}
    )
    core = build_core(settings=observing)
    try:
        put(archive, signed(shipped_as("2026.11.8"), tmp_path))
        until(lambda: core.bundle.revision == "2026.11.8")
    finally:
        core.close()

    loads = records(tmp_path, "policy.load")
    assert [(item.bundle.revision, item.enforced) for item in loads] == [
        ("2026.11.7", False),
        ("2026.11.8", False),
    ]


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda folder: b"odd", "bundle.unreadable"),
        (lambda folder: pack(shipped_as("2026.11.8")), "bundle.signature"),
        (
            lambda folder: signed(
                {"policyguard/x.rego": b"package policyguard.x\n"}, folder
            ),
            "bundle.malformed",
        ),
        (lambda folder: signed(shipped_as("2026.11.6"), folder), "bundle.revision"),
        (
            lambda folder: signed(shipped_as("2026.11.8", gdpr_01=BAD_REGO), folder),
            "bundle.engine",
        ),
    ],
)
def test_a_bad_bundle_changes_nothing_and_is_recorded_once(
    spoil: Callable[[Path], bytes], code: str, core: Core, archive: Path, tmp_path: Path
) -> None:
    put(archive, spoil(tmp_path))
    until(lambda: records(tmp_path, "policy.reject") != [])
    time.sleep(2.5)
    decision = core.bundle.revision
    put(archive, signed(shipped_as("2026.11.9"), tmp_path))
    until(lambda: core.bundle.revision == "2026.11.9")

    (refusal,) = records(tmp_path, "policy.reject")
    assert (decision, refusal.code) == ("2026.11.7", code)
    assert refusal.kept.revision == "2026.11.7"


def test_no_bundle_of_the_corpus_touches_the_one_in_use(
    core: Core, tmp_path: Path
) -> None:
    def never(accepted: Accepted) -> Policy:
        raise AssertionError(f"{accepted.offered} was to be loaded")

    before = core.policies.newest
    offered = tmp_path / "offered.tar.gz"
    bad = corpus(tmp_path)
    for data, _ in bad.values():
        put(offered, data)
        reloader = Reloader(
            supply=Supply(
                FileSource(offered),
                trust_of(configured(tmp_path).bundle),
                enforced=True,
            ),
            policies=core.policies,
            trail=core.trail,
            build=never,
            seconds=60,
        )

        assert not reloader.looking.once()
    core.trail.flush()
    kept = {item.kept.digest for item in records(tmp_path, "policy.reject")}

    assert core.policies.newest is before
    assert kept == {before.bundle.digest}
    assert len(records(tmp_path, "policy.reject")) == len(bad)


def test_what_decided_is_kept_with_its_signature(core: Core, tmp_path: Path) -> None:
    digest = core.bundle.digest
    kept = unpack(core.trail.versions.read("bundle", digest))
    bundle, _ = kept_policy(
        core.trail.versions, bundle=digest, catalog=core.catalog.digest
    )

    assert ".signatures.json" in kept
    assert bundle.digest == digest


def test_the_same_bundle_is_recorded_once_for_all_starts(
    archive: Path, tmp_path: Path
) -> None:
    for _ in range(3):
        Guard(settings=configured(tmp_path)).close()

    assert len(records(tmp_path, "policy.load")) == 1


def test_a_start_with_an_older_bundle_is_refused_and_recorded(
    archive: Path, tmp_path: Path
) -> None:
    Guard(settings=configured(tmp_path)).close()
    put(archive, signed(shipped_as("2026.11.6"), tmp_path))

    with pytest.raises(BundleRefused, match="is older than"):
        Guard(settings=configured(tmp_path))

    (refusal,) = records(tmp_path, "policy.reject")
    assert (refusal.code, refusal.kept) == ("bundle.revision", None)


def test_going_back_by_name_is_recorded_as_that(archive: Path, tmp_path: Path) -> None:
    Guard(settings=configured(tmp_path)).close()
    put(archive, signed(shipped_as("2026.11.6"), tmp_path))
    Guard(settings=configured(tmp_path, lower_to="2026.11.6")).close()

    found = [
        (item.bundle.revision, item.lowered)
        for item in records(tmp_path, "policy.load")
    ]
    assert found == [("2026.11.7", False), ("2026.11.6", True)]


def test_one_process_that_goes_back_takes_no_other_along(
    core: Core, archive: Path, tmp_path: Path
) -> None:
    put(archive, signed(shipped_as("2026.11.6"), tmp_path))
    Guard(settings=configured(tmp_path, lower_to="2026.11.6")).close()
    until(lambda: records(tmp_path, "policy.reject") != [])

    (refusal,) = records(tmp_path, "policy.reject")
    assert (refusal.code, core.bundle.revision) == ("bundle.revision", "2026.11.7")


def test_a_signed_bundle_that_hangs_or_breaks_the_engine_stops_the_start(
    archive: Path, tmp_path: Path
) -> None:
    put(archive, signed(shipped_as("2026.11.8", gdpr_01=BAD_REGO), tmp_path))

    with pytest.raises(EngineLoadError, match=r"gdpr_01\.rego"):
        Guard(settings=configured(tmp_path))

    assert [item.code for item in records(tmp_path, "policy.reject")] == [
        "bundle.engine"
    ]


def test_a_server_gives_bundles_and_the_last_good_one_stays_without_it(
    tmp_path: Path,
) -> None:
    data = signed(shipped_as("2026.11.7"), tmp_path)
    with serving(answering(http(data, more='ETag: "1"\r\n'))) as server:
        known = configured(tmp_path, path=None, url=f"{server.url}/b.tar.gz")
        with Guard(settings=known) as guard:
            first = guard.core.bundle
    with Guard(settings=known) as guard:
        second = guard.core.bundle
    (tmp_path / "trail.lock/policy.json").unlink()
    with pytest.raises(BundleError, match=r"cannot be fetched \[unreachable\]"):
        Guard(settings=known)

    assert first.digest == second.digest


def test_a_kept_bundle_that_was_changed_does_not_start(tmp_path: Path) -> None:
    data = signed(shipped_as("2026.11.7"), tmp_path)
    with serving(answering(http(data))) as server:
        known = configured(tmp_path, path=None, url=f"{server.url}/b.tar.gz")
        Guard(settings=known).close()
    (kept,) = (tmp_path / "trail/versions/bundle").iterdir()
    files = dict(unpack(kept.read_bytes()))
    files["policyguard/main/main.rego"] += b"\n"
    kept.write_bytes(pack(files))

    with pytest.raises(BundleRefused, match="is not what was signed"):
        Guard(settings=known)


@pytest.mark.parametrize(
    ("bundle", "message"),
    [
        ({"keys": ()}, "named? it under"),
        ({"keys": (), "poll_seconds": None, "url": "https://b.example/x"}, "are two"),
        ({"digest": "0" * 64}, "are two reasons"),
        ({"path": None}, "shipped bundle is trusted by the package"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(
    bundle: dict[str, Any], message: str, archive: Path, tmp_path: Path
) -> None:
    known = configured(tmp_path, **{"poll_seconds": 1, **bundle})

    with pytest.raises(ConfigurationError, match=message):
        Guard(settings=known)


def test_a_forked_child_looks_for_itself(
    core: Core, archive: Path, tmp_path: Path
) -> None:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            until(lambda: core.bundle.revision == "2026.11.8")
            code = 0
        finally:
            os._exit(code)
    put(archive, signed(shipped_as("2026.11.8"), tmp_path))
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0


def test_no_flipped_byte_of_a_signed_bundle_changes_what_it_says(
    tmp_path: Path,
) -> None:
    from bundles import PUBLIC

    from policyguard.bundle.signature import verify_files

    files = {
        ".manifest": b'{"revision":"1","roots":["policyguard"],"rego_version":1}',
        "policyguard/main/main.rego": b"package policyguard.main\n",
    }
    data = signed(files, tmp_path)
    accepted = unpack(data)
    harmless = 0
    for index in range(len(data)):
        for bit in (0x01, 0x80):
            flipped = bytearray(data)
            flipped[index] ^= bit
            try:
                found = unpack(bytes(flipped))
                verify_files(found, keys=[PUBLIC], name="x")
            except BundleError:
                continue
            assert found == accepted, index
            harmless += 1

    # The time and the system in gzip's header, which say nothing about the content.
    assert harmless < 20


def test_no_flipped_bit_of_a_signed_file_goes_unnoticed(tmp_path: Path) -> None:
    from bundles import PUBLIC

    from policyguard.bundle.signature import verify_files

    files = unpack(signed(shipped_as("2026.11.7"), tmp_path))
    chosen = random.Random(7)
    for path in files:
        for _ in range(20):
            data = bytearray(files[path])
            data[chosen.randrange(len(data))] ^= 1 << chosen.randrange(8)
            changed = {**files, path: bytes(data)}
            try:
                verify_files(changed, keys=[PUBLIC], name="x")
            except BundleError:
                continue
            # White space of a document, which its hash does not cover.
            assert (
                load_files(changed, name="x").rules == load_files(files, name="x").rules
            )


RULES = """package policyguard.rules

findings contains {"id": "EAR-01", "effect": "deny"} if input.model == "bad"

findings contains {"id": "EAR-02", "effect": "advise", "made_by": "MARK"} if {
	data.catalog.models[input.model].open
}
"""


def marked(number: int, *, main: str) -> Any:
    return tiny_policy(
        modules={
            "main.rego": main,
            "rules.rego": RULES.replace("MARK", str(number)),
        },
        bundle_digest=f"{number:064d}",
        data={"catalog": {"models": {"fr": {"open": True}}}},
    )


COMPILABLE = (
    tiny_policy()
    .modules["main.rego"]
    .replace("import data.policyguard.rules\n", "")
    .replace(" rules.findings", " data.policyguard.rules.findings")
)
"""Names what it reads in full, without which nothing is compiled."""


def compiled(engine: RegorusEngine, number: int) -> RegorusSnapshot:
    given = marked(number, main=COMPILABLE)
    tree = syntax_tree(compile_modules(given.modules))
    return engine.admit(given, translated=translate(tree, entrypoint=given.entrypoint))


def interpreted(engine: RegorusEngine, number: int) -> RegorusSnapshot:
    return engine.admit(marked(number, main=tiny_policy().modules["main.rego"]))


@pytest.mark.parametrize(("admitted", "times"), [(compiled, 1_000), (interpreted, 300)])
def test_a_thousand_take_overs_under_load_give_no_wrong_decision(
    admitted: Callable[[RegorusEngine, int], RegorusSnapshot], times: int
) -> None:
    # Some answers are compared meanwhile, by the interpreter of a thread of its own.
    sampling = Sampling(one_in=100)
    engine = RegorusEngine(sampling=sampling)
    bundle, catalog = load_shipped(), catalog_of(Settings())

    def policy(number: int) -> Policy:
        return Policy(snapshot=admitted(engine, number), bundle=bundle, catalog=catalog)

    used = PolicyInUse(policy(0))
    assert used.newest.snapshot.info.version.endswith(COMPILED) is (
        admitted is compiled
    )
    wrong: list[object] = []
    seen: set[str] = set()
    stopped = threading.Event()

    def ask() -> None:
        while not stopped.is_set():
            snapshot = used.current.snapshot
            answer: Any = snapshot.evaluate(b'{"model":"fr"}')
            maker = f"{int(answer['findings'][0]['made_by']):064d}"
            if answer["verdict"] != "allow" or maker != snapshot.bundle_digest:
                wrong.append(answer)
            seen.add(maker)
            time.sleep(0.001)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(1, times // 5):
        used.replace(policy(number))
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(times // 5, times + 1):
        used.replace(policy(number))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    stopped.set()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert len(seen) > 50
    assert sampling.compared.differing == 0
    assert grown < 20 << 10, f"{grown} KiB"
