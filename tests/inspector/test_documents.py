"""Databases and documents in the browser."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from couchfake import CouchFake

from .conftest import Browsing

Send = Callable[..., Any]
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def test_databases_are_listed_with_what_they_hold(browsing: Browsing, fake: CouchFake, couch: Send) -> None:
    couch("PUT", "/shop")
    couch("PUT", "/shop/tea", {"price": 3})
    fake.conflict("shop", "milk", {"n": 1}, {"n": 2})
    tab = browsing.go()
    row = tab.locator("tr", has_text="shop")
    row.locator("a.warn").wait_for()
    cells = row.locator("td").all_inner_texts()
    assert cells[:4] == ["shop", "2", "0", "1"]
    tab.get_by_role("link", name="shop").click()
    tab.get_by_role("link", name="tea").wait_for()


def test_a_document_is_created_edited_and_deleted(browsing: Browsing, couch: Send) -> None:
    tab = browsing.go()
    tab.on("dialog", lambda dialog: dialog.accept())
    tab.get_by_label("Name of a new database").fill("shop")
    tab.get_by_role("button", name="Create").click()
    tab.get_by_label("Id of a new document").fill("a/b ü")
    tab.get_by_role("button", name="New document").click()
    editor = tab.get_by_label("The document as JSON")
    editor.fill('{"price": 12345678901234567890}')
    tab.get_by_role("button", name="Save").click()
    tab.locator("[data-rev]").first.wait_for()
    assert couch("GET", "/shop/a%2Fb%20%C3%BC")["price"] == 12345678901234567890
    assert "12345678901234567890" in editor.input_value()
    editor.fill("{")
    tab.get_by_role("button", name="Save").click()
    tab.get_by_role("alert").get_by_text("not JSON").wait_for()
    tab.get_by_role("button", name="Delete…", exact=True).click()
    tab.get_by_text("The database holds no document").wait_for()
    assert couch("GET", "/shop/a%2Fb%20%C3%BC")["reason"] == "deleted"


def test_a_conflict_while_editing_is_shown_and_nothing_is_lost(browsing: Browsing, couch: Send) -> None:
    couch("PUT", "/shop")
    first = couch("PUT", "/shop/tea", {"price": 3})
    tab = browsing.go("#/doc/shop/tea")
    couch("PUT", f"/shop/tea?rev={first['rev']}", {"price": 4})
    tab.get_by_label("The document as JSON").fill(json.dumps({"_id": "tea", "_rev": first["rev"], "price": 5}))
    tab.get_by_role("button", name="Save").click()
    tab.get_by_role("alert").get_by_text("409 conflict").wait_for()
    assert '"price": 5' in tab.get_by_label("The document as JSON").input_value()
    assert couch("GET", "/shop/tea")["price"] == 4


def test_a_hundred_thousand_documents_are_read_a_page_at_a_time(browsing: Browsing, fake: CouchFake) -> None:
    fake.node.create_database("large")
    for start in range(0, 100_000, 10_000):
        docs = [{"_id": f"{n:06}", "n": n} for n in range(start, start + 10_000)]
        fake.ask("POST", "/large/_bulk_docs", {"docs": docs})
    tab = browsing.go("#/db/large")
    assert tab.locator("tbody tr").count() == 50
    tab.get_by_text("100,000 documents in all").wait_for()
    tab.get_by_role("button", name="Next →").click()
    tab.get_by_role("link", name="000050").wait_for()
    tab.get_by_role("button", name="← Before").click()
    tab.get_by_role("link", name="000049").wait_for()
    assert tab.locator("tbody tr a").first.inner_text() == "000000"
    tab.get_by_label("Ids that begin with").fill("0999")
    tab.get_by_role("link", name="099900").wait_for()
    assert tab.locator("tbody tr a").first.inner_text() == "099900"
    limits = [url for url in browsing.requested if "/large/" in url]
    assert limits and all("limit=51" in url for url in limits)


def test_a_query_says_which_index_would_serve_it_and_makes_it(browsing: Browsing, couch: Send) -> None:
    couch("PUT", "/shop")
    couch("POST", "/shop/_bulk_docs", {"docs": [{"_id": str(n), "price": n} for n in range(9)]})
    tab = browsing.go("#/db/shop/query")
    tab.get_by_label("Selector").fill('{"price": {"$gt": 6}}')
    tab.get_by_role("button", name="Find").click()
    tab.get_by_text("every document is read").wait_for()
    assert '{"index":{"fields":["price"]}}' in tab.locator(".hint pre").inner_text()
    tab.get_by_role("button", name="Create this index").click()
    tab.locator(".hint").wait_for(state="detached")
    assert tab.locator("tbody tr").count() == 2
    assert tab.locator(".facts dd").all_inner_texts()[2:4] == ["3", "2"]  # "$gt" reads the equal key too
    assert any(index["type"] == "json" for index in couch("GET", "/shop/_index")["indexes"])


def test_attachments_are_listed_shown_and_added(browsing: Browsing, couch: Send) -> None:
    couch("PUT", "/shop")
    body = {"_attachments": {"dot.png": {"content_type": "image/png", "data": base64.b64encode(PNG).decode()}}}
    couch("PUT", "/shop/tea", body)
    tab = browsing.go("#/doc/shop/tea")
    tab.wait_for_function("document.querySelector('.picture img')?.naturalWidth === 1")
    tab.get_by_label("File to attach").set_input_files(
        [{"name": "note.txt", "mimeType": "text/plain", "buffer": b"hello"}]
    )
    tab.get_by_role("link", name="note.txt").wait_for()
    assert set(couch("GET", "/shop/tea")["_attachments"]) == {"dot.png", "note.txt"}


MARKUP = '"><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'


def test_markup_in_documents_is_shown_as_text_everywhere(browsing: Browsing, fake: CouchFake, couch: Send) -> None:
    couch("PUT", "/shop")
    attached = {MARKUP: {"content_type": "image/svg+xml", "data": base64.b64encode(b"<svg/>").decode()}}
    fake.load_documents({"shop": [{"_id": MARKUP, MARKUP: MARKUP, "_attachments": attached}]})
    fake.conflict("shop", MARKUP + "2", {MARKUP: 1}, {MARKUP: 2})
    ddoc = {"views": {MARKUP: {"map": f"function (doc) {{ throw new Error({json.dumps(MARKUP)}) }}"}}}
    couch("PUT", "/shop/_design/" + "%3Cb%3E", ddoc)
    fake.faults.refuse(503, reason=MARKUP, path="/nowhere")
    couch("GET", "/nowhere", headers={"X-Markup": MARKUP})
    where = ["#/db/shop", "#/db/shop/changes", "#/db/shop/conflicts", "#/db/shop/design", "#/requests", "#/kit"]
    for address in where:
        tab = browsing.go(address)
        assert tab.evaluate("window.hacked") is None
        assert tab.locator("main img, main script").count() == 0
    tab = browsing.go("#/db/shop")
    tab.get_by_role("link", name=MARKUP, exact=True).click()
    tab.locator("h1", has_text=MARKUP).wait_for()
    tab.locator(".attachments").get_by_role("link", name=MARKUP, exact=True).wait_for()
    tab = browsing.go("#/db/shop/design")
    tab.get_by_role("button", name="Try on this document").click()
    tab.locator(".failure").get_by_text("onerror").wait_for()
    tab = browsing.go("#/requests")
    tab.locator("tbody tr").first.click()
    tab.locator(".detail").get_by_text("onerror").last.wait_for()
    assert tab.evaluate("window.hacked") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_small_window(browsing: Browsing, couch: Send, scheme: str) -> None:
    couch("PUT", "/shop")
    couch("POST", "/shop/_bulk_docs", {"docs": [{"_id": f"a rather long id {n}", "price": n} for n in range(9)]})
    browsing.tab.set_viewport_size({"width": 360, "height": 640})
    browsing.tab.emulate_media(color_scheme=scheme)
    for address in ("#/", "#/db/shop", "#/db/shop/query", "#/requests", "#/kit", "#/users", "#/settings"):
        tab = browsing.go(address)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360, address


def test_it_is_usable_by_keyboard(browsing: Browsing, couch: Send) -> None:
    couch("PUT", "/shop")
    couch("PUT", "/shop/tea", {"price": 3})
    tab = browsing.go("#/doc/shop/tea")
    tab.locator("[data-rev]").first.focus()
    tab.keyboard.press("Enter")
    tab.locator(".revisions pre").wait_for()
    tab.get_by_label("The document as JSON").focus()
    tab.keyboard.press("Control+End")
    tab.keyboard.press("Backspace")
    tab.keyboard.type(', "seen": true}')
    tab.keyboard.press("Control+s")
    tab.get_by_text("Saved as 2-").wait_for()
    assert couch("GET", "/shop/tea")["seen"] is True
