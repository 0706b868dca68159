"""The client on a socket: retries, stale connections, time-outs, streams."""

from __future__ import annotations

import errno
import gc
import gzip
import io
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from urllib3 import HTTPConnectionPool

from couchdb_client import Database, Server, Session
from couchdb_client.direct import KeptConnections
from couchdb_client.http import ConnectionFailed, RedirectLimit, TimedOut


class Pipe:
    """Something that can be read, and nothing else."""

    def __init__(self, *pieces: str | bytes) -> None:
        self._pieces = list(pieces)

    def read(self, size: int) -> str | bytes:
        return self._pieces.pop(0) if self._pieces else b""


def answers(*bodies: bytes) -> Any:
    """A script: answer that many requests, then wait for the client to leave."""

    def play(connection: Any) -> None:
        for body in bodies:
            connection.request()
            connection.answer(body)
        connection.is_left()

    return play


def breaks_off(connection: Any) -> None:
    """A script: take a request and close without an answer."""
    connection.request()


def is_silent(connection: Any) -> None:
    """A script: take a request and never answer."""
    connection.request()
    connection.is_left()


def test_a_request_whose_connection_broke_is_repeated(serve: Any) -> None:
    played = serve(breaks_off, answers(b'{"version":"3.5.0"}'))
    assert Server(played.url).version() == "3.5.0"
    assert played.connections == 2


def test_a_post_is_never_repeated(serve: Any) -> None:
    played = serve(breaks_off, answers(b'{"id":"a","rev":"1-a"}'))
    with pytest.raises(ConnectionFailed) as caught:
        Database(played.url + "db").save({"type": "person"})
    assert caught.value.errno == errno.ECONNRESET
    assert played.connections == 1


def test_an_update_function_is_never_called_twice(serve: Any) -> None:
    played = serve(breaks_off, answers(b"done"))
    with pytest.raises(ConnectionFailed):
        Database(played.url + "db").update_doc("app/count", "counter")
    assert played.connections == 1


def test_a_request_is_repeated_as_often_as_the_session_has_delays(serve: Any) -> None:
    played = serve(breaks_off, breaks_off, breaks_off, answers(b"{}"))
    with pytest.raises(ConnectionFailed):
        Server(played.url, session=Session(retry_delays=[0, 0])).version()
    assert played.connections == 3


def test_a_connection_that_the_server_closed_meanwhile_is_not_noticed_even_by_a_post(serve: Any) -> None:
    left = threading.Event()

    def play(connection: Any) -> None:
        connection.request()
        connection.answer(b'{"db_name":"db"}')
        connection.close()
        left.set()

    played = serve(play, answers(b'{"ok":true,"id":"a","rev":"1-a"}'))
    db = Database(played.url + "db", session=Session(retry_delays=[]))
    db.info()
    left.wait(20)
    assert db.save({"n": 1}) == ("a", "1-a")
    assert played.connections == 2


def test_requests_share_a_connection(serve: Any) -> None:
    played = serve(answers(b'{"version":"3.5.0"}', b'{"uuids":["u"]}', b'["a","b"]'))
    server = Server(played.url)
    assert (server.version(), server.uuids(), len(server)) == ("3.5.0", ["u"], 2)
    assert played.connections == 1


def test_an_upload_from_a_file_starts_again_when_it_is_repeated(serve: Any) -> None:
    received = []

    def play(connection: Any) -> None:
        received.append(connection.request())
        connection.answer(b'{"rev":"2-b"}', "201 Created")
        connection.is_left()

    played = serve(breaks_off, play)
    doc = {"_id": "a", "_rev": "1-a"}
    file = io.BytesIO(b"skipped" + b"x" * 100_000)
    file.seek(7)
    Database(played.url + "db").put_attachment(doc, file, "x.bin")
    line, headers, body = received[0]
    assert line == "PUT /db/a/x.bin?rev=1-a HTTP/1.1"
    assert headers["content-length"] == "100000"
    assert body == b"x" * 100_000
    assert doc["_rev"] == "2-b"


def test_an_upload_that_cannot_be_read_again_is_not_repeated(serve: Any) -> None:
    played = serve(breaks_off, answers(b'{"rev":"2-b"}'))
    with pytest.raises(ConnectionFailed):
        Database(played.url + "db").put_attachment({"_id": "a", "_rev": "1-a"}, Pipe(b"one", b"two"), "x.bin")
    assert played.connections == 1


def test_a_stream_of_unknown_length_is_sent_in_chunks(serve: Any) -> None:
    received = []

    def play(connection: Any) -> None:
        received.append(connection.request())
        connection.answer(b'{"rev":"2-b"}', "201 Created")

    played = serve(play)
    Database(played.url + "db").put_attachment({"_id": "a", "_rev": "1-a"}, Pipe("héllo ", "world"), "x.txt")
    _, headers, body = received[0]
    assert headers["transfer-encoding"] == "chunked"
    assert headers["content-type"] == "text/plain"
    assert body.decode() == "héllo world"


def test_a_server_that_is_not_there_is_false_and_raises_an_error_of_the_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    server = Server(f"http://127.0.0.1:{port}/")
    assert not server
    assert "db" not in server
    with pytest.raises(ConnectionError) as caught:
        server.version()
    assert caught.value.errno == errno.ECONNREFUSED
    assert isinstance(caught.value, requests.ConnectionError)


def test_a_silent_server_is_given_up_after_the_timeout(serve: Any) -> None:
    played = serve(is_silent, is_silent)
    server = Server(played.url, session=Session(timeout=0.05))
    with pytest.raises(TimeoutError):
        server.version()
    with pytest.raises(requests.Timeout):
        server.version()


def test_a_timeout_is_repeated_only_if_it_is_among_the_retryable_errors(serve: Any) -> None:
    played = serve(is_silent, is_silent, is_silent)
    with pytest.raises(TimedOut):
        Server(played.url, session=Session(None, 0.05)).version()
    assert played.connections == 1
    with pytest.raises(TimedOut):
        Server(played.url, session=Session(timeout=0.05, retryable_errors=["timed out"])).version()
    assert played.connections == 3


def test_a_body_that_stops_coming_times_out(serve: Any) -> None:
    def play(connection: Any) -> None:
        connection.request()
        connection.begin_chunked()
        connection.chunk(b'{"results":[')
        connection.is_left()

    played = serve(play)
    _, _, body = Session(timeout=0.1).request("GET", played.url + "db/_changes?feed=longpoll")
    assert body.read(12) == b'{"results":['
    with pytest.raises(TimeoutError):
        body.read()
    body.close()


def test_a_body_that_breaks_off_is_an_error_and_no_short_answer(serve: Any) -> None:
    def play(connection: Any) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\nhalf")

    played = serve(play)
    attachment = Database(played.url + "db").get_attachment("a", "x.txt")
    with pytest.raises(ConnectionFailed):
        attachment.read()


def in_chunks(*chunks: bytes) -> Any:
    """A script: answer one request with JSON in chunks, and the next with a short list."""

    def play(connection: Any) -> None:
        connection.request()
        connection.begin_chunked()
        for chunk in (*chunks, b""):
            connection.chunk(chunk)
        connection.request()
        connection.begin_chunked()
        connection.chunk(b"[1]")
        connection.chunk(b"")
        connection.is_left()

    return play


@pytest.mark.parametrize("size", [1, 65_534, 65_536, 70_000, 300_000])
def test_a_json_answer_of_any_length_is_read_whole_and_the_next_is_another(serve: Any, size: int) -> None:
    text = "ü" * (size // 2) + "x" * (size % 2)
    body = f'"{text}"'.encode()
    whole = serve(answers(body, b"[1]"))
    pieces = serve(in_chunks(*(body[start : start + 50_001] for start in range(0, len(body), 50_001))))
    for played in (whole, pieces):
        resource = Database(played.url + "db").resource
        assert resource.get_json()[2] == text
        assert resource.get_json()[2] == [1]
        assert played.connections == 1


def breaks_off_in(head: bytes) -> Any:
    def play(connection: Any) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + head + b"[1]")

    return play


@pytest.mark.parametrize("head", [b"Content-Length: 100000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n1000\r\n"])
def test_a_json_answer_that_breaks_off_is_requested_again_and_else_an_error(serve: Any, head: bytes) -> None:
    resource = Database(serve(breaks_off_in(head), answers(b"[2]")).url + "db").resource
    assert resource.get_json()[2] == [2]
    resource = Database(serve(breaks_off_in(head), breaks_off_in(head)).url + "db").resource
    with pytest.raises(ConnectionResetError):
        resource.get_json()


@pytest.mark.parametrize("padding", [0, 100_000])
def test_a_json_answer_that_is_not_utf_8_is_an_error_and_its_connection_goes_on(serve: Any, padding: int) -> None:
    resource = Database(serve(answers(b'"\xff"' + b" " * padding, b"[1]")).url + "db").resource
    with pytest.raises(UnicodeDecodeError):
        resource.get_json()
    assert resource.get_json()[2] == [1]


def test_a_buffer_is_used_by_one_answer_at_a_time_and_kept_unless_it_is_huge() -> None:
    kept = KeptConnections(HTTPConnectionPool("couch.example"))
    first = kept.take_buffer()
    assert kept.take_buffer() is not first
    kept.give_buffer_back(first)
    assert kept.take_buffer() is first
    assert kept.take_buffer() is not first
    kept.give_buffer_back(bytearray(5_000_000))
    assert len(kept.take_buffer()) < 5_000_000


def test_threads_read_long_answers_at_once(serve: Any) -> None:
    texts = [letter * 200_000 for letter in "abcd"]
    together = threading.Barrier(len(texts))

    def play(connection: Any) -> None:
        line, _, _ = connection.request()
        together.wait(20)
        connection.begin_chunked()
        for chunk in (b'"', line.split("?n=")[1][0].encode() * 200_000, b'"', b""):
            connection.chunk(chunk)
        connection.is_left()

    resource = Database(serve(*[play] * len(texts)).url + "db").resource
    with ThreadPoolExecutor(len(texts)) as pool:
        assert list(pool.map(lambda text: resource.get_json(n=text[0])[2], texts)) == texts


def test_an_attachment_that_is_read_by_its_lines_gives_its_connection_back(serve: Any) -> None:
    def play(connection: Any) -> None:
        connection.request()
        connection.answer(b"line\n" * 20_000, headers="Content-Type: text/plain\r\n")
        answers(b"[1]")(connection)

    played = serve(play)
    db = Database(played.url + "db")
    assert list(db.get_attachment("a", "x.txt")) == [b"line\n"] * 20_000
    assert db.resource.get_json()[2] == [1]
    assert played.connections == 1


def test_a_large_attachment_is_read_while_it_arrives(serve: Any) -> None:
    go_on = threading.Event()

    def play(connection: Any) -> None:
        connection.request()
        connection.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 200000\r\n\r\n" + b"a" * 100_000
        )
        go_on.wait(20)
        connection.send(b"b" * 100_000)
        connection.is_left()

    played = serve(play)
    with Database(played.url + "db").get_attachment("a", "x.txt") as attachment:
        assert attachment.read(10) == b"a" * 10
        go_on.set()
        assert attachment.read() == b"a" * 99_990 + b"b" * 100_000
        assert attachment.read() == b""


@pytest.mark.parametrize("sizes", [[-1], [100_000, 100_000, -1], [10, 65_536, 100_000, 200_000], [5, 7, None]])
@pytest.mark.parametrize("chunked", [False, True])
def test_an_attachment_is_read_in_the_sizes_that_were_requested(
    serve: Any, chunked: bool, sizes: list[int | None]
) -> None:
    content = bytes(range(250)) * 1000

    def play(connection: Any) -> None:
        connection.request()
        if chunked:
            connection.begin_chunked("application/octet-stream")
            for start in range(0, len(content), 30_011):
                connection.chunk(content[start : start + 30_011])
            connection.chunk(b"")
        else:
            connection.answer(content, headers="Content-Type: application/octet-stream\r\n")
        answers(b"[1]")(connection)

    played = serve(play)
    db = Database(played.url + "db")
    attachment = db.get_attachment("a", "x.bin")
    start = 0
    for size in sizes:
        expected = content[start:] if size is None or size < 0 else content[start : start + size]
        assert attachment.read(size) == expected
        start += len(expected)
    assert attachment.read() == content[start:]
    assert attachment.read(1) == attachment.read(100_000) == b""
    assert db.resource.get_json()[2] == [1]  # over the same connection
    assert played.connections == 1


@pytest.mark.parametrize("size", [1000, 100_000, -1])
@pytest.mark.parametrize("head", [b"Content-Length: 100000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n186a0\r\n"])
def test_an_attachment_that_breaks_off_is_an_error_however_it_is_read(serve: Any, head: bytes, size: int) -> None:
    def play(connection: Any) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" + head + b"half" * 200)

    attachment = Database(serve(play).url + "db").get_attachment("a", "x.txt")
    with pytest.raises(ConnectionResetError):
        attachment.read(size)


def test_closing_an_attachment_early_closes_its_connection(serve: Any) -> None:
    left = threading.Event()

    def play(connection: Any) -> None:
        connection.request()
        connection.begin_chunked("text/plain")
        connection.chunk(b"first\nsecond\n")
        connection.is_left()
        left.set()

    played = serve(play)
    attachment = Database(played.url + "db").get_attachment("a", "x.txt")
    assert next(iter(attachment)) == b"first\n"
    attachment.close()
    assert left.wait(20)
    assert attachment.closed


def test_a_forgotten_attachment_leaves_no_open_socket(serve: Any) -> None:
    left = threading.Event()

    def play(connection: Any) -> None:
        connection.request()
        try:
            connection.begin_chunked("text/plain")
            connection.chunk(b"some")
            connection.is_left()
        finally:  # an error of the network: the client has left already
            left.set()

    played = serve(play)
    Database(played.url + "db").get_attachment("a", "x.txt")
    gc.collect()  # a ResourceWarning here would be an error
    assert left.wait(20)


def test_a_continuous_feed_gives_each_change_as_it_comes(serve: Any) -> None:
    seen = threading.Event()

    def play(connection: Any) -> None:
        line, _, _ = connection.request()
        assert line == "GET /db/_changes?feed=continuous&heartbeat=100&include_docs=true HTTP/1.1"
        connection.begin_chunked()
        connection.chunk(b'{"seq":"1-a","id":"a","cha')
        connection.chunk(b'nges":[]}\n\n')
        seen.wait(20)
        connection.chunk(b"\n")
        connection.chunk(b'{"seq":"2-b","id":"b","changes":[]}\n{"last_seq":"2-b","pending":0}\n')
        connection.send(b"0\r\n\r\n")
        assert connection.request()[0] == "GET / HTTP/1.1"  # the connection is used again
        connection.answer(b'{"version":"3.5.0"}')

    played = serve(play)
    server = Server(played.url)
    feed = Database(server.resource("db")).changes(feed="continuous", heartbeat=100, include_docs=True)
    assert next(feed)["id"] == "a"
    seen.set()
    assert next(feed)["id"] == "b"
    assert next(feed) == {"last_seq": "2-b", "pending": 0}
    assert server.version() == "3.5.0"
    assert list(feed) == []
    assert played.errors == []
    assert played.connections == 1


def test_closing_a_continuous_feed_closes_its_connection(serve: Any) -> None:
    left = threading.Event()

    def play(connection: Any) -> None:
        connection.request()
        connection.begin_chunked()
        connection.chunk(b'{"seq":"1-a","id":"a","changes":[]}\n')
        connection.is_left()
        left.set()

    feed = Database(serve(play).url + "db").changes(feed="continuous")
    next(feed)
    feed.close()
    assert left.wait(20)


def test_a_continuous_feed_may_be_silent_for_as_long_as_it_asked_for(serve: Any) -> None:
    asleep = threading.Event()

    def play(connection: Any) -> None:
        connection.request()
        connection.begin_chunked()
        asleep.wait(0.3)
        connection.chunk(b'{"last_seq":0}\n')
        connection.send(b"0\r\n\r\n")
        connection.is_left()

    db = Database(serve(play).url + "db", session=Session(timeout=0.1))
    assert [dict(line) for line in db.changes(feed="continuous", timeout=5000)] == [{"last_seq": 0}]


def test_a_feed_whose_end_is_the_end_of_the_connection_is_read_as_it_comes(serve: Any) -> None:
    seen = threading.Event()

    def play(connection: Any) -> None:
        connection.request()
        connection.send(b'HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{"seq":1,"id":"a"}\n')
        seen.wait(20)
        connection.send(b'{"last_seq":1}\n')

    feed = Database(serve(play).url + "db").changes(feed="continuous")
    assert next(feed)["id"] == "a"
    seen.set()
    assert [dict(line) for line in feed] == [{"last_seq": 1}]


def test_a_feed_that_breaks_off_raises_an_error_of_the_network(serve: Any) -> None:
    def play(connection: Any) -> None:
        connection.request()
        connection.begin_chunked()
        connection.chunk(b'{"seq":"1-a","id":"a","changes":[]}\n')

    feed = Database(serve(play).url + "db").changes(feed="continuous")
    assert next(feed)["id"] == "a"
    with pytest.raises(ConnectionFailed):
        next(feed)


def test_an_eventsource_feed_gives_the_changes_of_its_events(serve: Any) -> None:
    def play(connection: Any) -> None:
        connection.request()
        connection.begin_chunked("text/event-stream")
        connection.chunk(b'data: {"seq":"1-a","id":"a"}\nid: 1-a\n\n')
        connection.chunk(b"event: heartbeat\ndata: \n\n")
        connection.chunk(b'data: {"seq":"2-b","id":"b"}\nid: 2-b\n\n')
        connection.send(b"0\r\n\r\n")

    feed = Database(serve(play).url + "db").changes(feed="eventsource")
    assert [change["id"] for change in feed] == ["a", "b"]


def test_a_redirected_read_is_followed_as_often_as_the_session_allows(serve: Any) -> None:
    def play(connection: Any) -> None:
        while connection.request()[0]:
            connection.answer(b"", "302 Found", "Location: /again\r\n")

    played = serve(play)
    with pytest.raises(RedirectLimit):
        Server(played.url, session=Session(max_redirects=3)).version()


def test_a_redirect_to_see_other_is_read(serve: Any) -> None:
    lines = []

    def play(connection: Any) -> None:
        lines.append(connection.request()[0])
        connection.answer(b"", "303 See Other", "Location: /db/_design/app/_show/done\r\n")
        lines.append(connection.request()[0])
        connection.answer(b"done", headers="Content-Type: text/plain\r\n")

    _, body = Database(serve(play).url + "db").update_doc("app/form", body="x=1")
    assert body.read() == b"done"
    assert lines == ["POST /db/_design/app/_update/form HTTP/1.1", "GET /db/_design/app/_show/done HTTP/1.1"]


def test_any_other_redirect_of_a_write_is_its_answer(serve: Any) -> None:
    def play(connection: Any) -> None:
        connection.request()
        connection.answer(b"moved", "302 Found", "Content-Type: text/plain\r\nLocation: /elsewhere\r\n")

    headers, body = Database(serve(play).url + "db").update_doc("app/form", body="x=1")
    assert (headers["location"], body.read()) == ("/elsewhere", b"moved")


def test_after_a_short_answer_that_breaks_off_the_request_is_repeated(serve: Any) -> None:
    def breaks_off_within(connection: Any) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n" + b'{"vers')

    played = serve(breaks_off_within, answers(b'{"version":"3.5.0"}'))
    assert Server(played.url).version() == "3.5.0"
    assert played.connections == 2


def test_an_answer_that_is_compressed_is_read_decoded(serve: Any) -> None:
    def play(connection: Any) -> None:
        connection.request()
        fields = "Content-Type: application/json\r\nContent-Encoding: gzip\r\n"
        connection.answer(gzip.compress(b'{"version":"3.5.0"}'), headers=fields)
        connection.request()
        connection.answer(gzip.compress(b"x" * 100_000), headers="Content-Encoding: gzip\r\n")

    played = serve(play)
    server = Server(played.url)
    assert server.version() == "3.5.0"
    assert server.resource.get("large")[2].read() == b"x" * 100_000
    assert played.connections == 1


def test_a_redirect_whose_body_is_not_read_leaves_no_open_connection(serve: Any) -> None:
    left: list[bool] = []
    done = threading.Event()

    def redirects(connection: Any) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /moved\r\nContent-Length: 100000\r\n\r\n")
        left.append(connection.is_left())
        done.set()

    played = serve(redirects, answers(b"there"))
    assert Server(played.url).resource.get("here")[2].read() == b"there"
    assert done.wait(20)
    assert left == [True]
