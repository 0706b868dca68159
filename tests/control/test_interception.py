"""Connections of this process to one host and port reach the fake, whatever the client."""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
import urllib.request
from collections.abc import Callable

import pytest
import requests
import urllib3

from couchfake import CouchFake
from couchfake.control.addresses import InterceptionError


def by_http_client(host: str, port: int) -> bytes:
    connection = http.client.HTTPConnection(host, port, timeout=10)
    connection.request("GET", "/")
    answer = connection.getresponse().read()
    connection.close()
    return answer


async def _read(host: str, port: int) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def by_asyncio(host: str, port: int) -> bytes:
    return asyncio.run(_read(host, port))


def by_urllib3(host: str, port: int) -> bytes:
    with urllib3.PoolManager() as pool:
        return pool.request("GET", f"http://{host}:{port}/").data


def by_urllib(host: str, port: int) -> bytes:
    with urllib.request.urlopen(f"http://{host}:{port}/", timeout=10) as answer:
        return bytes(answer.read())


def by_requests(host: str, port: int) -> bytes:
    return requests.get(f"http://{host}:{port}/", timeout=10).content


def by_httpx(host: str, port: int) -> bytes:
    httpx = pytest.importorskip("httpx")
    return bytes(httpx.get(f"http://{host}:{port}/").content)


def by_asynchronous_httpx(host: str, port: int) -> bytes:
    httpx = pytest.importorskip("httpx")

    async def ask() -> bytes:
        async with httpx.AsyncClient() as client:
            return bytes((await client.get(f"http://{host}:{port}/")).content)

    return asyncio.run(ask())


def by_aiohttp(host: str, port: int) -> bytes:
    aiohttp = pytest.importorskip("aiohttp")

    async def ask() -> bytes:
        async with aiohttp.ClientSession() as session, session.get(f"http://{host}:{port}/") as answer:
            return bytes(await answer.read())

    return asyncio.run(ask())


@pytest.mark.parametrize(
    "ask", [by_httpx, by_asynchronous_httpx, by_aiohttp, by_http_client, by_asyncio, by_urllib3, by_urllib, by_requests]
)
def test_every_client_that_resolves_names_is_intercepted(ask: Callable[[str, int], bytes]) -> None:
    with CouchFake() as fake, fake.intercept("http://couchdb.test:5984"):
        assert b'"couchdb":"Welcome"' in ask("couchdb.test", 5984)
        assert b'"couchdb":"Welcome"' in ask("COUCHDB.test", 5984)


def test_other_hosts_and_ports_are_not_affected() -> None:
    with CouchFake() as fake, CouchFake() as other, fake.intercept("http://localhost:5984"):
        port = int(other.url.rpartition(":")[2].strip("/"))
        assert requests.get(f"http://localhost:{port}/", timeout=10).status_code == 200
        with pytest.raises(OSError):
            by_http_client("couchdb.invalid", 5984)


def test_the_resolver_is_put_back_after_a_failure() -> None:
    before = socket.getaddrinfo
    fake = CouchFake()
    with pytest.raises(KeyError), fake.intercept("http://couchdb:5984"):
        raise KeyError(socket.getaddrinfo is before)
    assert socket.getaddrinfo is before
    fake.close()


def test_the_innermost_interception_of_an_address_counts() -> None:
    with CouchFake() as outer, CouchFake() as inner, outer.intercept("http://couchdb:5984"):
        requests.put("http://couchdb:5984/outer", timeout=10)
        with inner.intercept("http://couchdb:5984/"):
            assert requests.get("http://couchdb:5984/outer", timeout=10).status_code == 404
        assert requests.get("http://couchdb:5984/outer", timeout=10).status_code == 200


def test_threads_are_intercepted_while_others_come_and_go() -> None:
    with CouchFake() as fake, fake.intercept("http://couchdb:5984"):
        statuses: list[int] = []

        def ask() -> None:
            for _ in range(10):
                with fake.intercept("http://other:5984"):
                    statuses.append(requests.get("http://couchdb:5984/", timeout=10).status_code)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert statuses == [200] * 80


@pytest.mark.parametrize("url", ["https://couchdb", "couchdb:5984", "http://", "http://host:port/", "ftp://host"])
def test_a_url_that_cannot_be_intercepted_is_refused(url: str) -> None:
    fake = CouchFake()
    with pytest.raises(InterceptionError, match="cannot intercept"), fake.intercept(url):
        pass
    fake.close()
