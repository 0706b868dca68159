"""The codec that programs can choose for the client's JSON."""

from __future__ import annotations

import dataclasses
import json as stdlib
import os
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from couchdb_client import Database, json


@pytest.fixture(autouse=True)
def _default_codec_afterwards() -> Iterator[None]:
    yield
    json.use("json")


@dataclasses.dataclass
class Point:
    x: int
    y: int


def to_json(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value.isoformat() if isinstance(value, date) else str(value)


@pytest.fixture
def rich_codec() -> None:
    """Encodes dates, decimals and dataclasses; decodes numbers with a fraction as decimals."""
    json.use(
        decode=lambda text: stdlib.loads(text, parse_float=Decimal),
        encode=lambda value: stdlib.dumps(value, default=to_json),
    )


def test_the_default_keeps_large_integers_the_order_of_members_and_text_as_it_is() -> None:
    text = '{"b":123456789012345678901234567890,"a":"ä"}'
    assert json.encode(json.decode(text)) == text
    assert json.decode(text.encode()) == json.decode(text)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_the_default_refuses_what_is_not_a_number_in_json(value: float) -> None:
    with pytest.raises(ValueError, match="Out of range float values"):
        json.encode(value)


def test_the_default_refuses_values_without_a_json_type() -> None:
    with pytest.raises(TypeError, match="datetime is not JSON serializable"):
        json.encode(datetime(2024, 2, 29, tzinfo=timezone.utc))


@pytest.mark.usefixtures("rich_codec")
class TestAUsersCodec:
    def test_save_and_get(self, couch_db: Database) -> None:
        doc: dict[str, Any] = {
            "_id": "a", "day": date(2024, 2, 29), "price": Decimal("9.90"), "at": Point(1, 2),
        }  # fmt: skip
        couch_db.save(doc)
        assert couch_db["a"].items() >= {"day": "2024-02-29", "price": "9.90", "at": {"x": 1, "y": 2}}.items()

    @pytest.mark.parametrize(
        "save",
        [
            lambda db, doc: db.save(doc),
            lambda db, doc: db.__setitem__(doc["_id"], doc),
            lambda db, doc: db.update([doc]),
            lambda db, doc: db.resource.put_json("a", body=doc),
        ],
        ids=["save", "item assignment", "update", "resource"],
    )
    def test_every_way_to_save_encodes(self, couch_db: Database, save: Callable[[Database, Any], Any]) -> None:
        save(couch_db, {"_id": "a", "day": date(2024, 2, 29)})
        assert couch_db["a"]["day"] == "2024-02-29"

    @pytest.mark.parametrize(
        "read",
        [
            lambda db: db["a"],
            lambda db: db.get("a"),
            lambda db: db.get("a", open_revs="all")[0]["ok"],
            lambda db: next(db.revisions("a")),
            lambda db: db.view("_all_docs", include_docs=True, key="a").rows[0].doc,
            lambda db: next(iter(db.iterview("_all_docs", 10, include_docs=True)))["doc"],
            lambda db: next(iter(db.find({"selector": {"_id": "a"}}))),
            lambda db: db.changes(include_docs=True)["results"][0]["doc"],
            lambda db: next(db.changes(feed="continuous", include_docs=True, timeout=1000))["doc"],
        ],
        ids=["item", "get", "open_revs", "revisions", "view", "iterview", "find", "changes", "continuous changes"],
    )
    def test_every_way_to_read_decodes(self, couch_db: Database, read: Callable[[Database], Any]) -> None:
        couch_db["a"] = {"price": 9.5}
        price = read(couch_db)["price"]
        assert isinstance(price, Decimal)
        assert price == Decimal("9.5")

    def test_the_options_of_views_are_encoded(self, couch_db: Database) -> None:
        source = "function (doc) { emit(doc.day, null); }"
        couch_db["_design/d"] = {"views": {"by_day": {"map": source}}}
        couch_db.update([{"_id": "a", "day": "2024-02-28"}, {"_id": "b", "day": "2024-02-29"}])
        assert [row.id for row in couch_db.view("d/by_day", startkey=date(2024, 2, 29))] == ["b"]
        assert [row.id for row in couch_db.view("d/by_day", keys=[date(2024, 2, 28)])] == ["a"]
        assert [row["id"] for row in couch_db.iterview("d/by_day", 1, key=date(2024, 2, 29))] == ["b"]

    def test_queries_are_encoded(self, couch_db: Database) -> None:
        couch_db.update([{"_id": "a", "day": "2024-02-28"}, {"_id": "b", "day": "2024-02-29"}])
        selector = {"selector": {"day": {"$gte": date(2024, 2, 29)}}}
        assert [doc["_id"] for doc in couch_db.find(selector)] == ["b"]
        assert couch_db.explain(selector)["selector"] == {"day": {"$gte": "2024-02-29"}}


def test_half_a_codec_leaves_the_other_half_as_it_is(couch_db: Database) -> None:
    json.use(encode=lambda value: stdlib.dumps(value, default=str))
    assert json.encode([Decimal("1.5")]) == '["1.5"]'
    json.use(decode=lambda text: ("decoded", text))
    assert json.encode([Decimal("1.5")]) == '["1.5"]'
    assert json.decode(b"1") == ("decoded", "1")


def test_an_encoder_may_return_bytes() -> None:
    json.use(encode=lambda value: stdlib.dumps(value, ensure_ascii=False).encode())
    assert json.encode({"ä": 1}) == '{"ä": 1}'


def test_a_module_is_used_by_its_functions() -> None:
    loads_and_dumps = types.ModuleType("fast")
    vars(loads_and_dumps).update(loads=lambda text: "loaded", dumps=lambda value: "dumped")
    json.use(loads_and_dumps)
    assert (json.decode("1"), json.encode(1)) == ("loaded", "dumped")
    decode_and_encode = types.ModuleType("older")
    vars(decode_and_encode).update(decode=lambda text: "decoded", encode=lambda value: "encoded")
    json.use(decode_and_encode)
    assert (json.decode("1"), json.encode(1)) == ("decoded", "encoded")


def test_the_name_json_brings_the_default_back() -> None:
    json.use(decode=lambda text: None, encode=lambda value: "null")
    json.use("json")
    assert json.encode([1, 2]) == "[1,2]"


def test_simplejson_encodes_decimals_as_numbers() -> None:
    pytest.importorskip("simplejson", reason="simplejson is not installed")
    json.use("simplejson")
    assert json.encode({"price": Decimal("9.90")}) == '{"price":9.90}'
    assert json.decode("[1]") == [1]


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"module": "yaml"}, ValueError, "Unsupported JSON module yaml"),
        ({"module": "cjson"}, ImportError, "cjson"),
        ({"module": types.ModuleType("empty")}, TypeError, "the module empty has neither loads and dumps nor"),
        ({}, TypeError, "needs a module, or at least one of"),
        ({"module": "json", "decode": len}, TypeError, "either a module or functions"),
        ({"decode": 5}, TypeError, "expected a function"),
    ],
)
def test_wrong_arguments_change_nothing(arguments: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        json.use(**arguments)
    assert json.encode([1, 2]) == "[1,2]"


@pytest.mark.parametrize(
    ("name", "encoded"), [("simplejson", '{"price":9.90}'), ("json", None), ("another", None), ("", None)]
)
def test_the_environment_chooses_what_a_process_begins_with(name: str, encoded: str | None) -> None:
    program = (
        "from decimal import Decimal; from couchdb_client import json; print(json.encode({'price': Decimal('9.90')}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "COUCHDB_PYTHON_JSON": name},
        capture_output=True,
        text=True,
        check=False,
    )
    if encoded is None:
        assert "TypeError: Object of type Decimal is not JSON serializable" in done.stderr
    else:
        assert done.stdout.strip() == encoded


def test_a_module_of_the_environment_that_is_missing_is_an_error_at_the_import() -> None:
    program = "import sys; sys.modules['simplejson'] = None; import couchdb_client"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "COUCHDB_PYTHON_JSON": "simplejson"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stderr
