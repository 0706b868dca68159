"""The options of queries and requests, for type checkers.

At run time options are plain keyword arguments: what a method does not know goes to the server as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Any, Literal, NoReturn, Protocol, TypeAlias, TypedDict

__all__ = [
    "BulkOptions",
    "Change",
    "ChangesOptions",
    "ChangesResult",
    "DocumentLike",
    "DocumentOptions",
    "FeedOptions",
    "Keys",
    "PagedOptions",
    "Saveable",
    "SaveOptions",
    "ViewOptions",
]

#: Several keys or IDs; not a string, which would be taken for its characters.
Keys: TypeAlias = "list[Any] | tuple[Any, ...] | AbstractSet[Any] | Iterator[Any]"


class Saveable(Protocol):
    """What can be saved: a dictionary, any other mutable mapping with text keys, a TypedDict."""

    def __contains__(self, key: object, /) -> bool: ...

    def __getitem__(self, key: str, /) -> Any: ...

    def keys(self) -> Any: ...

    def setdefault(self, key: NoReturn, default: Any, /) -> Any: ...


class DocumentLike(Protocol):
    """What has the members of a document: a mapping, or an object with ``items()`` as in couchdb-python's mapping."""

    def items(self) -> Any: ...


class PagedOptions(TypedDict, total=False):
    """Options of a view whose rows are fetched in parts."""

    att_encoding_info: bool
    attachments: bool
    conflicts: bool
    descending: bool
    end_key: Any
    end_key_doc_id: str
    endkey: Any
    endkey_docid: str
    group: bool
    group_level: int
    include_docs: bool
    inclusive_end: bool
    key: Any
    keys: Keys | None
    partition: str
    reduce: bool
    skip: int | None
    sorted: bool
    stable: bool
    stale: Literal["ok", "update_after"]
    start_key: Any
    start_key_doc_id: str
    startkey: Any
    startkey_docid: str
    update: Literal["true", "false", "lazy"] | bool
    update_seq: bool


class ViewOptions(PagedOptions, total=False):
    """Options of a view."""

    limit: int | None


class DocumentOptions(TypedDict, total=False):
    """Options of reading a document."""

    att_encoding_info: bool
    attachments: bool
    atts_since: list[str]
    conflicts: bool
    deleted_conflicts: bool
    headers: dict[str, str]
    latest: bool
    local_seq: bool
    meta: bool
    rev: str | None
    revs: bool
    revs_info: bool


class SaveOptions(TypedDict, total=False):
    """Options of writing a document."""

    batch: Literal["ok"]
    headers: dict[str, str]
    new_edits: bool
    rev: str


class BulkOptions(TypedDict, total=False):
    """Options of writing many documents."""

    all_or_nothing: bool
    new_edits: bool
    w: int


class FeedOptions(TypedDict, total=False):
    """Options of a changes feed, but for ``feed`` itself and the filter's own parameters."""

    att_encoding_info: bool
    attachments: bool
    conflicts: bool
    descending: bool
    doc_ids: Keys | str
    filter: str
    include_docs: bool
    limit: int
    selector: dict[str, Any]
    seq_interval: int
    style: Literal["main_only", "all_docs"]
    view: str
    _selector: dict[str, Any]


class ChangesOptions(FeedOptions, total=False):
    """Options of one request to a changes feed. ``heartbeat`` and ``timeout`` are milliseconds."""

    heartbeat: int | bool
    since: Any
    timeout: int


class _Changed(TypedDict):
    seq: Any
    id: str
    changes: list[dict[str, str]]


class Change(_Changed, total=False):
    """A line of a changes feed; the last line of a continuous feed has ``last_seq`` and ``pending`` only."""

    deleted: bool
    doc: Any
    last_seq: Any
    pending: int


class _Results(TypedDict):
    results: list[Change]
    last_seq: Any


class ChangesResult(_Results, total=False):
    """The answer of a changes feed that is not continuous."""

    pending: int
