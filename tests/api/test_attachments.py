"""Attachments on their own: reading, ranges, uploads, removal."""

from __future__ import annotations

import gzip
import io
import socket
from typing import Any

import pytest

from couchfake.app import CouchFake

TEXT = b"The quick brown fox jumps over the lazy dog.\n" * 20
PNG = b"\x89PNG\r\n" + bytes(range(100))
PLAIN = {"Content-Type": "text/plain"}
UNZIPPED = {"Accept-Encoding": "identity"}


@pytest.fixture
def db(party: Any) -> Any:
    party("PUT", "/db")
    return party


def put(db: Any, path: str, data: Any = PNG, kind: str = "image/png", **headers: str) -> str:
    answer = db("PUT", path, data=data, headers={"Content-Type": kind, **headers})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["rev"])


def read(db: Any, path: str, method: str = "GET", **headers: str) -> Any:
    return db(method, path, headers={**UNZIPPED, **headers})


class TestReading:
    def test_an_attachment_comes_with_its_type_and_its_digest(self, db: Any) -> None:
        put(db, "/db/a/pixel.png")
        answer = read(db, "/db/a/pixel.png")
        assert (answer.status_code, answer.content) == (200, PNG)
        headers = ("Content-Type", "Content-Length", "Accept-Ranges", "Content-Security-Policy", "Cache-Control")
        assert [answer.headers[name] for name in headers] == ["image/png", "106", "bytes", "sandbox", "must-revalidate"]
        digest = db.json("GET", "/db/a")["_attachments"]["pixel.png"]["digest"]
        assert answer.headers["ETag"] == f'"{digest.removeprefix("md5-")}"'

    def test_text_is_sent_gzipped_to_who_takes_it_and_plain_to_others(self, db: Any) -> None:
        put(db, "/db/a/t", TEXT, "text/plain")
        plain = read(db, "/db/a/t")
        assert plain.content == TEXT
        assert "Content-Encoding" not in plain.headers
        zipped = db("GET", "/db/a/t", headers={"Accept-Encoding": "deflate, gzip;q=0.5"}, stream=True)
        raw = zipped.raw.read(decode_content=False)
        assert (zipped.headers["Content-Encoding"], zipped.headers["Accept-Ranges"]) == ("gzip", "none")
        assert int(zipped.headers["Content-Length"]) == len(raw) < len(TEXT)
        assert gzip.decompress(raw) == TEXT
        assert plain.headers["ETag"] == zipped.headers["ETag"]

    @pytest.mark.parametrize(
        ("header", "refusal"),
        [
            ("identity;q=0, gzip;q=0", "500 unacceptable_encoding: None"),
            ("gzip;q=high", "400 bad_request: "),
        ],
    )
    def test_an_encoding_that_cannot_be_had_is_refused(self, db: Any, header: str, refusal: str) -> None:
        put(db, "/db/a/t")
        assert db.refusal("GET", "/db/a/t", headers={"Accept-Encoding": header}) == refusal

    def test_what_is_known_is_not_sent_again(self, db: Any) -> None:
        put(db, "/db/a/x")
        etag = read(db, "/db/a/x").headers["ETag"]
        for method in ("GET", "HEAD"):
            answer = read(db, "/db/a/x", method, **{"If-None-Match": f'"other", W/{etag}'})
            assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", etag)
        assert read(db, "/db/a/x", **{"If-None-Match": "*"}).status_code == 200

    def test_head_tells_the_length_and_sends_nothing(self, db: Any) -> None:
        put(db, "/db/a/t", TEXT, "text/plain")
        answer = read(db, "/db/a/t", "HEAD")
        assert (answer.headers["Content-Length"], answer.content) == (str(len(TEXT)), b"")

    def test_an_older_revision_keeps_what_it_had(self, db: Any) -> None:
        first = put(db, "/db/a/x", b"one")
        second = put(db, f"/db/a/x?rev={first}", b"two")
        third = db.json("DELETE", f"/db/a/x?rev={second}", status=200)["rev"]
        assert read(db, f"/db/a/x?rev={first}").content == b"one"
        assert read(db, f"/db/a/x?rev={second}").content == b"two"
        assert db.refusal("GET", f"/db/a/x?rev={third}") == "404 not_found: Document is missing attachment"
        assert db.refusal("GET", f"/db/a/x?rev={first}&latest=true") == "404 not_found: Document is missing attachment"
        assert db.refusal("GET", "/db/a/x?rev=1-abc") == "404 not_found: missing"

    def test_a_missing_document_and_a_deleted_one_are_distinguished(self, db: Any) -> None:
        assert db.refusal("GET", "/db/a/x") == "404 not_found: missing"
        rev = put(db, "/db/a/x")
        db("DELETE", f"/db/a?rev={rev}")
        assert db.refusal("GET", "/db/a/x") == "404 not_found: deleted"

    def test_the_policy_for_browsers_is_a_setting(self, db: Any) -> None:
        put(db, "/db/a/x")
        db.set("csp", "attachments_enable", "false")
        assert "Content-Security-Policy" not in read(db, "/db/a/x").headers

    def test_a_type_in_other_letters_arrives_as_utf_8(self, db: Any) -> None:
        attachments = {"x": {"content_type": "text/ünïcode", "data": ""}, "y": {"content_type": "a\r\nb", "data": ""}}
        db.json("PUT", "/db/a", {"_attachments": attachments}, 201)
        assert read(db, "/db/a/x").headers["Content-Type"].encode("latin-1") == "text/ünïcode".encode()
        assert read(db, "/db/a/y").status_code == 500


class TestRanges:
    @pytest.mark.parametrize(
        ("asked", "sent", "content"),
        [
            ("bytes=0-3", "bytes 0-3/106", PNG[:4]),
            ("bytes=100-", "bytes 100-105/106", PNG[100:]),
            ("bytes=-5", "bytes 101-105/106", PNG[-5:]),
            ("bytes=100-500", "bytes 100-105/106", PNG[100:]),
        ],
    )
    def test_one_range_is_sent_alone(self, db: Any, asked: str, sent: str, content: bytes) -> None:
        put(db, "/db/a/x")
        answer = read(db, "/db/a/x", Range=asked)
        assert (answer.status_code, answer.headers["Content-Range"], answer.content) == (206, sent, content)
        assert answer.headers["Content-Length"] == str(len(content))
        assert "ETag" in answer.headers

    def test_several_ranges_are_parts_of_one_answer(self, db: Any) -> None:
        put(db, "/db/a/x")
        answer = read(db, "/db/a/x", Range="bytes=1-3,-1")
        assert answer.status_code == 206
        kind, _, boundary = answer.headers["Content-Type"].partition("; boundary=")
        assert kind == "multipart/byteranges"
        head = b"\r\nContent-Type: image/png\r\nContent-Range: bytes %b\r\n\r\n%b\r\n--" + boundary.strip('"').encode()
        parts = head % (b"1-3/106", b"PNG") + head % (b"105-105/106", PNG[-1:])
        assert answer.content == b"--" + boundary.strip('"').encode() + parts + b"--"

    @pytest.mark.parametrize("kind", ["image/png", "text/plain"])
    def test_a_range_beyond_the_end_is_refused_even_where_none_is_sent(self, db: Any, kind: str) -> None:
        put(db, "/db/a/x", kind=kind)
        refusal = "416 requested_range_not_satisfiable: Requested range not satisfiable"
        assert db.refusal("GET", "/db/a/x", headers={**UNZIPPED, "Range": "bytes=106-"}) == refusal

    def test_of_gzipped_text_all_is_sent(self, db: Any) -> None:
        put(db, "/db/a/t", TEXT, "text/plain")
        answer = read(db, "/db/a/t", Range="bytes=0-3")
        assert (answer.status_code, answer.content) == (200, TEXT)


class TestUploading:
    def test_an_upload_makes_the_document_and_comes_first_in_it(self, db: Any) -> None:
        answer = db("PUT", "/db/a/one.txt", data=b"1", headers=PLAIN)
        assert answer.headers["Location"] == db.fake.url + "db/a/one.txt"
        assert answer.json() == {"ok": True, "id": "a", "rev": answer.json()["rev"]}
        put(db, f"/db/a/two.txt?rev={answer.json()['rev']}", b"2")
        attachments = db.json("GET", "/db/a")["_attachments"]
        assert [(name, one["revpos"]) for name, one in attachments.items()] == [("two.txt", 2), ("one.txt", 1)]

    def test_the_revision_may_stand_in_the_query_or_in_if_match(self, db: Any) -> None:
        rev = put(db, "/db/a/x")
        rev = put(db, "/db/a/x", **{"If-Match": f'"{rev}"'})
        rev = put(db, f"/db/a/x?rev={rev}", **{"If-Match": rev})
        differs = db.refusal("PUT", f"/db/a/x?rev={rev}", data=b"", headers={"If-Match": "1-a"})
        assert differs == "400 bad_request: Document rev and etag have different values"

    def test_a_stale_revision_conflicts_and_an_unknown_one_is_missing(self, db: Any) -> None:
        rev = put(db, "/db/a/x")
        put(db, f"/db/a/x?rev={rev}", b"new")
        conflict, missing = "409 conflict: Document update conflict.", "409 not_found: missing_rev"
        for method in ("PUT", "DELETE"):
            assert db.refusal(method, f"/db/a/x?rev={rev}") == conflict
            assert db.refusal(method, "/db/a/x") == conflict
            assert db.refusal(method, "/db/a/x?rev=1-abc") == missing
            assert db.refusal(method, "/db/new/x?rev=1-abc") == missing

    def test_the_body_of_the_document_stays(self, db: Any) -> None:
        rev = db.json("PUT", "/db/a", {"n": [1, {"deep": True}]})["rev"]
        rev = put(db, f"/db/a/x?rev={rev}")
        db.json("DELETE", f"/db/a/x?rev={rev}", status=200)
        document = db.json("GET", "/db/a")
        assert (document["n"], "_attachments" in document) == ([1, {"deep": True}], False)

    def test_an_upload_revives_a_deleted_document_with_its_revision_following_the_tombstone(self, db: Any) -> None:
        inline = {"x": {"content_type": "text/plain", "data": "MQ=="}}
        rev = db.json("PUT", "/db/b", {"_attachments": inline})["rev"]
        stub = {"_rev": rev, "_deleted": True, "_attachments": {"x": {"stub": True}}}
        assert db.json("PUT", "/db/b", stub)["rev"] == "2-41b87a2b1f39df3d6763b5f173188ba1"
        # As the real server has it: of the attachments no more than the number is in the hash.
        assert put(db, "/db/b/y", b"revived without rev", "text/plain") == "3-eba6c64795eaeab94159e75fb340ecde"

    def test_bytes_that_come_gzipped_are_kept_as_they_are(self, db: Any) -> None:
        zipped = gzip.compress(TEXT, mtime=0)
        put(db, "/db/a/t", zipped, "image/png", **{"Content-Encoding": "GZIP"})
        shown = db.json("GET", "/db/a?att_encoding_info=true")["_attachments"]["t"]
        assert (shown["length"], shown["encoding"], shown["encoded_length"]) == (len(zipped), "gzip", len(zipped))
        answer = read(db, "/db/a/t")
        assert answer.content == TEXT
        assert "Content-Length" not in answer.headers
        wrong = db.refusal("PUT", "/db/b/t", data=zipped, headers={"Content-Encoding": "br"})
        assert wrong == "415 bad_content_type: Only gzip and identity content-encodings are supported"

    def test_without_a_type_it_is_bytes(self, db: Any) -> None:
        db("PUT", "/db/a/x", data=b"1")
        assert read(db, "/db/a/x").headers["Content-Type"] == "application/octet-stream"

    def test_a_stream_of_unknown_length_is_taken(self, db: Any) -> None:
        put(db, "/db/a/x", iter([b"hel", b"lo"]))
        assert read(db, "/db/a/x").content == b"hello"

    @pytest.mark.parametrize(
        ("path", "location", "name"),
        [
            ("/db/a/dir/sub/f", "a/dir%2Fsub%2Ff", "dir/sub/f"),
            ("/db/a/dir%2Ff", "a/dir%2Ff", "dir/f"),
            ("/db/a%20b/%C3%BC", "a%20b/%C3%BC", "ü"),
            ("/db/a/100%25+x", "a/100%25%20x", "100% x"),
            ("/db//a//x/", "a/x", "x"),
            ("/db/_design/d/x", "_design%2Fd/x", "x"),
            ("/db/_design%2Fd/x", "_design%2Fd/x", "x"),
            ("/db/a/x/_y", "a/x%2F_y", "x/_y"),
        ],
    )
    def test_names_are_paths_and_paths_are_names(self, db: Any, path: str, location: str, name: str) -> None:
        answer = db("PUT", path, data=b"1")
        assert answer.headers["Location"] == db.fake.url + "db/" + location
        assert list(db.json("GET", f"/db/{location.partition('/')[0]}".replace("%2F", "/"))["_attachments"]) == [name]
        assert read(db, path.replace("_design%2F", "_design/")).content == b"1"

    def test_a_design_document_with_its_slash_escaped_is_found_elsewhere(self, db: Any) -> None:
        put(db, "/db/_design/d/x")
        answer = db("GET", "/db/_design%2Fd/x")
        assert (answer.status_code, answer.headers["Location"]) == (301, db.fake.url + "db/_design/d/x")

    @pytest.mark.parametrize(
        ("path", "refusal"),
        [
            ("/db/a/_x", "400 bad_request: Attachment name '_x' starts with prohibited character '_'"),
            ("/db/a/%FF", "400 bad_request: Attachment name is not UTF-8 encoded"),
            ("/db/_a/x", "400 illegal_docid: Only reserved document ids may start with underscore."),
            ("/db/_local/a/x", "400 bad_request: _local documents do not accept attachments."),
            ("/db/a/x?rev=1", "400 bad_request: Invalid rev format"),
            ("/db/_design/d/_what", "404 not_found: missing"),
            ("/nodb/a/x", "404 not_found: Database does not exist."),
            ("/db/a/x?w=x", "500 unknown_error: badarg"),
        ],
    )
    def test_what_cannot_be_uploaded(self, db: Any, path: str, refusal: str) -> None:
        assert db.refusal("PUT", path, data=b"1") == refusal
        assert db.json("GET", "/db")["doc_count"] == 0

    def test_more_copies_than_there_are_nodes_are_accepted_only(self, db: Any) -> None:
        assert db("PUT", "/db/a/x?w=2", data=b"1").status_code == 202
        assert db("PUT", "/db/b/x?w=1", data=b"1").status_code == 201

    def test_a_limit_counts_the_bytes_as_sent(self, db: Any) -> None:
        db.set("couchdb", "max_attachment_size", "5")
        put(db, "/db/a/x", b"12345")
        assert db.refusal("PUT", "/db/b/x", data=b"123456") == "413 attachment_too_large: x"
        assert db.refusal("PUT", "/db/b/x", data=iter([b"123", b"456"])) == "413 attachment_too_large: x"

    def test_an_attachment_that_is_not_there_cannot_be_removed(self, db: Any) -> None:
        rev = put(db, "/db/a/x")
        missing = "404 not_found: Document is missing attachment"
        assert db.refusal("DELETE", "/db/a/y") == db.refusal("DELETE", f"/db/a/y?rev={rev}") == missing

    def test_other_methods_get_the_list_of_allowed_ones(self, db: Any) -> None:
        put(db, "/db/a/x")
        answer = db("COPY", "/db/a/x", headers={"Destination": "y"})
        assert (answer.status_code, answer.headers["Allow"]) == (405, "DELETE,GET,HEAD,PUT")


class TestVanishingClients:
    def test_an_upload_that_breaks_off_leaves_nothing(self) -> None:
        def broken() -> Any:
            yield b"half"
            raise OSError("the disk is gone")

        fake = CouchFake()
        with fake.session() as session:
            session.put(fake.url + "db")
            with pytest.raises(OSError, match="the disk is gone"):
                session.put(fake.url + "db/a/x", data=broken())
            assert session.get(fake.url + "db").json()["doc_count"] == 0

    @pytest.mark.parametrize("framing", [b"Content-Length: 10\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\na\r\n"])
    @pytest.mark.parametrize("target", [b"/db/a/x", b"/db/a"])
    def test_a_client_that_hangs_up_leaves_nothing(self, framing: bytes, target: bytes) -> None:
        fake = CouchFake()
        fake.node.create_database("db")
        with fake:
            port = int(fake.url.rstrip("/").rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                client.sendall(b"PUT " + target + b" HTTP/1.1\r\nHost: x\r\n" + framing + b"{}")
                client.shutdown(socket.SHUT_WR)
                answer = b"".join(iter(lambda: client.recv(65536), b""))
        assert not answer or answer.startswith(b"HTTP/1.1 400 ")
        assert fake.node.database("db").update_seq == 0

    def test_a_body_shorter_than_announced_is_refused(self) -> None:
        fake = CouchFake()
        fake.node.create_database("db")
        environ = {
            "REQUEST_METHOD": "PUT", "REQUEST_URI": "/db/a/x", "CONTENT_LENGTH": "10", "wsgi.input": io.BytesIO(b"123"),
            "wsgi.url_scheme": "http", "SERVER_NAME": "x", "SERVER_PORT": "80",
        }  # fmt: skip
        statuses: list[str] = []
        list(fake.wsgi(environ, lambda status, headers: statuses.append(status[:3])))
        assert statuses == ["400"]
        assert fake.node.database("db").update_seq == 0
