"""The test kit, design documents, changes, replications, users, security and settings in the browser."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from couchfake import CouchFake

from .conftest import Browsing

Send = Callable[..., Any]


def test_a_fault_is_switched_on_and_off(browsing: Browsing, couch: Send) -> None:
    tab = browsing.go("#/kit")
    tab.get_by_label("Fault", exact=True).select_option("refuse")
    tab.get_by_label("status", exact=True).fill("503")
    tab.get_by_text("Only for some requests").click()
    tab.get_by_label("path", exact=True).fill("/shop/**")
    tab.get_by_role("button", name="Switch on").click()
    tab.get_by_text("path='/shop/**'").wait_for()
    assert couch("GET", "/shop/tea")["error"] == "service_unavailable"
    assert couch("GET", "/_all_dbs") == ["_replicator", "_users"]
    tab.get_by_role("cell", name="1", exact=True).wait_for()
    tab.get_by_role("button", name="Switch off").click()
    tab.get_by_text("No fault is on").wait_for()
    assert couch("GET", "/shop/tea")["error"] == "not_found"


def test_a_fault_with_wrong_arguments_is_refused_with_a_sentence(browsing: Browsing) -> None:
    tab = browsing.go("#/kit")
    tab.get_by_label("Fault", exact=True).select_option("drop")
    tab.get_by_label("when", exact=True).fill("sometimes")
    tab.get_by_role("button", name="Switch on").click()
    tab.get_by_role("alert").get_by_text("sometimes").wait_for()


def test_the_clock_is_frozen_advanced_and_reset(browsing: Browsing, fake: CouchFake) -> None:
    tab = browsing.go("#/kit")
    tab.get_by_role("button", name="Freeze").click()
    tab.get_by_text("Frozen.").wait_for()
    frozen = fake.clock()
    tab.get_by_label("Seconds").fill("60")
    tab.get_by_role("button", name="Advance by seconds").click()
    tab.wait_for_function("!document.querySelector('form button:disabled')")
    tab.get_by_role("button", name="Reset", exact=True).click()
    tab.get_by_text("Running.").wait_for()
    assert not fake.clock.is_frozen
    assert frozen > 0


def test_a_snapshot_is_restored(browsing: Browsing, couch: Send) -> None:
    couch("PUT", "/shop")
    tab = browsing.go("#/kit")
    tab.get_by_role("button", name="Take a snapshot").click()
    tab.get_by_role("button", name="Restore").wait_for()
    couch("PUT", "/shop/tea", {})
    tab.get_by_role("button", name="Restore").click()
    tab.get_by_text("The server is as it was at s1").wait_for()
    assert couch("GET", "/shop/tea")["error"] == "not_found"


def test_a_dump_is_downloaded_and_is_a_seed(browsing: Browsing, couch: Send, tmp_path: Path) -> None:
    couch("PUT", "/shop")
    couch("PUT", "/shop/tea", {"price": 3})
    tab = browsing.go("#/kit")
    with tab.expect_download() as downloading:
        tab.get_by_role("link", name="Download a dump").click()
    with zipfile.ZipFile(io.BytesIO(Path(downloading.value.path()).read_bytes())) as archive:
        archive.extractall(tmp_path)
    with CouchFake(seed=tmp_path / "dump") as loaded:
        assert loaded.ask("GET", "/shop/tea")["price"] == 3


DDOC = {
    "views": {"by_price": {"map": "function (doc) {\n  log('at ' + doc._id);\n  emit(doc.price, null);\n}"}},
    "validate_doc_update": "function (doc) {}",
}


def test_a_map_function_is_tried_changed_and_saved(browsing: Browsing, couch: Send) -> None:
    couch("PUT", "/shop")
    couch("PUT", "/shop/tea", {"price": 3})
    couch("PUT", "/shop/_design/d", DDOC)
    tab = browsing.go("#/db/shop/design")
    card = tab.locator(".function", has_text="views / by_price / map")
    assert card.locator(".gutter div").all_inner_texts() == ["1", "2", "3", "4"]
    card.get_by_role("button", name="Try on this document").click()
    card.get_by_text("at tea").wait_for()
    assert card.locator("tbody td").all_inner_texts() == ["3", "null"]
    area = card.get_by_label("views / by_price / map")
    area.fill("function (doc) {\n  emit(doc.price, doc.a.b);\n}")
    card.get_by_role("button", name="Try on this document").click()
    card.get_by_text("Line 2: ").wait_for()
    assert card.locator(".gutter .marked").inner_text() == "2"
    area.fill("function (doc) {\n  emit(doc.price 1);\n}")
    card.get_by_role("button", name="Try on this document").click()
    card.get_by_text("SyntaxError").wait_for()
    assert card.locator(".gutter .marked").inner_text() == "2"
    area.fill("function (doc) {\n  emit(doc.price, 1);\n}")
    card.get_by_role("button", name="Save").click()
    tab.get_by_text("Saved as 2-").wait_for()
    assert couch("GET", "/shop/_design/d/_view/by_price")["rows"] == [{"id": "tea", "key": 3, "value": 1}]
    assert couch("GET", "/shop/_design/d")["validate_doc_update"] == DDOC["validate_doc_update"]


def test_changes_arrive_live(browsing: Browsing, couch: Send) -> None:
    couch("PUT", "/shop")
    tab = browsing.go("#/db/shop/changes")
    couch("PUT", "/shop/tea", {})
    tab.get_by_role("link", name="tea").wait_for()
    assert couch("GET", "/_couchfake/feeds") == []  # the page's own feed is not one of the application's


def test_replications_are_drawn_as_a_graph(browsing: Browsing, fake: CouchFake, couch: Send) -> None:
    couch("PUT", "/shop")
    couch("PUT", "/shop/tea", {})
    document = {"source": fake.url + "shop", "target": fake.url + "copy", "create_target": True}
    couch("PUT", "/_replicator/backup", document)
    couch("PUT", "/_replicator/broken", {**document, "source": fake.url + "none", "target": fake.url + "other"})
    tab = browsing.go("#/replication")
    tab.locator("tbody tr", has_text="completed").wait_for()
    tab.locator(".graph .edge.good").wait_for()
    tab.locator(".graph .edge.bad").wait_for()
    names = tab.locator(".graph g > text").all_text_contents()
    assert {"shop", "copy", "none", "other"} <= set(names)


def test_users_are_created_and_listed(browsing: Browsing, couch: Send) -> None:
    tab = browsing.go("#/users")
    tab.get_by_text("There is no server admin").wait_for()
    tab.get_by_label("Name", exact=True).fill("jan")
    tab.get_by_label("Password").fill("apple")
    tab.get_by_label("Roles").fill("editor, reader")
    tab.get_by_role("button", name="Create").click()
    tab.get_by_role("cell", name="editor, reader").wait_for()
    assert couch("POST", "/_session", {"name": "jan", "password": "apple"})["roles"] == ["editor", "reader"]


def test_security_is_changed(browsing: Browsing, couch: Send) -> None:
    couch("PUT", "/shop")
    couch("PUT", "/shop/_security", {"members": {"names": [], "roles": []}, "cloudant": {"x": 1}})
    tab = browsing.go("#/db/shop/security")
    tab.locator("fieldset", has_text="members").get_by_label("names").fill("jan, ada")
    tab.get_by_role("button", name="Save").click()
    tab.get_by_text("Saved.").wait_for()
    security = couch("GET", "/shop/_security")
    assert security["members"]["names"] == ["jan", "ada"]
    assert security["cloudant"] == {"x": 1}


def test_settings_are_listed_with_their_meaning_and_changed_ones_come_first(browsing: Browsing, couch: Send) -> None:
    tab = browsing.go("#/settings")
    tab.get_by_text("Nothing differs from the defaults").wait_for()
    row = tab.locator("tr", has_text="max_document_size")
    row.get_by_role("textbox").fill("1000")
    row.get_by_role("button", name="Set").click()
    tab.get_by_text("Changed (1)").wait_for()
    assert couch("GET", "/_node/_local/_config/couchdb/max_document_size") == "1000"
    assert "Default: 8000000" in tab.locator("tbody tr").first.inner_text()


def test_an_unknown_part_of_a_database_is_said_and_leads_to_the_document(browsing: Browsing, couch: Send) -> None:
    couch("PUT", "/shop")
    couch("PUT", "/shop/dune", json={})
    tab = browsing.go("#/db/shop/dune")
    tab.get_by_text("A database has no part “dune”.").wait_for()
    assert tab.get_by_text("0 documents").count() == 0
    tab.get_by_role("link", name="The document dune").click()
    tab.get_by_role("heading", name="dune").wait_for()


def test_an_empty_log_of_design_functions_says_so_and_names_of_users_are_not_broken(
    browsing: Browsing, couch: Send
) -> None:
    couch("GET", "/_up")
    tab = browsing.go("#/requests")
    tab.get_by_role("cell", name="/_up").wait_for()
    tab.get_by_role("heading", name="Log of design functions").wait_for()
    assert tab.get_by_text("None.", exact=True).count() == 2
    assert tab.evaluate("getComputedStyle(document.querySelector('.requests td:last-child')).whiteSpace") == "nowrap"
