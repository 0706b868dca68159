"""aiocouch, the client on aiohttp."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

aiocouch = pytest.importorskip("aiocouch", reason="the dependency group clients is not installed")
pytestmark = [
    pytest.mark.foreign,
    # aiocouch uses aiohttp as it was meant until lately.
    pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated:DeprecationWarning"),
]

Work = Callable[[Any], Awaitable[None]]


def with_database(url: str, work: Work) -> None:
    async def run() -> None:
        async with aiocouch.CouchDB(url, user="adm", password="pass") as couch:
            await work(await couch.create("db"))

    asyncio.run(run())


def test_documents_are_saved_read_and_deleted(url: str) -> None:
    async def work(db: Any) -> None:
        doc = await db.create("a/b ü", data={"x": 1})
        await doc.save()
        assert doc["_rev"] == "1-0785e9eb543380151003dc452c3a001a"
        again = await db["a/b ü"]
        assert again["x"] == 1
        await again.delete()
        with pytest.raises(aiocouch.NotFoundError):
            await db["a/b ü"]

    with_database(url, work)


def test_a_stale_document_is_a_conflict(url: str) -> None:
    async def work(db: Any) -> None:
        first = await db.create("a")
        await first.save()
        second = await db["a"]
        first["x"] = 1
        await first.save()
        second["x"] = 2
        with pytest.raises(aiocouch.ConflictError):
            await second.save()

    with_database(url, work)


def test_many_documents_are_written_and_found_at_once(url: str) -> None:
    async def work(db: Any) -> None:
        async with db.create_docs(["a", "b", "c"]) as docs:
            async for doc in docs:
                doc["n"] = ord(doc.id)
        await db.index({"fields": ["n"]}, name="by-n")
        assert [doc.id async for doc in db.find({"n": {"$gt": 97}})] == ["b", "c"]
        assert [doc.id async for doc in db.docs(prefix="b")] == ["b"]
        assert {event.id async for event in db.changes()} >= {"a", "b", "c"}

    with_database(url, work)


def test_queries_are_paged_through_by_bookmark(url: str) -> None:
    async def work(db: Any) -> None:
        async with db.create_docs([f"doc-{number}" for number in range(5)]) as docs:
            async for doc in docs:
                doc["n"] = 1
        found: list[list[str]] = []
        bookmark = None
        for _ in range(3):
            request = aiocouch.request.FindRequest(db, {"n": 1}, limit=2, bookmark=bookmark)
            found.append([doc.id async for doc in request])
            bookmark = request.params["bookmark"]
        assert found == [["doc-0", "doc-1"], ["doc-2", "doc-3"], ["doc-4"]]

    with_database(url, work)


def test_views_and_attachments_and_security(url: str) -> None:
    async def work(db: Any) -> None:
        ddoc = await db.create("_design/d", data={"views": {"v": {"map": "function (doc) { emit(doc._id, 1); }"}}})
        await ddoc.save()
        doc = await db.create("a")
        await doc.save()
        assert [docid async for docid in db.view("d", "v").ids()] == ["a"]
        attachment = doc.attachment("f.txt")
        await attachment.save(b"hello", "text/plain")
        assert await attachment.fetch() == b"hello"
        security = await db.security()
        security.add_member("joe")
        await security.save()
        assert (await db.security()).members == ["joe"]

    with_database(url, work)


def test_a_continuous_feed_tells_of_changes_until_it_is_left(url: str) -> None:
    async def work(db: Any) -> None:
        async def write() -> None:
            for name in "ab":
                await (await db.create(name)).save()

        writing = asyncio.create_task(write())
        seen: list[str] = []
        async for event in db.changes(feed="continuous"):
            seen.append(event.id)
            if len(seen) == 2:
                break
        await writing
        assert seen == ["a", "b"]

    with_database(url, work)


def test_a_wrong_password_is_refused(url: str) -> None:
    async def run() -> None:
        couch = aiocouch.CouchDB(url, user="adm", password="wrong")
        try:
            with pytest.raises(aiocouch.UnauthorizedError):
                await couch.check_credentials()
        finally:
            await couch.close()

    asyncio.run(run())
