"""Indexes that follow a database, with map functions in Python."""

from __future__ import annotations

import itertools
import linecache
import threading
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from couchfake.app import CouchFake
from couchfake.values.collation import Collator
from couchfake.views import index as index_module
from couchfake.views.database_indexes import Place, shared_index
from couchfake.views.index import Emitted, Index, Snapshot, TreeDefinition
from couchfake.views.reduce import Count
from tests.interrupting import Interrupt, traced_by

if TYPE_CHECKING:
    from couchfake.storage.database import Database
    from couchfake.storage.documents import DocumentEntry

SORT_KEY = Collator().sort_key


class Followed:
    """A database, an index of the members ``k`` (a list of keys) of its documents, and what was mapped for it."""

    def __init__(self) -> None:
        self.fake = CouchFake()
        self.session = self.fake.session()
        self.url = self.fake.url + "db"
        self.put("")
        self.mapped: list[str] = []
        self.failing = False
        self.index = Index(self.db, [TreeDefinition(SORT_KEY, [Count()]), TreeDefinition(SORT_KEY)], self.map)

    @property
    def db(self) -> Database:
        return self.fake.node.database("db")

    def map(self, entries: Sequence[DocumentEntry]) -> Sequence[Sequence[Emitted]]:
        self.mapped += [entry.id for entry in entries]
        if self.failing:
            raise ZeroDivisionError
        return [self.rows(entry) for entry in entries]

    def rows(self, entry: DocumentEntry) -> Sequence[Emitted]:
        body = self.db.open_doc(entry)
        return [[(key, n) for n, key in enumerate(body.get("k", []))], [(body["_rev"], None)]]

    def put(self, path: str, **body: Any) -> requests.Response:
        response = self.session.put(self.url + path, json=body)
        assert response.ok, response.text
        return response

    def save(self, docid: str, *keys: Any) -> str:
        entry = self.db.entry(docid)
        rev = {} if entry is None or entry.deleted else {"_rev": entry.winner.rev}
        return str(self.put(f"/{docid}", k=keys, **rev).json()["rev"])

    def delete(self, docid: str) -> None:
        entry = self.db.entry(docid)
        assert entry is not None
        assert self.session.delete(f"{self.url}/{docid}", params={"rev": entry.winner.rev}).ok

    def found(self, snapshot: Snapshot | None = None) -> list[tuple[Any, str, Any]]:
        return list((snapshot or self.index.update()).trees[0].rows())


@pytest.fixture
def followed() -> Followed:
    return Followed()


def test_rows_follow_their_documents(followed: Followed) -> None:
    followed.save("a", 2, 1)
    followed.save("b", 1)
    assert followed.found() == [(1, "a", 1), (1, "b", 0), (2, "a", 0)]
    followed.save("a", 3)
    followed.delete("b")
    assert followed.found() == [(3, "a", 0)]
    followed.save("b", 0)
    assert followed.found() == [(0, "b", 0), (3, "a", 0)]


def test_an_update_maps_what_has_changed_and_nothing_else(followed: Followed) -> None:
    for n in range(5):
        followed.save(f"d{n}", n)
    followed.index.update()
    followed.mapped.clear()
    followed.index.update()
    assert followed.mapped == []
    followed.save("d3", 30)
    followed.save("d3", 31)
    followed.index.update()
    assert followed.mapped == ["d3"]


def test_an_update_that_is_cut_off_at_any_line_is_made_good_by_the_next(followed: Followed) -> None:
    left = cut = 0

    def interrupt(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal left
        if frame.f_globals.get("__name__", "").startswith("couchfake.views"):
            # No signal is handled between the end of a with statement's body and the release of its lock.
            line_text = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
            left -= event == "line" and not line_text.lstrip().startswith("with ")
            if left == 0:
                left = -1
                raise Interrupt
            return interrupt
        return None

    for line in itertools.count(1, 3):
        left = line
        keys = [line, line + 1]
        followed.save("a", *keys)
        followed.save("b", line)
        try:
            with traced_by(interrupt):
                followed.index.update()
        except Interrupt:
            cut += 1
        else:
            break
        assert followed.found() == [(line, "a", 0), (line, "b", 0), (line + 1, "a", 1)], line
    assert cut > 10


def test_design_documents_are_mapped_only_if_that_was_requested(followed: Followed) -> None:
    followed.put("/_design/d", k=[1])
    followed.save("a", 2)
    assert followed.found() == [(2, "a", 0)]
    index = Index(followed.db, followed.index.definitions, followed.map, include_design=True)
    assert followed.found(index.update()) == [(1, "_design/d", 0), (2, "a", 0)]


def test_the_winner_is_indexed_and_another_one_comes_up_when_it_goes(followed: Followed) -> None:
    low, high = "1-" + "1" * 32, "1-" + "f" * 32
    docs = [{"_id": "x", "_rev": low, "k": ["low"]}, {"_id": "x", "_rev": high, "k": ["high"]}]
    followed.session.post(followed.url + "/_bulk_docs", json={"docs": docs, "new_edits": False})
    assert followed.found() == [("high", "x", 0)]
    followed.delete("x")
    assert followed.found() == [("low", "x", 0)]


def test_purged_documents_leave_the_index(followed: Followed) -> None:
    low, high = "1-" + "1" * 32, "1-" + "f" * 32
    docs = [{"_id": "x", "_rev": low, "k": ["low"]}, {"_id": "x", "_rev": high, "k": ["high"]}]
    followed.session.post(followed.url + "/_bulk_docs", json={"docs": docs, "new_edits": False})
    rev = followed.save("a", 1)
    assert len(followed.found()) == 2
    followed.session.post(followed.url + "/_purge", json={"a": [rev], "x": [high], "none": [rev]})
    assert followed.found() == [("low", "x", 0)]
    followed.session.post(followed.url + "/_purge", json={"x": [low]})
    assert followed.found() == []


def test_equal_keys_of_one_document_are_ordered_by_key_and_value_in_erlangs_order(followed: Followed) -> None:
    class Mixed(Followed):
        def rows(self, entry: DocumentEntry) -> Sequence[Emitted]:
            values = ["x", None, 2, [1], True, {"a": 1}, 1.5]
            return [[("é", "composed"), *(("e\u0301", value) for value in values)], []]

    mixed = Mixed()
    mixed.save("a")
    ascending = mixed.found()
    ordered: list[Any] = [1.5, 2, None, True, {"a": 1}, [1], "x"]
    assert ascending == [*(("e\u0301", "a", value) for value in ordered), ("é", "a", "composed")]
    backwards = list(mixed.index.snapshot.trees[0].rows(descending=True))
    assert backwards == [ascending[-1], *ascending[:-1]]  # rows under the very same key keep their order


def test_a_failing_update_leaves_everything_as_it_was(followed: Followed) -> None:
    followed.save("a", 1)
    before = followed.index.update()
    followed.save("a", 2)
    followed.save("b", "fatal")
    followed.failing = True
    with pytest.raises(ZeroDivisionError):
        followed.index.update()
    assert followed.index.snapshot is before
    assert not followed.index.updating
    followed.failing = False
    assert followed.found() == [(2, "a", 0), ("fatal", "b", 0)]


def test_a_snapshot_stays_as_it_was_while_the_index_goes_on(followed: Followed) -> None:
    for n in range(300):
        followed.db.entry(followed.put(f"/d{n:03}", k=[n]).json()["id"])
    old = followed.index.update()
    reading = old.trees[0].rows()
    assert next(reading) == (0, "d000", 0)
    for n in range(0, 300, 3):
        followed.save(f"d{n:03}", -n)
    followed.index.update()
    assert [key for key, _, _ in reading] == list(range(1, 300))


def test_a_view_tells_the_update_after_which_its_own_rows_last_changed(followed: Followed) -> None:
    assert followed.index.update().tree_seqs == (0, 0)
    followed.put("/_design/d", k=[1])
    assert followed.index.update().tree_seqs == (0, 0)
    followed.save("a", 1)
    assert followed.index.update().tree_seqs == (2, 2)
    followed.save("b")
    snapshot = followed.index.update()
    assert (snapshot.update_seq, snapshot.tree_seqs) == (3, (2, 3))


def test_a_document_saved_again_with_the_same_rows_does_not_change_a_view(followed: Followed) -> None:
    followed.save("a", 1)
    assert followed.index.update().tree_seqs == (1, 1)
    followed.save("a", 1)
    snapshot = followed.index.update()
    assert (snapshot.update_seq, snapshot.tree_seqs) == (2, (1, 2))  # the second tree's key is the revision


def test_pending_counts_changed_documents(followed: Followed) -> None:
    followed.save("a", 1)
    followed.save("a", 2)
    followed.save("b", 2)
    assert followed.index.pending() == 2
    followed.index.update()
    assert followed.index.pending() == 0


def test_documents_come_to_the_mapper_in_batches(followed: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "BATCH", 3)
    sizes: list[int] = []

    class Batches(Index):
        def map_batches(
            self,
            batches: Iterator[Sequence[DocumentEntry]],  # type: ignore[override]
        ) -> Iterator[Sequence[Sequence[Emitted]]]:
            ahead = next(batches, None)
            while ahead is not None:
                batch, ahead = ahead, next(batches, None)  # one batch ahead, as the JavaScript one does
                sizes.append(len(batch))
                yield followed.map(batch)

    for n in range(7):
        followed.save(f"d{n}", n)
    followed.delete("d6")
    index = Batches(followed.db, followed.index.definitions, followed.map)
    assert [key for key, _, _ in followed.found(index.update())] == [0, 1, 2, 3, 4, 5]
    assert sizes == [3, 3]


def test_one_object_is_made_for_each_name_and_goes_with_its_database(followed: Followed) -> None:
    place: Place[int, Index] = Place("of a test")

    def shared(key: int) -> Index:
        return shared_index(followed.db, place, key, lambda: Index(followed.db, [], followed.map), lambda: {1, 2})

    first = shared(1)
    assert shared(1) is first
    assert shared(2) is not first
    followed.session.delete(followed.url)
    followed.put("")
    assert shared(1) is not first


def test_readers_and_writers_at_once_see_whole_updates(followed: Followed) -> None:
    stop = threading.Event()
    wrong: list[Any] = []

    def read() -> None:
        while not stop.is_set():
            rows = followed.found()
            if len(rows) != 2 * len({docid for _, docid, _ in rows}):
                wrong.append(rows)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for n in range(60):
        followed.save(f"d{n % 10}", n, n + 1000)
    stop.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert len(followed.found()) == 20


steps = st.lists(
    st.tuples(st.sampled_from("abc"), st.none() | st.lists(st.integers(0, 3) | st.sampled_from("xy"), max_size=3)),
    max_size=12,
)


@given(steps, st.sets(st.integers(0, 12)))
@settings(max_examples=25, deadline=None)
def test_however_often_it_is_updated_an_index_equals_one_built_at_once(steps: Any, pauses: set[int]) -> None:
    followed = Followed()
    for n, (docid, keys) in enumerate(steps):
        entry = followed.db.entry(docid)
        if keys is not None:
            followed.save(docid, *keys)
        elif entry is not None and not entry.deleted:
            followed.delete(docid)
        if n in pauses:
            followed.index.update()
    afresh = Index(followed.db, followed.index.definitions, followed.map).update()
    step_by_step = followed.index.update()
    for one, other in zip(step_by_step.trees, afresh.trees, strict=True):
        assert list(one.rows()) == list(other.rows())
