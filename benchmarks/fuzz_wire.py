"""A seeded fuzz of the wire: ``python -m benchmarks.fuzz_wire [--count 10000] [--seed 1]``.

Requests with a few bytes removed, changed, repeated or inserted go to a fake on a socket, some in pieces, some followed
by a reset. Whatever arrives, the server must answer in HTTP or close, log nothing as a warning or an error, and serve
the next client. What fails is printed with the bytes that were sent; the exit status is then 1.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import random
import re
import socket
import struct
import sys
import time

import requests

from couchfake import CouchFake

SEEDS = [
    b"GET /db/doc?rev=1-a HTTP/1.1\r\nHost: h\r\nAccept: application/json\r\n\r\n",
    b'PUT /db/a%2Fb HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\nContent-Type: application/json\r\n\r\n{"x":1}',
    (
        b"POST /db/_bulk_docs HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n"
        b'b\r\n{"docs":[{"\r\n9\r\n_id":"k"}\r\n2\r\n]}\r\n0\r\n\r\n'
    ),
    b"PUT /db/d/f.txt HTTP/1.1\r\nExpect: 100-continue\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nabc",
    b"COPY /db/doc HTTP/1.0\r\nDestination: other\r\nConnection: keep-alive\r\n\r\n",
    b"GET http://host/db/_all_docs?limit=2 HTTP/1.1\r\nCookie: AuthSession=abc\r\nAuthorization: Basic eDp5\r\n\r\n",
    b"HEAD /db HTTP/1.1\r\nOrigin: http://x\r\nRange: bytes=0-1\r\nIf-None-Match: *\r\n\r\n",
    b"PUT /db/z HTTP/1.1\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
]
PIECES = [
    b"\r\n", b"\n", b"\0", b" ", b":", b"%", b"%zz", b"\xff\xfe", b"HTTP/1.1", b"Content-Length: 99999999999\r\n",
    b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\r\n", b"\t", b"-1\r\n",
    b"Connection: close\r\n", b"Expect: 100-continue\r\n", b"ffffffffffff\r\n", b"0\r\n\r\n", b"/" * 50, b"?" * 9,
    b"a" * 9000,
]  # fmt: skip
ANSWER = re.compile(rb"HTTP/1\.[01] [1-5][0-9][0-9] [^\r\n]+\r\n")
SECONDS = 20.0  # after which a client counts as not served


class Logged(logging.Handler):
    """Keeps what the server logs as a warning or worse."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


def mutated(chance: random.Random) -> bytes:
    """Return one to three requests with a few bytes removed, changed, repeated or inserted."""
    data = bytearray(b"".join(chance.choices(SEEDS, k=chance.randint(1, 3))))
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(4)
        if kind == 0:
            del data[at : at + chance.randint(1, 20)]
        elif kind == 1:
            data[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 2:
            data[at:at] = data[at : at + chance.randint(1, 40)]
        else:
            data[at:at] = chance.choice(PIECES)
    return bytes(data)


def exchange(address: tuple[str, int], data: bytes, chance: random.Random) -> bytes | None:
    """Send the bytes and return the answer; None for a connection that was reset without waiting for one."""
    with socket.create_connection(address, timeout=SECONDS) as wire:
        answer = b""
        cut = chance.randrange(len(data) + 1) if chance.random() < 0.3 else len(data)
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            wire.sendall(data[:cut])
            if chance.random() < 0.1:
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return None
            wire.sendall(data[cut:])
            with contextlib.suppress(OSError):  # the server has reset the connection already
                wire.shutdown(socket.SHUT_WR)
            while piece := wire.recv(65536):
                answer += piece
        return answer


def fuzz(seed: int, count: int) -> list[str]:
    """Send ``count`` mutated requests to one server and return what went wrong."""
    chance, logged, failures = random.Random(seed), Logged(), []
    logger = logging.getLogger("couchfake")
    logger.addHandler(logged)
    try:
        with CouchFake() as fake:
            requests.put(fake.url + "db", timeout=SECONDS).raise_for_status()
            address = ("127.0.0.1", int(fake.url.rstrip("/").rpartition(":")[2]))
            for _ in range(count):
                data = mutated(chance)
                try:
                    answer = exchange(address, data, chance)
                except TimeoutError:
                    failures.append(f"{data!r}\nno answer in {SECONDS} s")
                    continue
                if answer and not ANSWER.match(answer):
                    failures.append(f"{data!r}\nanswer: {answer[:300]!r}")
                failures += [f"{data!r}, or before\n{text}" for text in logged.texts]
                logged.texts.clear()
            if requests.get(fake.url, timeout=SECONDS).json()["couchdb"] != "Welcome":
                failures.append("the server is gone")
    finally:
        logger.removeHandler(logged)
    return failures + logged.texts


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz_wire", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    started = time.perf_counter()
    failures = fuzz(arguments.seed, arguments.count)
    for failure in failures[:20]:
        print(failure, end="\n\n")
    print(f"{arguments.count} connections in {time.perf_counter() - started:.0f} s, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
