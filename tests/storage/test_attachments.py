"""Attachments in storage: bytes, digests, stubs, JSON. The literal digests and revisions are a real server's."""

from __future__ import annotations

import gzip
import math
import zlib
from typing import Any

import pytest

from couchfake.config import Config
from couchfake.errors import BadRequest, CouchError, DocValidation, MissingStub, ServerError
from couchfake.storage.attachments import (
    Attachment,
    AttachmentSettings,
    decode_base64,
    find,
    gzipped,
    hash_tuples,
    newer_than,
    put_first,
    read_attachments,
    render,
    render_all,
    require_data,
    resolve,
    store,
    validate,
    without,
)
from couchfake.storage.revision_ids import revision_hash

SETTINGS = AttachmentSettings()


def configured(**values: str) -> AttachmentSettings:
    config = Config()
    for key, value in values.items():
        config.set("couchdb" if key.startswith("max_") else "attachments", key, value)
    return AttachmentSettings.from_config(config)


def text(name: str, content: str, revpos: int = 0) -> Attachment:
    return store(name, "text/plain", content.encode(), SETTINGS, revpos=revpos)


def written(
    member: dict[str, Any], parent: tuple[Attachment, ...] = (), new_pos: int | None = 1
) -> tuple[Attachment, ...]:
    inputs = read_attachments(member, SETTINGS)
    validate(inputs, SETTINGS)
    return resolve(inputs, parent, docid="a", new_pos=new_pos)


class TestStoring:
    def test_a_compressible_type_is_stored_gzipped_with_the_servers_digest(self) -> None:
        stored = text("hello.txt", "hello")
        assert stored.encoding == "gzip"
        assert (stored.length, stored.encoded_length) == (5, 25)
        assert stored.digest == "md5-iMaiC8wqiFlD2NjLTemvCQ=="
        assert stored.decoded() == b"hello"

    def test_another_type_is_stored_as_it_is(self) -> None:
        stored = store("p", "application/octet-stream", b"abc", SETTINGS)
        assert (stored.encoding, stored.data, stored.length, stored.encoded_length) == ("identity", b"abc", 3, 3)
        assert stored.md5_base64 == "kAFQmDzST7DWlj99KOF/cg=="

    def test_nothing_is_compressed_to_twenty_bytes(self) -> None:
        stored = store("t", "text/plain", b"", SETTINGS)
        assert (stored.length, stored.encoded_length, stored.digest) == (0, 20, "md5-cCkGbCesb17xjWYNV0GXmg==")

    def test_gzipped_bytes_are_kept_and_their_length_is_that_of_the_encoding(self) -> None:
        sent = gzip.compress(b"x" * 100, mtime=0)
        stored = store("t", "text/plain", sent, SETTINGS, encoding="gzip")
        assert stored.data == sent
        assert stored.length == stored.encoded_length == len(sent)
        assert not stored.length_is_known
        assert stored.decoded() == b"x" * 100

    def test_the_sender_may_tell_the_decoded_length_of_gzipped_bytes(self) -> None:
        stored = store("t", "text/plain", gzip.compress(b"x" * 100), SETTINGS, encoding="gzip", length=100)
        assert stored.length == 100
        assert stored.length_is_known

    def test_bytes_that_only_claim_to_be_gzip_break_the_reading_not_the_upload(self) -> None:
        stored = store("t", "text/plain", b"no gzip", SETTINGS, encoding="gzip")
        with pytest.raises(ServerError):
            stored.decoded()

    @pytest.mark.parametrize("level", [1, 6, 8, 9])
    def test_the_gzip_stream_is_the_one_zlib_writes_on_unix(self, level: int) -> None:
        data = b"The quick brown fox jumps over the lazy dog.\n" * 8
        deflate = zlib.compressobj(level, zlib.DEFLATED, 31, 8)
        expected = deflate.compress(data) + deflate.flush()
        assert gzipped(data, level)[:9] + expected[9:10] + gzipped(data, level)[10:] == expected
        assert gzipped(data, level)[9] == 3


class TestSettings:
    @pytest.mark.parametrize(
        "content_type",
        ["text/plain", "TEXT/HTML", "text/plain; charset=utf-8", " text/css", "application/json", "application/xml "],
    )
    def test_types_that_are_compressed_by_default(self, content_type: str) -> None:
        assert SETTINGS.compresses(content_type)

    @pytest.mark.parametrize(
        "content_type",
        ["", "nonsense", "image/svg+xml", "application/jsonp", "x-text/plain", "application/octet-stream"],
    )
    def test_types_that_are_not(self, content_type: str) -> None:
        assert not SETTINGS.compresses(content_type)

    def test_the_configuration_names_other_types_and_levels(self) -> None:
        settings = configured(compressible_types="image/*, application/x-a", compression_level="1")
        assert settings.compresses("image/png")
        assert settings.compresses("application/x-a")
        assert not settings.compresses("text/plain")
        assert settings.compression_level == 1

    @pytest.mark.parametrize("level", ["0", "10", "-1"])
    def test_a_level_that_zlib_lacks_turns_compression_off(self, level: str) -> None:
        assert not configured(compression_level=level).compresses("text/plain")

    def test_no_compressible_types_means_none(self) -> None:
        assert not configured(compressible_types="").compresses("text/plain")

    def test_a_type_that_is_a_list_of_strings_counts_as_their_text(self) -> None:
        assert SETTINGS.compresses(["text/plain"])

    @pytest.mark.parametrize("content_type", [5, None, {}, True])
    def test_a_type_of_another_kind_breaks_the_request(self, content_type: Any) -> None:
        with pytest.raises(ServerError):
            written({"x": {"content_type": content_type, "data": "YWJj"}})


class TestReading:
    def test_attachments_come_in_the_order_of_the_document(self) -> None:
        names = ["zebra", "apple", "Mango", "ünder", "10", "9"]
        assert [one.name for one in written({name: {"data": ""} for name in names})] == names

    def test_digest_length_encoding_and_revpos_of_inline_data_are_worked_out(self) -> None:
        entry = {
            "content_type": "image/png",
            "data": "YWJj",
            "digest": "rubbish",
            "length": 77,
            "revpos": 9,
            "stub": False,
        }
        (stored,) = written({"x": {**entry, "encoding": "gzip", "follows": False, "bogus": 1}})
        assert (stored.length, stored.encoding, stored.revpos, stored.digest) == (
            3,
            "identity",
            1,
            "md5-kAFQmDzST7DWlj99KOF/cg==",
        )

    def test_without_a_type_it_is_an_octet_stream(self) -> None:
        (stored,) = written({"x": {"data": "YWJj"}})
        assert stored.content_type == "application/octet-stream"

    @pytest.mark.parametrize("member", [[], "x", 5, None, True])
    def test_a_member_that_is_not_an_object_is_refused(self, member: Any) -> None:
        with pytest.raises(DocValidation) as caught:
            read_attachments(member, SETTINGS)
        assert caught.value.reason == "Bad special document member: _attachments"

    @pytest.mark.parametrize("entry", ["data", None, 5, []])
    def test_an_entry_that_is_not_an_object_is_dropped(self, entry: Any) -> None:
        assert written({"x": entry}) == ()

    @pytest.mark.parametrize(
        "entry", [{}, {"content_type": "text/plain"}, {"data": None}, {"data": 5}, {"data": ["YQ=="]}, {"stub": 1}]
    )
    def test_an_entry_without_data_is_refused(self, entry: dict[str, Any]) -> None:
        with pytest.raises(BadRequest) as caught:
            read_attachments({"x": entry}, SETTINGS)
        assert caught.value.reason == "Invalid attachment data for x"

    @pytest.mark.parametrize(
        ("written_as", "meant"),
        [("", b""), ("YQ==", b"a"), ("YWI=", b"ab"), ("YW Jj", b"abc"), ("Y\r\nWJj\n", b"abc"), ("/+8=", b"\xff\xef")],
    )
    def test_base64_may_hold_blanks_and_line_breaks(self, written_as: str, meant: bytes) -> None:
        assert decode_base64(written_as) == meant

    @pytest.mark.parametrize("text", ["YQ", "YWI", "_-8=", "YQ===", "a", "é", "====", "%%%", "YQ==YQ==", "=YQ="])
    def test_what_is_not_quite_base64_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"base64|ascii"):
            decode_base64(text)

    @pytest.mark.parametrize("name", ["_x", "_", "_design"])
    def test_names_with_a_leading_underscore_are_refused(self, name: str) -> None:
        with pytest.raises(BadRequest) as caught:
            written({name: {"data": ""}})
        assert caught.value.reason == f"Attachment name '{name}' starts with prohibited character '_'"

    def test_an_empty_name_is_taken(self) -> None:
        assert written({"": {"data": ""}})[0].name == ""

    def test_limits_of_size_and_number_hold(self) -> None:
        inputs = read_attachments({"x": {"data": "YWJj"}, "y": {"data": "YQ=="}}, SETTINGS)
        validate(inputs, AttachmentSettings(max_size=3, max_count=2))
        with pytest.raises(CouchError) as caught:
            validate(inputs, AttachmentSettings(max_size=2))
        assert (caught.value.status, caught.value.error, caught.value.reason) == (413, "attachment_too_large", "x")
        with pytest.raises(CouchError) as caught:
            validate(inputs, AttachmentSettings(max_count=1))
        assert caught.value.status == 413

    def test_sizes_come_from_the_configuration_and_infinity_means_no_limit(self) -> None:
        assert configured(max_attachment_size="7").max_size == 7
        assert configured(max_attachment_size="infinity").max_size == math.inf


class TestFollowing:
    def read(self, member: dict[str, Any], *parts: bytes) -> list[Attachment]:
        return [one.stored for one in read_attachments(member, SETTINGS, parts) if one.stored]

    def refuse(self, member: dict[str, Any], *parts: bytes) -> None:
        require_data(read_attachments(member, SETTINGS, parts or None))

    def test_parts_are_taken_in_the_order_of_the_entries_that_follow(self) -> None:
        member = {
            "b": {"follows": True, "length": 1},
            "stub": {"stub": True},
            "inline": {"data": "YQ=="},
            "a": {"follows": True, "length": 2, "revpos": 4},
        }
        stored = self.read(member, b"1", b"22")
        assert [(one.name, one.data, one.revpos) for one in stored] == [
            ("b", b"1", 0),
            ("inline", b"a", 0),
            ("a", b"22", 4),
        ]

    def test_an_empty_attachment_takes_no_part(self) -> None:
        stored = self.read({"e": {"follows": True, "length": 0}, "a": {"follows": True, "length": 1}}, b"", b"1")
        assert [one.data for one in stored] == [b"", b"1"]

    def test_encoded_bytes_are_kept_and_both_lengths_believed(self) -> None:
        sent = gzip.compress(b"x" * 50, mtime=0)
        entry = {
            "follows": True,
            "content_type": "text/plain",
            "length": 50,
            "encoding": "gzip",
            "encoded_length": len(sent),
        }
        (stored,) = self.read({"t": entry}, sent)
        assert (stored.data, stored.length, stored.encoded_length) == (sent, 50, len(sent))

    def test_without_an_encoded_length_the_length_is_that_of_the_encoded_bytes(self) -> None:
        sent = gzip.compress(b"x" * 50, mtime=0)
        entry = {"follows": True, "content_type": "text/plain", "length": len(sent), "encoding": "gzip"}
        (stored,) = self.read({"t": entry}, sent)
        assert stored.data == sent

    def test_a_part_of_another_length_is_refused(self) -> None:
        with pytest.raises(BadRequest, match="longer"):
            self.refuse({"a": {"follows": True, "length": 1}}, b"22")
        with pytest.raises(BadRequest, match="shorter"):
            self.refuse({"a": {"follows": True, "length": 3}}, b"22")

    def test_a_digest_of_other_bytes_breaks_the_request(self) -> None:
        right = {"follows": True, "content_type": "image/x", "length": 5, "digest": "md5-XUFAKrxLKna5cZ2REBfFkg=="}
        assert self.read({"x": right}, b"hello")[0].data == b"hello"
        with pytest.raises(ServerError):
            self.refuse({"x": {**right, "digest": "md5-MDAwMDAwMDAwMDAwMDAwMA=="}}, b"hello")

    @pytest.mark.parametrize(
        "entry", [{"follows": True}, {"follows": True, "length": "1"}, {"follows": True, "length": 1, "encoding": "br"}]
    )
    def test_an_entry_that_does_not_say_how_much_follows_breaks_the_request(self, entry: dict[str, Any]) -> None:
        with pytest.raises(ServerError):
            self.refuse({"x": entry}, b"1")

    def test_nothing_follows_a_plain_document(self) -> None:
        with pytest.raises(ServerError) as caught:
            self.refuse({"x": {"follows": True, "length": 3}})
        assert caught.value.reason == "function_clause"


class TestStubs:
    def test_a_stub_keeps_the_parents_attachment_whatever_else_it_says(self) -> None:
        (parent,) = written({"one": {"content_type": "text/plain", "data": "MQ=="}})
        stub = {
            "stub": True,
            "revpos": 1,
            "content_type": "image/gif",
            "digest": "md5-MDAwMDAwMDAwMDAwMDAwMA==",
            "length": 99,
        }
        assert written({"one": stub}, (parent,), new_pos=2) == (parent,)

    def test_what_is_not_named_is_gone(self) -> None:
        parent = written({"one": {"data": ""}, "two": {"data": ""}})
        assert [one.name for one in written({"two": {"stub": True}}, parent, new_pos=2)] == ["two"]

    def test_a_stub_beats_its_data(self) -> None:
        with pytest.raises(MissingStub):
            written({"x": {"data": "YWJj", "stub": True}})

    @pytest.mark.parametrize("revpos", [2, 0, "1", None, True])
    def test_a_stub_with_another_revpos_is_refused(self, revpos: Any) -> None:
        parent = written({"one": {"data": ""}})
        with pytest.raises(MissingStub) as caught:
            written({"one": {"stub": True, "revpos": revpos}}, parent, new_pos=2)
        assert caught.value.reason == "Invalid attachment stub in a for one"

    def test_a_stubs_digest_must_be_readable(self) -> None:
        with pytest.raises(ServerError) as caught:
            written({"one": {"stub": True, "digest": "md5-rubbish"}})
        assert caught.value.reason == "function_clause"

    def test_new_attachments_get_the_new_generation_and_replicated_ones_keep_theirs(self) -> None:
        member = {"x": {"data": "", "revpos": 2}}
        assert written(member, new_pos=4)[0].revpos == 4
        assert written(member, new_pos=None)[0].revpos == 2


class TestOrder:
    def test_a_stand_alone_upload_comes_first_and_replaces_its_namesake(self) -> None:
        parent = written({"zebra": {"data": ""}, "apple": {"data": ""}})
        new = text("apple", "y", revpos=2)
        assert put_first(parent, new) == (new, parent[0])
        assert without(parent, "zebra") == (parent[1],)
        assert find(parent, "apple") is parent[1]
        assert find(parent, "none") is None

    def test_the_revision_depends_on_name_type_bytes_and_order(self) -> None:
        x = {"content_type": "text/plain", "data": "eA=="}
        y = {"content_type": "text/plain", "data": "eQ=="}

        def rev(member: dict[str, Any]) -> str:
            return revision_hash(False, None, {"n": 1}, hash_tuples(written(member)))

        assert rev({"a": x}) == "ebdd044cb1a5fd3ea87e1254034718ec"
        assert rev({"a": {**x, "content_type": "text/html"}}) == "476a94aae4484b80836a2825285b927d"
        assert rev({"a": x, "b": y}) == "ce1f0133537870365fd1a98ab3e01060"
        assert rev({"b": y, "a": x}) == "972217465d2ae7a28ec9709103763bf1"

    def test_a_type_that_is_a_list_enters_the_revision_as_a_list(self) -> None:
        member = {"x": {"content_type": ["text/plain"], "data": "YWJj"}}
        assert revision_hash(False, None, {}, hash_tuples(written(member))) == "83f9b326809cd022459f04f81efdeefb"


class TestRendering:
    def test_a_stub(self) -> None:
        assert list(render(text("t", "text", 1)).items()) == [
            ("content_type", "text/plain"),
            ("revpos", 1),
            ("digest", "md5-oATRW0SWTtTcT3dYIPDn8A=="),
            ("length", 4),
            ("stub", True),
        ]

    def test_data_is_decoded(self) -> None:
        assert render(text("t", "text"), "data")["data"] == "dGV4dA=="
        assert "length" not in render(text("t", "text"), "data")

    def test_the_encoding_is_shown_if_there_is_one(self) -> None:
        shown = render(text("t", "text"), "follows", encoding_info=True)
        assert (shown["follows"], shown["encoding"], shown["encoded_length"]) == (True, "gzip", 24)
        plain = store("p", "image/png", b"1", SETTINGS)
        assert "encoding" not in render(plain, encoding_info=True)

    def test_what_the_reader_has_already_is_a_stub(self) -> None:
        attachments = (text("three", "3", 3), text("one", "1", 1))
        shown = render_all(attachments, "data", since_pos=2)
        assert "data" in shown["three"]
        assert shown["one"]["stub"] is True
        assert newer_than(attachments, 2) == [attachments[0]]
        assert newer_than(attachments, 3) == []


@pytest.mark.parametrize("encoding", [None, 5, "", "foo", ["gzip"]])
def test_a_stub_of_an_unknown_encoding_breaks_the_request(encoding: Any) -> None:
    with pytest.raises(ServerError) as caught:
        read_attachments({"x": {"stub": True, "encoding": encoding}}, SETTINGS)
    assert caught.value.reason == "badarg"
