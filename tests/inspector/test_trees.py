"""Revision trees in the browser: shown, compared, resolved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from couchfake import CouchFake

from .conftest import Browsing

Send = Callable[..., Any]


def test_a_conflict_is_seen_compared_and_resolved(browsing: Browsing, fake: CouchFake, couch: Send) -> None:
    couch("PUT", "/shop")
    tree = fake.conflict("shop", "tea", {"price": 3}, {"price": 4}, base={"price": 2})
    assert tree.winner is not None
    loser, winner = tree.conflicts[0], tree.winner
    tab = browsing.go("#/db/shop/conflicts")
    tab.get_by_role("link", name="tea").click()
    tab.get_by_text("In conflict: 2 live branches").wait_for()
    assert tab.locator("[data-rev]").count() == 3
    tab.locator(f'[data-rev="{winner.rev}"] circle').click()
    tab.locator(".revisions .badge.winner").wait_for()
    tab.locator(f'[data-rev="{loser.rev}"] circle').click(modifiers=["Shift"])
    tab.locator(".diff").wait_for()
    assert winner.body is not None and loser.body is not None
    assert f'-   "price": {winner.body["price"]}' in tab.locator(".diff .gone").all_inner_texts()[-1]
    assert f'+   "price": {loser.body["price"]}' in tab.locator(".diff .new").all_inner_texts()[-1]
    tab.locator(f'[data-rev="{loser.rev}"] circle').click()
    tab.get_by_role("button", name="Keep this one").click()
    tab.get_by_text("In conflict").wait_for(state="detached")
    document = couch("GET", "/shop/tea?conflicts=true")
    assert (document["price"], document.get("_conflicts")) == (loser.body["price"], None)
    assert document["_rev"] == loser.rev
    assert len(fake.revision_tree("shop", "tea").conflicts) == 0


def test_revisions_are_compared_without_a_second_hand(browsing: Browsing, fake: CouchFake, couch: Send) -> None:
    couch("PUT", "/shop")
    tree = fake.conflict("shop", "tea", {"price": 3}, {"price": 4})
    assert tree.winner is not None
    tab = browsing.go("#/doc/shop/tea")
    tab.locator(f'[data-rev="{tree.winner.rev}"]').click()
    tab.get_by_label("Compare with").select_option(tree.conflicts[0].rev)
    tab.locator(".diff").wait_for()
    assert tab.locator("[data-rev].chosen").count() == 2


def test_a_revision_says_who_wrote_it(browsing: Browsing, couch: Send) -> None:
    couch("PUT", "/shop")
    first = couch("PUT", "/shop/tea", {"price": 3})["rev"]
    rev = "2-" + "a" * 32
    revisions = {"start": 2, "ids": [rev[2:], first[2:]]}
    body = {"docs": [{"_id": "tea", "_rev": rev, "_revisions": revisions}], "new_edits": False}
    couch("POST", "/shop/_bulk_docs", body)
    tab = browsing.go("#/doc/shop/tea")
    tab.locator(f'[data-rev="{rev}"]').click()
    tab.get_by_text("Written by replication at").wait_for()
    tab.locator(f'[data-rev="{first}"]').click()
    tab.get_by_text("Written by an edit at").wait_for()


def test_a_revision_of_a_losing_branch_is_edited(browsing: Browsing, fake: CouchFake, couch: Send) -> None:
    couch("PUT", "/shop")
    tree = fake.conflict("shop", "tea", {"price": 3}, {"price": 4})
    loser = tree.conflicts[0]
    tab = browsing.go(f"#/doc/shop/tea/{loser.rev}")
    tab.get_by_text(f"This is revision {loser.rev}").wait_for()
    editor = tab.get_by_label("The document as JSON")
    editor.fill(editor.input_value().replace('"price"', '"cost"'))
    tab.get_by_role("button", name="Save").click()
    tab.get_by_text("Saved as 2-").wait_for()
    assert "cost" in couch("GET", "/shop/tea")  # the longer branch wins


def test_a_deleted_document_still_shows_its_tree(browsing: Browsing, couch: Send) -> None:
    couch("PUT", "/shop")
    first = couch("PUT", "/shop/tea", {"price": 3})["rev"]
    couch("DELETE", f"/shop/tea?rev={first}")
    tab = browsing.go("#/doc/shop/tea")
    tab.get_by_text("This document is deleted").wait_for()
    tab.locator(f'[data-rev="{first}"]').click()
    tab.locator(".revisions pre").get_by_text('"price": 3').wait_for()
