"""Multipart bodies, read and written."""

from __future__ import annotations

import email
import email.policy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchfake.chttpd.multipart import (
    AttachmentPart,
    FormField,
    Missing,
    Revision,
    bulk,
    bulk_boundary,
    form_fields,
    mixed,
    new_boundary,
    parts_of,
    read_related,
    related,
    related_type,
)
from couchfake.errors import BadContentType, BadRequest, ServerError

TYPE = 'multipart/related; boundary="frontier"'
JSON_PART = b"--frontier\r\nContent-Type: application/json\r\n\r\n{}\r\n"


class TestReading:
    def test_the_document_comes_first_and_the_parts_follow_in_order(self) -> None:
        body = (
            JSON_PART
            + b'--frontier\r\nContent-Disposition: attachment; filename="x"\r\n\r\none\r\n'
            + b"--frontier\r\n\r\n\r\ntwo\r\n\r\n--frontier--"
        )
        document, parts = read_related(TYPE, body)
        assert document == b"{}"
        assert list(parts) == [b"one", b"\r\ntwo\r\n"]

    def test_what_surrounds_the_parts_is_dropped(self) -> None:
        body = b"preamble\r\n" + JSON_PART + b"--frontier-- \r\nepilogue\r\n--frontier\r\n\r\nno part"
        document, parts = read_related(TYPE, body)
        assert (document, list(parts)) == (b"{}", [])

    def test_an_unquoted_boundary_and_blanks_behind_a_delimiter_are_read(self) -> None:
        body = b"--a+b \t\r\nContent-Type: application/json; charset=utf-8\r\n\r\n{}\r\n--a+b--"
        assert read_related("multipart/related; boundary=a+b", body)[0] == b"{}"

    def test_a_nested_body_whose_boundary_begins_with_the_outer_one_stays_whole(self) -> None:
        nested = b"--frontier2\r\n\r\nx\r\n--frontier2--"
        body = JSON_PART + b"--frontier\r\n\r\n" + nested + b"\r\n--frontier--"
        assert list(read_related(TYPE, body)[1]) == [nested]

    def test_a_boundary_within_a_line_is_content(self) -> None:
        body = JSON_PART + b"--frontier\r\n\r\nsee --frontier--\r\n--frontier--"
        assert list(read_related(TYPE, body)[1]) == [b"see --frontier--"]

    def test_an_empty_part_is_a_part(self) -> None:
        body = JSON_PART + b"--frontier\r\n\r\n\r\n--frontier--"
        assert list(read_related(TYPE, body)[1]) == [b""]

    @pytest.mark.parametrize("cut", [b"", b"--frontier\r\n\r\nhal", b"--frontier"])
    def test_a_body_that_ends_before_its_last_delimiter_breaks_the_request(self, cut: bytes) -> None:
        with pytest.raises(ServerError):
            list(read_related(TYPE, JSON_PART + cut)[1])

    def test_a_first_part_that_is_not_json_is_refused(self) -> None:
        with pytest.raises(BadContentType) as caught:
            read_related(TYPE, b"--frontier\r\n\r\n{}\r\n--frontier--")
        assert caught.value.reason == "Content-Type must be application/json"

    def test_headers_are_lines_with_a_colon(self) -> None:
        with pytest.raises(BadRequest):
            list(parts_of(TYPE, b"--frontier\r\nnonsense\r\n\r\n{}\r\n--frontier--"))
        with pytest.raises(BadRequest):
            list(parts_of(TYPE, b"--frontier\r\nno: end\r\n--frontier--"))

    def test_a_type_without_a_boundary_is_refused(self) -> None:
        with pytest.raises(BadRequest):
            list(parts_of("multipart/related; type=x", b""))

    def test_a_form_has_fields_and_files(self) -> None:
        body = (
            b'--f\r\nContent-Disposition: form-data; name="_rev"\r\n\r\n1-abc\r\n'
            b'--f\r\nContent-Disposition: form-data; name="_attachments"; filename="a.txt"\r\n'
            b"Content-Type: text/plain\r\n\r\nhi\r\n"
            b"--f\r\nContent-Disposition: form-data\r\n\r\nnameless\r\n--f--\r\n"
        )
        assert form_fields("multipart/form-data; boundary=f", body) == [
            FormField("_rev", None, None, b"1-abc"),
            FormField("_attachments", "a.txt", "text/plain", b"hi"),
        ]


class TestWriting:
    NOTE = AttachmentPart("note.txt", "text/plain", b"\x1f\x8b", "gzip")
    PIXEL = AttachmentPart("ü.png", "image/png", b"PNG", "identity")

    def test_a_document_and_its_attachments(self) -> None:
        assert b"".join(related(b"{}", [self.NOTE, self.PIXEL], "b")) == (
            b"--b\r\nContent-Type: application/json\r\n\r\n{}"
            b'\r\n--b\r\nContent-Disposition: attachment; filename="note.txt"\r\nContent-Type: text/plain'
            b"\r\nContent-Length: 2\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b"
            b'\r\n--b\r\nContent-Disposition: attachment; filename="\xc3\xbc.png"\r\nContent-Type: image/png'
            b"\r\nContent-Length: 3\r\n\r\nPNG\r\n--b--"
        )
        assert related_type([self.NOTE], "b") == 'multipart/related; boundary="b"'

    def test_a_document_without_attachments_is_the_only_part(self) -> None:
        assert related(b"{}", [], "b") == [b"{}"]
        assert related_type([], "b") == "application/json"

    def test_open_revisions(self) -> None:
        revisions: list[Revision | Missing] = [
            Revision("a", "1-x", b"{}", []),
            Missing(b'{"missing":"9-c"}'),
            Revision("a", "1-y", b"{1}", [self.PIXEL]),
        ]
        message: Any = email.message_from_bytes(
            b'Content-Type: multipart/mixed; boundary="out"\r\n\r\n' + b"".join(mixed(revisions, "out", "in")),
            policy=email.policy.HTTP,
        )
        alone, missing, nested = message.get_payload()
        assert (alone.get_content_type(), alone.get_payload()) == ("application/json", "{}")
        assert missing["Content-Type"] == 'application/json; error="true"'
        assert [part.get_content_type() for part in nested.iter_parts()] == ["application/json", "image/png"]

    def test_open_revisions_end_each_part_with_the_outer_delimiter(self) -> None:
        assert b"".join(mixed([Revision("a", "1-x", b"{}", [])], "o", "i")) == (
            b"--o\r\nContent-Type: application/json\r\n\r\n{}\r\n--o--"
        )

    def test_bulk_parts_say_whose_they_are(self) -> None:
        revisions: list[Revision | Missing] = [
            Revision("a", "1-x", b"{}", [self.PIXEL]),
            Revision("b", "1-y", b"{}", []),
            Missing(b"{0}"),
        ]
        written = b"".join(bulk(revisions, "--o", "--i"))
        assert written.startswith(
            b"\r\n----o\r\nX-Doc-Id: a\r\nX-Rev-Id: 1-x\r\n"
            b"Content-Type: multipart/related; boundary=--i\r\n\r\n----i\r\n"
        )
        assert written.endswith(
            b"\r\n----o\r\nContent-Type: application/json\r\n\r\n{}"
            b'\r\n----o\r\nContent-Type: application/json; error="true"\r\n\r\n{0}\r\n----o--\r\n'
        )

    def test_a_bulk_answer_without_documents_is_empty(self) -> None:
        assert b"".join(bulk([], "--o", "--i")) == b""
        assert bulk_boundary().startswith("--")

    @given(st.lists(st.binary(max_size=40)), st.binary(max_size=40))
    def test_what_was_written_is_read_back(self, contents: list[bytes], document: bytes) -> None:
        attachments = [AttachmentPart("n", "image/x", content, "identity") for content in contents]
        boundary = new_boundary()
        body = b"".join(related(document, attachments, boundary))
        if attachments:
            read, parts = read_related(related_type(attachments, boundary), body)
            assert (read, list(parts)) == (document, contents)
