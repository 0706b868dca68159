"""A database of the server: a dictionary of documents, and everything else that can be requested of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from email.message import Message
from io import BufferedIOBase
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import requests

from couchdb_client import attachments, bulk, mango, merging, paging
from couchdb_client.changes import changes
from couchdb_client.conditions import BUILDS
from couchdb_client.document import Document, as_dict, copy, doc_resource, get, revisions, save, stamp
from couchdb_client.errors import ResourceNotFound
from couchdb_client.follower import DELAYS, Checkpoint, Follower, LocalCheckpoint
from couchdb_client.list_body import list_body
from couchdb_client.options import Change, ChangesResult, Saveable
from couchdb_client.partitions import Partition
from couchdb_client.resource import Resource
from couchdb_client.session import SessionLike
from couchdb_client.temporary_view import TemporaryView
from couchdb_client.typed import TypedDatabase
from couchdb_client.urls import DEFAULT_BASE_URL, quote
from couchdb_client.views import PermanentView, Row, ViewResults, open_viewlike, path_from_name

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from couchdb_client.options import (
        BulkOptions,
        ChangesOptions,
        DocumentLike,
        DocumentOptions,
        FeedOptions,
        PagedOptions,
        SaveOptions,
        ViewOptions,
    )

__all__ = ["Database"]

T = TypeVar("T")


class Database:
    """A database, as a dictionary of its documents by ID; it is true if it exists.

    ``url`` is its URL, its name on the server of COUCHDB_URL (the local one by default), escaped or not, or its
    `Resource`; ``session`` as in `Resource`.

    All methods raise `HTTPError`'s subclasses, and `ConnectionFailed` or `TimedOut`.
    """

    def __init__(
        self, url: str | Resource, name: str | None = None, session: SessionLike | requests.Session | None = None
    ) -> None:
        if isinstance(url, str):
            if not url.startswith("http"):
                url = f"{DEFAULT_BASE_URL.removesuffix('/')}/{url if '%' in url else quote(url)}"
            url = Resource(url, session)
        self.resource = url
        self._name = name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    def __contains__(self, id: str) -> bool:
        """Return whether there is a document with this ID; False for an empty one, which no document can have."""
        if id == "":
            return False
        try:
            doc_resource(self.resource, id).head()
        except ResourceNotFound:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return iter([row["id"] for row in self.view("_all_docs")])

    def __len__(self) -> int:
        count: int = self.resource.fetch("GET")["doc_count"]
        return count

    def __bool__(self) -> bool:
        try:
            self.resource.head()
        except ResourceNotFound:
            return False
        return True

    def __delitem__(self, id: str) -> None:
        """Delete the document's winning revision, whichever that is now; see `delete`."""
        resource = doc_resource(self.resource, id)
        etag = resource.head()[1]["ETag"] or ""
        resource.delete_json(rev=etag.removeprefix("W/").strip('"'))

    def __getitem__(self, id: str) -> Document:
        return Document(doc_resource(self.resource, id).fetch("GET"))

    def __setitem__(self, id: str, content: Saveable) -> None:
        """Create or update the document; ``content`` gets its ``_id`` and its new ``_rev``."""
        data = doc_resource(self.resource, id).fetch("PUT", body=as_dict(content))
        stamp(content, data["id"], data["rev"])

    @property
    def name(self) -> str:
        """The name of the database; if it is not known, it takes one request."""
        if self._name is None:
            self._name = str(self.info()["db_name"])
        return self._name

    @property
    def security(self) -> dict[str, Any]:
        """The security object: who may read and administer the database. Assign to it to replace it."""
        data: dict[str, Any] = self.resource.fetch("GET", "_security")
        return data

    @security.setter
    def security(self, doc: dict[str, Any]) -> None:
        self.resource.put_json("_security", body=doc)

    def info(self, ddoc: str | None = None) -> dict[str, Any]:
        """Return the server's information about the database, or about the index of the design document ``ddoc``."""
        if ddoc is not None:
            data: dict[str, Any] = self.resource("_design", ddoc.removeprefix("_design/"), "_info").fetch("GET")
        else:
            data = self.resource.fetch("GET")
            self._name = data["db_name"]
        return data

    # Documents

    def create(self, data: Mapping[str, Any]) -> str:
        """Create a document and return the ID that the server chose. Deprecated, as in couchdb-python: use `save`."""
        warnings.warn("Database.create is deprecated, use Database.save instead", DeprecationWarning, stacklevel=2)
        docid: str = self.resource.fetch("POST", body=as_dict(data))["id"]
        return docid

    def save(self, doc: Saveable, **options: Unpack[SaveOptions]) -> tuple[str, str | None]:
        """Create or update a document and return ``(id, rev)``; ``doc`` gets its ``_id`` and ``_rev``.

        ``doc`` is a dictionary, any other mutable mapping, or a TypedDict. Without an ``_id`` the server chooses one;
        such a request is not retried when the connection fails, so better choose one yourself (``uuid.uuid4().hex``).
        With ``batch='ok'`` the server responds before it has saved the document, and rev is None. Raise
        `ResourceConflict` if the document's current revision is not its ``_rev``.
        """
        return save(self.resource, doc, options)

    @overload
    def get(
        self, id: str, default: Any = None, *, open_revs: list[str] | Literal["all"], **options: Unpack[DocumentOptions]
    ) -> list[dict[str, Any]] | Any: ...

    @overload
    def get(self, id: str, default: None = None, **options: Unpack[DocumentOptions]) -> Document | None: ...

    @overload
    def get(self, id: str, default: T, **options: Unpack[DocumentOptions]) -> Document | T: ...

    def get(self, id: str, default: Any = None, **options: Any) -> Any:
        """Return the document, or ``default`` if it (or the revision in question) does not exist.

        ``options`` are parameters: ``rev``, ``revs=True``, ``conflicts=True``, ``attachments=True``… With ``open_revs``
        (``'all'`` or a list of revisions) the result is the server's list.
        """
        return get(self.resource, id, default, options)

    def bulk_get(
        self,
        docs: Iterable[str | tuple[str, str] | Mapping[str, Any]],
        *,
        attachments: bool = False,
        revs: bool = False,
    ) -> list[Document | None]:
        """Return many documents, read in one request, in the order of ``docs``; None for each that does not exist.

        ``docs`` are IDs, pairs of an ID and a revision, or documents whose stored revision is wanted. Servers since
        2.0.
        """
        options = {"attachments": attachments or None, "revs": revs or None}
        return bulk.bulk_get(self.resource, docs, options)

    def revisions(self, id: str, **options: Unpack[DocumentOptions]) -> Generator[Document, None, None]:
        """Yield the document's revisions, the newest first, as far back as the server has them."""
        return revisions(self.resource, id, options)

    def delete(self, doc: Mapping[str, Any]) -> None:
        """Delete this revision of the document. Raise `ResourceConflict` if it was updated since."""
        doc_resource(self.resource, doc["_id"]).delete_json(rev=doc["_rev"])

    def copy(self, src: str | DocumentLike, dest: str | DocumentLike) -> str:
        """Copy a document and return the new revision of ``dest``.

        ``src`` is an ID or a document. ``dest`` is an ID, or a document to overwrite, in the revision that it has in
        ``_rev``. A string with ``?rev=…`` at its end, or with nothing but escapes where an ID needs them, is understood
        as couchdb-python does. Raise `ValueError` for a string that may be an escaped ID or not.
        """
        return copy(self.resource, src, dest)

    def update(
        self, documents: list[Any] | tuple[Any, ...] | Iterable[DocumentLike], **options: Unpack[BulkOptions]
    ) -> list[bulk.UpdateResult]:
        """Save many documents in one request and return ``(success, docid, rev_or_exc)`` for each, in their order.

        Dictionaries that were saved get their ``_id`` and ``_rev``; other objects are saved as ``dict(obj.items())``.
        For a document that was refused the third is an exception: `ResourceConflict`, or `ServerError` for any other
        reason. ``options`` are further members of the request, like ``new_edits=False``, with which the server answers
        for refused documents only.
        """
        return bulk.update(self.resource, documents, options)

    def save_many(
        self,
        documents: Iterable[DocumentLike],
        chunk: int = 500,
        progress: Callable[[int], object] | None = None,
        **options: Unpack[BulkOptions],
    ) -> list[bulk.UpdateResult]:
        """Save any number of documents, ``chunk`` in each request, and return what `update` returns.

        ``documents`` may be a generator: it is read as documents are sent. ``progress`` is called after each request
        with the number of documents so far. Raise `ValueError` for a chunk below 1.
        """
        if chunk < 1:
            raise ValueError("chunk must be 1 or more")
        return [*bulk.save_many(self.resource, documents, chunk, progress, options)]

    def purge(self, docs: Iterable[DocumentLike]) -> dict[str, Any]:
        """Purge revisions (``_id`` and ``_rev`` of each document) and return the server's response."""
        return bulk.purge(self.resource, docs)

    # Documents that others update too

    def update_with(
        self,
        docid: str,
        function: Callable[[Document], Any],
        *,
        default: Mapping[str, Any] | None = None,
        attempts: int = merging.ATTEMPTS,
    ) -> Document:
        """Read, change and write a document, again if it was updated meanwhile, and return the document.

        ``function`` changes the document that it is called with, or returns another; it may be called several times. If
        it changes nothing, nothing is written. A document that does not exist starts as ``default``. Raise
        `ResourceNotFound` if there is no default, `ResourceConflict` if all ``attempts`` have met an update.
        """
        return merging.update_with(self.resource, docid, function, default, attempts)

    def conflicts(self, docid: str) -> list[Document]:
        """Return the revisions of a document that are in conflict with its current one; an empty list if none are.

        Raise `ResourceNotFound` if the document does not exist.
        """
        return merging.conflicts(self.resource, docid)

    def resolve(self, docid: str, merge: merging.Merge, *, attempts: int = merging.ATTEMPTS) -> Document:
        """Resolve a document's conflict with one bulk request, and return the document.

        ``merge`` is called with the list of the revisions in conflict, the current one first, and with their newest
        common ancestor, None if that is no longer stored. It returns the new content; all other revisions are
        deleted. If one of them was updated meanwhile, the merge is done again. A document without conflicts is returned
        unchanged. Raise `ResourceNotFound` if it does not exist, `ResourceConflict` if all ``attempts`` have met an
        update.
        """
        return merging.resolve(self.resource, docid, merge, attempts)

    def typed(self, kind: type[T]) -> TypedDatabase[T]:
        """Return this database with documents that are objects of ``kind``, a dataclass or a model like pydantic's."""
        return TypedDatabase(self.resource, kind)

    def partition(self, name: str) -> Partition:
        """Return a partition of a partitioned database."""
        return Partition(self.resource, name)

    # Attachments

    @overload
    def get_attachment(
        self,
        id_or_doc: str | Mapping[str, Any],
        filename: str,
        default: None = None,
        *,
        range: tuple[int, int | None] | None = None,
    ) -> BufferedIOBase | Any: ...

    @overload
    def get_attachment(
        self,
        id_or_doc: str | Mapping[str, Any],
        filename: str,
        default: T,
        *,
        range: tuple[int, int | None] | None = None,
    ) -> BufferedIOBase | T: ...

    def get_attachment(
        self,
        id_or_doc: str | Mapping[str, Any],
        filename: str,
        default: Any = None,
        *,
        range: tuple[int, int | None] | None = None,
    ) -> Any:
        """Return the attachment as a readable binary file, or ``default`` if it does not exist.

        A large one is read from the connection while you read it; close it, or use ``with``, if you do not read it to
        its end. ``range`` is a pair ``(start, stop)`` of byte positions; None for ``stop`` means the end. Raise
        `ServerError` with status 416 if the attachment ends before the range begins.
        """
        return attachments.get_attachment(self.resource, id_or_doc, filename, default, range)

    def put_attachment(
        self, doc: Saveable, content: attachments.Content, filename: str | None = None, content_type: str | None = None
    ) -> None:
        """Create or replace an attachment; ``doc`` (which needs ``_id`` and ``_rev``) gets its new ``_rev``.

        ``content`` is bytes, a string, or a file-like object, which is streamed. The name defaults to the file's, the
        content type to a guess from the name. Raise `ValueError` if there is no name.
        """
        attachments.put_attachment(self.resource, doc, content, filename, content_type)

    def delete_attachment(self, doc: Saveable, filename: str) -> None:
        """Delete an attachment; ``doc`` (which needs ``_id`` and ``_rev``) gets its new ``_rev``."""
        attachments.delete_attachment(self.resource, doc, filename)

    def save_with_attachments(
        self, doc: Saveable, files: Mapping[str, attachments.Content | tuple[attachments.Content, str]]
    ) -> tuple[str, str]:
        """Save a document and its attachments in one request, and return ``(id, rev)``, which ``doc`` gets too.

        ``files`` maps names to bytes, a string or a file-like object, or to a pair of one and its content type. Files
        are streamed, as multipart/related. Attachments that ``doc`` has already stay if ``doc`` still lists
        them in ``_attachments``.
        """
        return attachments.save_with_attachments(self.resource, doc, files)

    # Queries

    @overload
    def view(self, name: str, wrapper: None = None, **options: Unpack[ViewOptions]) -> ViewResults[Row]: ...

    @overload
    def view(self, name: str, wrapper: Callable[[Any], T], **options: Unpack[ViewOptions]) -> ViewResults[T]: ...

    def view(
        self, name: str, wrapper: Callable[[Any], Any] | None = None, **options: Unpack[ViewOptions]
    ) -> ViewResults[Any]:
        """Return the results of a view, ``'designdoc/viewname'`` or one of the database's own like ``'_all_docs'``.

        ``options`` are the view's parameters as Python values; ``wrapper`` makes each row from its dictionary.
        """
        return self._view(name, wrapper)(**options)

    @overload
    def iterview(
        self, name: str, batch: int, wrapper: None = None, **options: Unpack[ViewOptions]
    ) -> Iterator[Row]: ...

    @overload
    def iterview(
        self, name: str, batch: int, wrapper: Callable[[Any], T], **options: Unpack[ViewOptions]
    ) -> Iterator[T]: ...

    def iterview(
        self, name: str, batch: int, wrapper: Callable[[Any], Any] | None = None, **options: Unpack[ViewOptions]
    ) -> Iterator[Any]:
        """Yield the rows of a view, fetched ``batch`` rows at a time.

        Rows of documents that change between the requests may be missed or repeated. Raise `ValueError` for a batch or
        ``limit`` below 1.
        """
        return paging.iterate(self._view(name, wrapper), batch, options)

    @overload
    def pages(
        self,
        name: str,
        size: int,
        wrapper: None = None,
        *,
        bookmark: str | None = None,
        **options: Unpack[PagedOptions],
    ) -> Iterator[paging.Page[Row]]: ...

    @overload
    def pages(
        self,
        name: str,
        size: int,
        wrapper: Callable[[Any], T],
        *,
        bookmark: str | None = None,
        **options: Unpack[PagedOptions],
    ) -> Iterator[paging.Page[T]]: ...

    def pages(
        self,
        name: str,
        size: int,
        wrapper: Callable[[Any], Any] | None = None,
        *,
        bookmark: str | None = None,
        **options: Unpack[PagedOptions],
    ) -> Iterator[paging.Page[Any]]:
        """Yield the pages of a view, sequences of ``size`` rows, each fetched by a request when it is reached.

        A page's ``bookmark`` is a string that can be put in a URL; pass it as ``bookmark`` to start with the next page.
        Raise `ValueError` for a size below 1, or a string that is not a bookmark.
        """
        return paging.pages(self._view(name, wrapper), size, bookmark, options)

    def _view(self, name: str, wrapper: Callable[[Any], Any] | None) -> PermanentView[Any]:
        path = path_from_name(name, "_view")
        resource = self.resource(*path)
        resource.conditions = BUILDS
        return PermanentView(resource, "/".join(path), wrapper=wrapper)

    @overload
    def query(
        self,
        map_fun: str | Callable[..., Any],
        reduce_fun: str | Callable[..., Any] | None = None,
        language: str = "javascript",
        wrapper: None = None,
        **options: Unpack[ViewOptions],
    ) -> ViewResults[Row]: ...

    @overload
    def query(
        self,
        map_fun: str | Callable[..., Any],
        reduce_fun: str | Callable[..., Any] | None = None,
        language: str = "javascript",
        *,
        wrapper: Callable[[Any], T],
        **options: Unpack[ViewOptions],
    ) -> ViewResults[T]: ...

    def query(
        self,
        map_fun: str | Callable[..., Any],
        reduce_fun: str | Callable[..., Any] | None = None,
        language: str = "javascript",
        wrapper: Callable[[Any], Any] | None = None,
        **options: Unpack[ViewOptions],
    ) -> ViewResults[Any]:
        """Return the results of map and reduce functions that are not in a design document; see `TemporaryView`."""
        return TemporaryView(self.resource, map_fun, reduce_fun, language=language, wrapper=wrapper)(**options)

    @overload
    def find(self, mango_query: Mapping[str, Any], wrapper: None = None) -> mango.FindResults[Document]: ...

    @overload
    def find(self, mango_query: Mapping[str, Any], wrapper: Callable[[Any], T]) -> mango.FindResults[T]: ...

    def find(
        self, mango_query: Mapping[str, Any], wrapper: Callable[[Any], Any] | None = None
    ) -> mango.FindResults[Any]:
        """Return the documents that a Mango query selects, each a `Document` (or what ``wrapper`` makes of it).

        The result is an iterator that fetches documents page by page. It is also a sequence: its length, an index or a
        slice fetches the missing pages. With a ``limit``, ``skip`` or ``bookmark`` in the query it is a single page,
        whose attribute ``bookmark`` marks the next one.
        """
        return mango.find(self.resource, mango_query, wrapper)

    @overload
    def iterfind(
        self, mango_query: Mapping[str, Any], batch: int = ..., wrapper: None = None
    ) -> Iterator[Document]: ...

    @overload
    def iterfind(
        self, mango_query: Mapping[str, Any], batch: int = ..., *, wrapper: Callable[[Any], T]
    ) -> Iterator[T]: ...

    def iterfind(
        self,
        mango_query: Mapping[str, Any],
        batch: int = mango.PAGE_SIZE,
        wrapper: Callable[[Any], Any] | None = None,
    ) -> Iterator[Any]:
        """Yield the documents that `find` finds, fetched ``batch`` at a time, up to the query's ``limit``."""
        for page in mango.pages(self.resource, mango_query, batch):
            yield from map(wrapper or Document, page.get("docs", ()))

    def explain(self, mango_query: Mapping[str, Any]) -> dict[str, Any]:
        """Return how the server would run a Mango query: which index it would use, and with what options."""
        data: dict[str, Any] = self.resource.fetch("POST", "_explain", mango_query)
        return data

    def index(self) -> mango.Indexes:
        """Return the indexes for Mango queries."""
        return mango.Indexes(self.resource("_index").under(BUILDS))

    # Design functions

    def show(self, name: str, docid: str | None = None, **options: Any) -> tuple[Message, Any]:
        """Return ``(headers, body)`` of the show function ``'designdoc/showname'``, for a document if ``docid`` names
        one.

        ``headers`` is a mapping, ``body`` a readable binary file.
        """
        path = path_from_name(name, "_show") + ([docid] if docid else [])
        return self.resource(*path).get(**options)[1:]

    def list(self, name: str, view: str, **options: Any) -> tuple[Message, Any]:
        """Return ``(headers, body)`` of the list function ``'designdoc/listname'`` over the view
        ``'designdoc/viewname'``.

        ``options`` as for `view`. ``body`` is a readable binary file; a JSON object or array is also the decoded value.
        """
        path = path_from_name(name, "_list") + view.split("/", 1)
        _, headers, body = open_viewlike(self.resource(*path), options)
        return headers, list_body(headers, body)

    def update_doc(self, name: str, docid: str | None = None, **options: Any) -> tuple[Message, Any]:
        """Return ``(headers, body)`` of the update function ``'designdoc/updatename'``; ``body`` is a readable file.

        Among ``options`` ``headers`` and ``body`` are the request's, all others are parameters. An update function may
        do something else the second time, so the request is not retried once it has been sent.
        """
        resource = self.resource(*path_from_name(name, "_update"))
        return resource.post(**options)[1:] if docid is None else resource(docid).put(**options)[1:]

    # The feed, and maintenance

    @overload
    def changes(
        self, *, feed: Literal["continuous", "eventsource"], **opts: Unpack[ChangesOptions]
    ) -> Generator[Change, None, None]: ...

    @overload
    def changes(
        self, *, feed: Literal["normal", "longpoll"] = ..., **opts: Unpack[ChangesOptions]
    ) -> ChangesResult: ...

    @overload
    def changes(
        self, *, filter: str, feed: Literal["continuous", "eventsource"], **opts: Any
    ) -> Generator[Change, None, None]: ...

    @overload
    def changes(self, *, filter: str, feed: Literal["normal", "longpoll"] = ..., **opts: Any) -> ChangesResult: ...

    def changes(self, **opts: Any) -> Any:
        """Return the changes feed, ``opts`` being its parameters.

        The result is a dictionary (``results``, ``last_seq``); with ``feed='continuous'`` a generator of dictionaries
        that is open until the server ends it, or you close it. ``doc_ids`` is a list; ``filter='_selector'`` takes the
        option ``_selector={'selector': {…}}``. ``timeout`` and ``heartbeat`` are milliseconds. With a ``filter``
        its own parameters are options too.
        """
        return changes(self.resource, opts)

    def follow(
        self,
        since: Any = 0,
        *,
        checkpoint: str | Checkpoint | None = None,
        save_every: int = 1,
        heartbeat: int = 30_000,
        delays: tuple[float, ...] = DELAYS,
        **options: Unpack[FeedOptions],
    ) -> Follower:
        """Return an endless iterator over the changes after ``since``, which survives failures of the server.

        ``checkpoint`` is the name of a local document that stores how far the changes have been handled, or your own
        `Checkpoint` object: the next program with the same one continues from there. See `Follower`.
        """
        if isinstance(checkpoint, str):
            checkpoint = LocalCheckpoint(self.resource, checkpoint)
        return Follower(
            self.resource,
            options,
            since,
            checkpoint=checkpoint,
            save_every=save_every,
            heartbeat=heartbeat,
            delays=delays,
        )

    def compact(self, ddoc: str | None = None) -> bool:
        """Start compacting the database, or the index of the design document ``ddoc``. Return whether it started."""
        return self._start("_compact", *([ddoc.removeprefix("_design/")] if ddoc else []))

    def cleanup(self) -> bool:
        """Start removing the files of indexes that no design document needs. Return whether it was started."""
        return self._start("_view_cleanup")

    def commit(self) -> dict[str, Any]:
        """Make the server write everything to disk (since 3.0 it always has), and return its response."""
        data: dict[str, Any] = self._post_nothing("_ensure_full_commit")
        return data

    def _start(self, *path: str) -> bool:
        return bool(self._post_nothing(*path)["ok"])

    def _post_nothing(self, *path: str) -> Any:
        return self.resource(*path).fetch("POST", headers={"Content-Type": "application/json"})
