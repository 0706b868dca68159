"""Whatever is written after a snapshot: restoring it restores all that can be seen, and what comes next is the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from couchfake import CouchFake

from .conftest import Asked

Write = tuple[str, str, Any]
"""Method, path and JSON. ``{rev}`` in a path, and REV as a value in the JSON, stand for a document's revision."""

REV = "{rev}"

DATABASES = st.sampled_from(["a", "b"])
IDS = st.sampled_from(["x", "y", "z"])
BODIES = st.fixed_dictionaries({"n": st.integers(0, 3)})
HASHES = st.sampled_from([letter * 32 for letter in "abc"])
MAPS = st.sampled_from(["emit(doc.n, doc.n)", "emit(doc._id, 1)", "if (doc.n > 1) emit(doc._conflicts, doc.n)"])


def written(path: str, body: dict[str, Any], known: bool) -> Write:
    return "PUT", path, {**body, "_rev": REV} if known else body


def replicated(name: str, docid: str, pos: int, hashes: Sequence[str], deleted: bool) -> Write:
    history = {"start": pos + len(hashes), "ids": list(hashes)}
    document = {"_id": docid, "_rev": f"{history['start']}-{hashes[0]}", "_revisions": history, "n": pos}
    return "POST", f"{name}/_bulk_docs", {"docs": [{**document, "_deleted": deleted}], "new_edits": False}


def view(name: str, source: str) -> Write:
    views = {"v": {"map": f"function (doc) {{ {source}; }}", "reduce": "_count"}}
    return "PUT", f"{name}/_design/d", {"_rev": REV, "views": views}


WRITES = st.lists(
    st.one_of(
        st.builds(lambda name, docid, *rest: written(f"{name}/{docid}", *rest), DATABASES, IDS, BODIES, st.booleans()),
        st.builds(lambda name, docid: ("DELETE", f"{name}/{docid}?rev={{rev}}", None), DATABASES, IDS),
        st.builds(lambda name, docid: ("POST", f"{name}/_purge", {docid: REV}), DATABASES, IDS),
        st.builds(
            replicated, DATABASES, IDS, st.integers(0, 2), st.lists(HASHES, min_size=1, unique=True), st.booleans()
        ),
        st.builds(lambda name, docid: ("PUT", f"{name}/{docid}/att?rev={{rev}}", {"att": 1}), DATABASES, IDS),
        st.builds(lambda name, body: written(f"{name}/_local/l", body, False), DATABASES, BODIES),
        st.builds(lambda name: ("DELETE", f"{name}/_local/l?rev=0-1", None), DATABASES),
        st.builds(view, DATABASES, MAPS),
        st.builds(lambda name: ("DELETE", f"{name}/_design/d?rev={{rev}}", None), DATABASES),
        st.builds(lambda name: ("GET", f"{name}/_design/d/_view/v", None), DATABASES),
        st.builds(lambda name: ("POST", f"{name}/_index", {"index": {"fields": ["n"]}, "name": "n"}), DATABASES),
        st.builds(lambda name, n: ("POST", f"{name}/_find", {"selector": {"n": n}}), DATABASES, st.integers(0, 3)),
        st.builds(lambda name, method: (method, name, None), DATABASES, st.sampled_from(["PUT", "PUT", "DELETE"])),
        st.builds(lambda name, n: ("PUT", f"{name}/_revs_limit", n), DATABASES, st.integers(1, 3)),
        st.builds(lambda name, who: ("PUT", f"{name}/_security", {"members": {"roles": [who]}}), DATABASES, HASHES),
        st.builds(lambda name: ("POST", f"{name}/_compact", {}), DATABASES),
        st.builds(lambda name, body: ("POST", name, body), DATABASES, BODIES),
        st.builds(lambda value: ("PUT", "_node/_local/_config/couchdb/max_document_size", value), st.just("900")),
        st.builds(lambda key: ("DELETE", f"_node/_local/_config/couchdb/{key}", None), st.just("max_document_size")),
        st.builds(lambda: ("PUT", "_global_changes", None)),
    ),
    max_size=12,
)


def play(couch: Asked, writes: Sequence[Write]) -> list[Any]:
    """Send the requests. Return their answers."""
    answers = []
    for method, path, body in writes:
        path, body = with_revision(couch, path, body)
        answer = couch.request(method, path, body)
        assert answer.status_code < 500, (method, path, body, answer.text)
        answers.append((answer.status_code, answer.json()))
    return answers


def with_revision(couch: Asked, path: str, body: Any) -> tuple[str, Any]:
    """A request with the revision that its document has now, if any."""
    if path.endswith("/_purge"):
        [docid] = body
        rev = couch.ask("GET", path.replace("_purge", docid)).get("_rev", "1-" + "a" * 32)
        return path, {docid: [rev]}
    names_one = isinstance(body, dict) and body.get("_rev") == REV
    if not names_one and REV not in path:
        return path, body
    rev = couch.ask("GET", path.partition("?")[0].removesuffix("/att")).get("_rev")
    if names_one:
        body = {**body, "_rev": rev} if rev else {name: body[name] for name in body if name != "_rev"}
    return path.replace(REV, rev or "1-" + "a" * 32), body


@settings(max_examples=60, deadline=None)
@given(WRITES, WRITES, WRITES)
def test_restoring_a_snapshot_undoes_all_that_was_written_since(
    first: list[Write], second: list[Write], third: list[Write]
) -> None:
    fake = CouchFake(clock=lambda: 1_700_000_000.0)
    couch = Asked(fake, fake.session)
    play(couch, [("PUT", "a", None), *first])
    before = couch.state()
    outer = fake.snapshot()
    answers = play(couch, second)
    between = couch.state()
    with fake.rollback():
        play(couch, third)
    assert couch.state() == between
    outer.restore()
    assert couch.state() == before
    assert play(couch, second) == answers
    assert couch.state() == between
    fake.close()


@settings(max_examples=30, deadline=None)
@given(WRITES, WRITES, WRITES)
def test_discarding_a_snapshot_changes_nothing(first: list[Write], second: list[Write], third: list[Write]) -> None:
    fake = CouchFake(clock=lambda: 1_700_000_000.0)
    couch = Asked(fake, fake.session)
    play(couch, [("PUT", "a", None), *first])
    before, outer = couch.state(), fake.snapshot()
    play(couch, second)
    inner = fake.snapshot()
    play(couch, third)
    after = couch.state()
    inner.discard()
    assert couch.state() == after
    outer.restore()
    assert couch.state() == before
    fake.close()


@settings(max_examples=40, deadline=None)
@given(WRITES, WRITES, WRITES)
def test_indexes_that_were_built_since_are_right_after_a_restore(
    first: list[Write], second: list[Write], third: list[Write]
) -> None:
    fake = CouchFake(clock=lambda: 1_700_000_000.0)
    couch = Asked(fake, fake.session)
    start = fake.snapshot()
    play(couch, [("PUT", "a", None), *first])
    expected = couch.state()
    start.restore()
    play(couch, [("PUT", "a", None), *first])
    snapshot = fake.snapshot()
    for writes in (second, third, []):
        play(couch, writes[:6])
        inner = fake.snapshot()
        play(couch, writes[6:])
        between = couch.state()  # builds all views
        snapshot.restore()
        play(couch, writes)
        assert couch.state() == between
        snapshot.restore()
    inner.discard()
    assert couch.state() == expected
    fake.close()
