"""Revision ids. The literal ones were given out by a real server (3.5)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from couchfake.errors import BadRequest
from couchfake.storage.revision_ids import parse_rev, revision_hash

from .conftest import Store

FIRST = [
    ("{}", "1-967a00dff5e02add41819138abb3284d"),
    ('{"x": 1}', "1-0785e9eb543380151003dc452c3a001a"),
    ('{"v": 1}', "1-7a7e4b29f3af401e69b6f86e4c26b727"),
    ('{"n": "two"}', "1-4b31831803283d42e0b071d0b5b9c311"),
    (r'{"\'ﬀ\tя0": -742.56}'.replace(r"\'", "'"), "1-a5287eb39002431898c1ffad6c202a06"),
    (
        r'{" Ω\\0": {"k0": null, "k1": 4.246880043631222e-06}, " ' + "'" + r'\n1": [0], "öß2": true}',
        "1-191160cd78b11eec50d100cad20b017f",
    ),
    (
        '{"ß90": {"k0": 0.03757630063283379, "日本Z1": 0, "日本ß2": 895.6250544356878}}',
        "1-ad29e3766f547b0e9617712f62b12954",
    ),
    (
        '{"n": 1, "_attachments": {"b": {"content_type": "text/plain", "data": "eA=="}}}',
        "1-545b0394c95e211f6db039b5bb53a122",
    ),
    (
        '{"n": 1, "_attachments": {"a": {"content_type": "image/png", "data": "eA=="}}}',
        "1-13dfa159da15c3e5b11b87ad14ee8e06",
    ),
    (
        '{"_attachments": {"t.txt": {"content_type": "text/plain", "data": ""},'
        ' "b.bin": {"content_type": "application/octet-stream", "data": ""}}}',
        "1-1c79deba8ef825e8f669adf1bfdb1e48",
    ),
    (
        '{"_attachments": {"none": {"data": "YWJj"}, "empty": {"content_type": "", "data": "YWJj"},'
        ' "odd": {"content_type": "x y z", "data": "YWJj"}}}',
        "1-acf63f847e3059318dbbc2f58463a4a5",
    ),
]

SECOND = [
    ('{"x": 2}', "1-0785e9eb543380151003dc452c3a001a", "2-8c49edca19d786e747fb5bea32c4cb91"),
    ('{"x": 1}', "1-967a00dff5e02add41819138abb3284d", "2-fedd31dc95d711d8c91924773772bb35"),
    (
        '{"bö0": [8.158480264688067e-09, "\xa0_-c0", null], "\xa0\\ta\\nc1": true, "\\"ß\xa0\\"2": 255,'
        ' "\\tﬀ3": [0, 1, 2], "m4": 9.332521090247821e-09}',
        "1-984bc9dd22968e9e87ba1613e3781774",
        "2-ec9a40624a6676ebd3c5c8776af75adf",
    ),
    (
        '{"\xa0ﬀb\xa00": 10, "aΩ_1": 572.59999, "ö2": 4303.81124423646, "я3": "\\\\", "\xa0\'é4": 5, "日本5": {}}',
        "1-ac0a6e7ef46cd58a3ad3e763f878d57a",
        "2-d77b863fc8165ee3c2ec799c12943478",
    ),
]


@pytest.mark.parametrize(("document", "rev"), FIRST)
def test_a_first_revision_is_the_servers(document: str, rev: str, store: Store) -> None:
    assert store.put("a", **json.loads(document)) == rev


@pytest.mark.parametrize(("document", "parent", "rev"), SECOND)
def test_a_later_revision_is_the_servers(document: str, parent: str, rev: str) -> None:
    assert f"2-{revision_hash(False, parse_rev(parent), json.loads(document))}" == rev


def test_whatever_enters_a_revision_changes_it() -> None:
    parent = (1, bytes(16))
    attachment = ("a", "text/plain", b"m" * 16)
    variations: list[tuple[Any, ...]] = [
        (False, None, {}),
        (True, None, {}),
        (False, parent, {}),
        (False, (2, bytes(16)), {}),
        (False, (1, bytes(15) + b"1"), {}),
        (False, None, {"a": 1}),
        (False, None, {"a": 1.0}),
        (False, None, {"a": "1"}),
        (False, None, {"a": [1]}),
        (False, None, {"a": 1, "b": 2}),
        (False, None, {"b": 2, "a": 1}),
        (False, None, {}, [attachment]),
        (False, None, {}, [None]),
        (False, None, {}, [("b", "text/plain", b"m" * 16)]),
        (False, None, {}, [("a", "text/html", b"m" * 16)]),
        (False, None, {}, [("a", "text/plain", b"n" * 16)]),
        (False, None, {}, [attachment, attachment]),
    ]
    assert len({revision_hash(*each) for each in variations}) == len(variations)


def test_the_id_of_a_document_does_not_enter_its_revisions(store: Store) -> None:
    assert store.put("a", x=1) == store.put("b", x=1)


@pytest.mark.parametrize(
    ("digits", "raw"),
    [
        ("0" * 31 + "f", bytes(15) + b"\x0f"),
        ("F" * 32, b"\xff" * 16),
        ("+" + "f" * 31, b"\x0f" + b"\xff" * 15),
        ("-" + "0" * 30 + "1", b"\xff" * 16),
        ("f" * 31, b"f" * 31),
        ("sixteen letters!", b"sixteen letters!"),
    ],
)
def test_a_hash_of_32_digits_is_a_number_and_any_other_a_text(digits: str, raw: bytes) -> None:
    assert parse_rev(f"12-{digits}") == (12, raw)
    assert parse_rev(f"+12-{digits}") == (12, raw)


@pytest.mark.parametrize(
    "text",
    ["", "1", "-a", "x-a", "1.5-a", " 1-a", "1_0-a", "++1-a", "1-" + "g" * 32, "1-" + "f" * 31 + " ", None, 1],
)
def test_what_is_not_a_revision_is_refused(text: Any) -> None:
    with pytest.raises(BadRequest, match="Invalid rev format"):
        parse_rev(text)
