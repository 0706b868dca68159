"""The in-process transport: requests without a socket, answers as over one."""

from __future__ import annotations

import gzip
import io
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from couchfake.transports.client import Client
from couchfake.transports.in_process import BASE_URL, session


class Recorder:
    """An application that records the environment of its last request and gives a prepared answer."""

    def __init__(self) -> None:
        self.environ: dict[str, Any] = {}
        self.body = b""
        self.status = "200 OK"
        self.headers: list[tuple[str, str]] = [("Content-Type", "application/json")]
        self.answer: Any = [b'{"ok":true}']

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.environ = environ
        self.body = environ["wsgi.input"].read()
        start_response(self.status, self.headers)
        return self.answer(environ) if callable(self.answer) else self.answer


@pytest.fixture
def application() -> Recorder:
    return Recorder()


@pytest.fixture
def client(application: Recorder) -> Iterator[requests.Session]:
    with session(application) as made:
        yield made


def test_an_answer_looks_as_over_a_socket(application: Recorder, client: requests.Session) -> None:
    answer = client.get(BASE_URL + "/db/doc")
    assert (answer.status_code, answer.reason, answer.json()) == (200, "OK", {"ok": True})
    assert answer.headers["content-length"] == "11"
    assert "Date" in answer.headers
    assert answer.url == BASE_URL + "/db/doc"
    assert answer.elapsed.total_seconds() > 0
    assert answer.raw.status == 200
    assert answer.raw.headers.getlist("content-type") == ["application/json"]


@pytest.mark.parametrize("name", ["Date", "date"])
def test_the_date_of_an_application_stays(name: str, application: Recorder, client: requests.Session) -> None:
    application.headers.append((name, "Thu, 01 Jan 1970 00:00:00 GMT"))
    assert client.get(BASE_URL + "/").headers["Date"] == "Thu, 01 Jan 1970 00:00:00 GMT"


def test_the_path_keeps_its_escapes(application: Recorder, client: requests.Session) -> None:
    client.get(BASE_URL + "/db/a%2Fb%20c/d?key=%22x%22")
    assert application.environ["REQUEST_URI"] == "/db/a%2Fb%20c/d?key=%22x%22"
    assert application.environ["PATH_INFO"] == "/db/a/b c/d"
    assert application.environ["QUERY_STRING"] == "key=%22x%22"


@pytest.mark.parametrize(
    "path",
    [
        "/db/a%2fb", "/db/%7E", "/db/%41", "/db/é", "/db/../x", "/db/./x", "/db/a b", "/db//x", "/", "/db/%zz",
        "/db/a|b", "/db?x=%2F%41", "/db?x=a b", "/db#frag", "/db/..", "/db/...", "?x=1", "/db?a=../b", "/db/%5B%5D",
        "/db/[x]", "/%2E%2E/x", "//x//y",
    ],
)  # fmt: skip
def test_urls_are_prepared_as_requests_prepares_them(path: str, client: requests.Session) -> None:
    plain = requests.Session()
    plain.trust_env = False
    request = requests.Request("GET", BASE_URL + path)
    assert client.prepare_request(request).url == plain.prepare_request(request).url


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("get", {}),
        ("GET", {"params": {"key": '"a b"'}}),
        ("POST", {}),
        ("PUT", {"json": {"ä": [1]}}),
        ("PUT", {"json": []}),
        ("POST", {"data": {"name": "a b"}}),
        ("PUT", {"data": "tüxt", "headers": {"X-A": "1", "Accept": None}}),
        ("PUT", {"data": b"", "headers": {"Content-Type": "text/plain"}}),
        ("DELETE", {"auth": ("ädm", "p:s")}),
        ("GET", {"cookies": {"a": "b"}}),
        ("POST", {"files": {"f": ("n", b"x")}}),
        ("GET", {"headers": {"X": b"bytes"}}),
    ],
)
def test_requests_are_prepared_as_requests_prepares_them(
    method: str, arguments: dict[str, Any], client: requests.Session
) -> None:
    plain = requests.Session()
    plain.trust_env = False
    for maker in (plain, client):
        maker.headers["X-Session"] = "s"
    url = "http://user:pw@couchfake.invalid/db" if method == "get" else BASE_URL + "/db/x"
    prepared, expected = (
        maker.prepare_request(requests.Request(method, url, **arguments)) for maker in (client, plain)
    )
    assert (prepared.method, prepared.url) == (expected.method, expected.url)
    if "files" in arguments:
        assert set(prepared.headers) == set(expected.headers)
    else:
        assert dict(prepared.headers.lower_items()) == dict(expected.headers.lower_items())
        assert prepared.body == expected.body


def test_an_invalid_header_is_refused_as_by_requests(client: requests.Session) -> None:
    with pytest.raises(requests.exceptions.InvalidHeader):
        client.get(BASE_URL, headers={"X": "a\nb"})
    client.headers["X"] = "a\nb"
    with pytest.raises(requests.exceptions.InvalidHeader):
        client.get(BASE_URL)


def test_headers_and_login_arrive(application: Recorder, client: requests.Session) -> None:
    client.auth = ("adm", "pass")
    client.get(BASE_URL + "/", headers={"X-Couch-Full-Commit": "true", "Content-Type": "text/plain"})
    assert application.environ["HTTP_X_COUCH_FULL_COMMIT"] == "true"
    assert application.environ["CONTENT_TYPE"] == "text/plain"
    assert application.environ["HTTP_AUTHORIZATION"] == "Basic YWRtOnBhc3M="
    assert application.environ["HTTP_HOST"] == "couchfake.invalid"


def test_a_login_in_the_url_is_used(application: Recorder, client: requests.Session) -> None:
    client.get("http://adm:pass@couchfake.invalid/db")
    assert application.environ["HTTP_AUTHORIZATION"] == "Basic YWRtOnBhc3M="
    assert application.environ["REQUEST_URI"] == "/db"
    assert application.environ["HTTP_HOST"] == "couchfake.invalid"


@pytest.mark.parametrize(
    "body",
    [b"some bytes", "some bytes", io.BytesIO(b"some bytes"), iter([b"some ", b"", b"bytes"]), [("some", "bytes")]],
    ids=["bytes", "text", "file", "generator", "form"],
)
def test_bodies_of_every_kind_arrive(body: Any, application: Recorder, client: requests.Session) -> None:
    client.put(BASE_URL + "/db/doc", data=body)
    assert application.body == (b"some=bytes" if isinstance(body, list) else b"some bytes")


def test_a_file_is_sent_from_its_current_position(application: Recorder, client: requests.Session) -> None:
    file = io.BytesIO(b"0123456789")
    file.seek(4)
    client.put(BASE_URL + "/db/doc", data=file)
    assert application.body == b"456789"
    assert application.environ["CONTENT_LENGTH"] == "6"


def test_a_failing_generator_fails_the_request_and_writes_nothing(client: requests.Session) -> None:
    def body() -> Iterator[bytes]:
        yield b"half"
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        client.put(BASE_URL + "/db/doc", data=body())


def test_a_body_shorter_than_its_length_is_a_broken_connection(client: requests.Session) -> None:
    request = client.prepare_request(requests.Request("PUT", BASE_URL + "/db/doc", data=b"abc"))
    request.headers["Content-Length"] = "10"
    with pytest.raises(requests.ConnectionError):
        client.send(request)


def test_head_has_headers_and_no_body(application: Recorder, client: requests.Session) -> None:
    application.headers = [("Content-Length", "11"), ("ETag", '"1-a"')]
    answer = client.head(BASE_URL + "/db/doc")
    assert answer.content == b""
    assert answer.headers["ETag"] == '"1-a"'
    assert answer.headers["Content-Length"] == "11"


def test_cookies_are_kept_and_sent_back(application: Recorder, client: requests.Session) -> None:
    application.headers = [("Set-Cookie", "AuthSession=abc; Version=1; Path=/; HttpOnly"), ("Set-Cookie", "b=2")]
    answer = client.post(BASE_URL + "/_session")
    assert answer.cookies.get_dict() == {"AuthSession": "abc", "b": "2"}
    application.headers = []
    client.get(BASE_URL + "/db")
    assert application.environ["HTTP_COOKIE"] in ("AuthSession=abc; b=2", "b=2; AuthSession=abc")


def test_an_expired_cookie_is_dropped(application: Recorder, client: requests.Session) -> None:
    application.headers = [("Set-Cookie", "AuthSession=abc; Path=/")]
    client.post(BASE_URL + "/_session")
    application.headers = [("Set-Cookie", "AuthSession=; Path=/; Max-Age=0")]
    client.delete(BASE_URL + "/_session")
    application.headers = []
    client.get(BASE_URL + "/db")
    assert "HTTP_COOKIE" not in application.environ


def test_redirects_are_followed(client: requests.Session, application: Recorder) -> None:
    def answer(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/_utils":
            start_response("301 Moved Permanently", [("Location", BASE_URL + "/_utils/")])
            return [b"moved"]
        start_response("200 OK", [])
        return [b"here"]

    with session(answer) as following:
        found = following.get(BASE_URL + "/_utils")
        assert (found.text, found.url, [r.status_code for r in found.history]) == ("here", BASE_URL + "/_utils/", [301])
        assert following.get(BASE_URL + "/_utils", allow_redirects=False).status_code == 301


def test_gzipped_answers_are_unpacked(application: Recorder, client: requests.Session) -> None:
    packed = gzip.compress(b"hello " * 1000)
    application.headers = [("Content-Encoding", "gzip")]
    application.answer = lambda environ: iter([packed[:50], packed[50:]])
    assert client.get(BASE_URL + "/").content == b"hello " * 1000
    with client.get(BASE_URL + "/", stream=True) as answer:
        assert b"".join(answer.iter_content(100)) == b"hello " * 1000
    with client.get(BASE_URL + "/", stream=True) as answer:
        assert answer.raw.read() == packed


def test_a_broken_encoding_is_a_decoding_error(application: Recorder, client: requests.Session) -> None:
    application.headers = [("Content-Encoding", "gzip")]
    with pytest.raises(requests.exceptions.ContentDecodingError):
        client.get(BASE_URL + "/")


class Feed:
    """A streaming answer that waits for lines through its client."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.lines: list[bytes] = []
        self.closed = threading.Event()
        self.waiting = threading.Event()
        self.heartbeat: float | None = None

    def add(self, line: bytes) -> None:
        with self.changed:
            self.lines.append(line)
            self.changed.notify_all()

    def __call__(self, environ: dict[str, Any]) -> Iterator[bytes]:
        client = Client.of(environ)
        try:
            yield b""
            sent = 0
            while not client.gone:
                with self.changed:
                    self.waiting.set()
                    if sent == len(self.lines) and not client.wait(self.changed, self.heartbeat):
                        line = b"\n"
                    elif sent < len(self.lines):
                        line = self.lines[sent]
                        sent += 1
                    else:
                        continue
                yield line
        finally:
            self.closed.set()


def test_a_stream_gives_each_chunk_when_it_is_made(application: Recorder, client: requests.Session) -> None:
    feed = application.answer = Feed()
    with client.get(BASE_URL + "/db/_changes", stream=True) as answer:
        assert answer.headers["Transfer-Encoding"] == "chunked"
        lines = answer.iter_lines()
        feed.add(b'{"seq":1}\n')
        assert json.loads(next(lines)) == {"seq": 1}
        feed.add(b'{"seq":2}\n')
        assert json.loads(next(lines)) == {"seq": 2}
    assert feed.closed.is_set()


def test_closing_in_another_thread_ends_a_waiting_feed(application: Recorder, client: requests.Session) -> None:
    feed = application.answer = Feed()
    answer = client.get(BASE_URL + "/db/_changes", stream=True)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.extend(answer.iter_content(None)))
    reader.start()
    assert feed.waiting.wait(5)
    answer.close()
    reader.join(5)
    assert not reader.is_alive()
    assert feed.closed.is_set()


def test_a_silent_feed_ends_by_the_read_timeout(application: Recorder, client: requests.Session) -> None:
    feed = application.answer = Feed()
    with pytest.raises(requests.ConnectionError, match="timed out"):  # as requests reports it within a body
        client.get(BASE_URL + "/db/_changes", timeout=(3, 0.02))
    assert feed.closed.is_set()


def test_heartbeats_keep_a_feed_within_its_timeout(application: Recorder, client: requests.Session) -> None:
    feed = application.answer = Feed()
    feed.heartbeat = 0.02
    with client.get(BASE_URL + "/db/_changes", timeout=0.5, stream=True) as answer:
        beats = answer.iter_content(None)
        started = time.monotonic()
        while time.monotonic() - started < 0.6:
            assert next(beats) == b"\n"


def test_an_answer_that_takes_too_long_is_a_timeout(application: Recorder, client: requests.Session) -> None:
    def slow(environ: dict[str, Any]) -> list[bytes]:
        time.sleep(0.05)  # it runs in the client's thread: its slowness is what is tested
        return [b"late"]

    application.answer = slow
    with pytest.raises(requests.ReadTimeout):
        client.get(BASE_URL + "/", timeout=0.01)
    assert client.get(BASE_URL + "/", timeout=10).content == b"late"


def test_a_dropped_answer_closes_its_generator(application: Recorder, client: requests.Session) -> None:
    feed = application.answer = Feed()
    answer = client.get(BASE_URL + "/", stream=True)
    del answer
    assert feed.closed.is_set()


def test_raw_is_a_file(application: Recorder, client: requests.Session) -> None:
    application.answer = lambda environ: iter([b"one\ntw", b"o\nthree", b"\nfour"])
    with client.get(BASE_URL + "/", stream=True) as answer:
        assert list(answer.raw) == [b"one\n", b"two\n", b"three\n", b"four"]
    with client.get(BASE_URL + "/", stream=True) as answer:
        assert answer.raw.read(5) == b"one\nt"
        assert answer.raw.readline() == b"wo\n"
        assert io.TextIOWrapper(io.BufferedReader(answer.raw)).read() == "three\nfour"
    with client.get(BASE_URL + "/", stream=True) as answer:
        pieces = answer.iter_content(2)
        assert next(pieces) == b"on"
        del pieces
        assert answer.raw.read() == b"e\ntwo\nthree\nfour"


def test_an_error_in_the_application_is_raised_unchanged(application: Recorder, client: requests.Session) -> None:
    def failing(environ: dict[str, Any]) -> Iterator[bytes]:
        yield b"begun"
        raise ZeroDivisionError

    application.answer = failing
    with pytest.raises(ZeroDivisionError):
        client.get(BASE_URL + "/")


def test_other_hosts_are_reached_over_the_network(client: requests.Session) -> None:
    with pytest.raises(requests.ConnectionError):
        client.get("http://127.0.0.1:1/")


def test_two_sessions_share_an_application_but_no_cookies(application: Recorder, client: requests.Session) -> None:
    application.headers = [("Set-Cookie", "a=1")]
    client.get(BASE_URL + "/")
    with session(application) as other:
        other.get(BASE_URL + "/")
        assert "HTTP_COOKIE" not in application.environ
