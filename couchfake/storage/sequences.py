"""The two sequences of a database: of updates, as clients see them, and of purges, with what each of them removed.

Inside, an update sequence is an integer. Outside it is ``N-opaque``; the opaque part is base64url of an Erlang term and
is what counts when a sequence comes back: the number before the dash is for people.
The history of purges is kept so that indexes and replicas can forget what was purged too.
Source: CouchDB documentation, "Database API: Changes" and "Database API: Purge".
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence

from couchfake.errors import BadRequest
from couchfake.storage.revision_ids import RevisionId, format_rev
from couchfake.values.erlang import (
    VERSION,
    external_atom,
    external_binary,
    external_integer,
    external_list,
    external_tuple,
    is_list,
)

# [{'couchfake@127.0.0.1', [0, 4294967295], {Seq, Uuid, Node}}]: one shard, as with q=1. The sequence is an
# INTEGER_EXT, so that every sequence of a database has the same length and form.
_NODE = external_atom("couchfake@127.0.0.1")
_RANGE = external_list([external_integer(0), external_integer(0xFFFFFFFF)])
_NO_SEQ = b"b" + bytes(4)
_EMPTY_LIST = VERSION + external_list([])
# The number is optional, and quotes around the whole are ignored.
_TEXT = re.compile(r'"?(?:[0-9]+-)?(.*?)"?', re.DOTALL)


class SequenceFormat:
    """Packs and unpacks the sequences of the database with this ``uuid`` (32 hex digits)."""

    __slots__ = ("_head", "_prefix", "_tail", "_text_head", "_text_tail")

    def __init__(self, uuid: str) -> None:
        inner = external_tuple(_NO_SEQ, external_binary(uuid.encode("ascii")), _NODE)
        term = VERSION + external_list([external_tuple(_NODE, _RANGE, inner)])
        head, _, tail = term.partition(_NO_SEQ)
        head += _NO_SEQ[:1]
        # Padding inside the atom would show; instead cut the head at a multiple of three bytes, encode it once,
        # and encode only what is left for each sequence.
        cut = len(head) - len(head) % 3
        self._text_head = base64.urlsafe_b64encode(head[:cut]).decode("ascii")
        self._prefix = head[cut:]
        mixed = (-(len(self._prefix) + 4)) % 3
        self._tail = tail[:mixed]
        self._text_tail = base64.urlsafe_b64encode(tail[mixed:]).decode("ascii").rstrip("=")
        self._head = head

    def pack(self, seq: int) -> str:
        middle = self._prefix + seq.to_bytes(4, "big") + self._tail
        return f"{seq}-{self._text_head}{base64.urlsafe_b64encode(middle).decode('ascii')}{self._text_tail}"

    def pack_many(self, seqs: Sequence[int]) -> list[str]:
        """``pack`` for each of many, at a fraction of the cost."""
        # What differs is a multiple of three bytes long, so all of it can be encoded at once.
        prefix, tail = self._prefix, self._tail
        size = (len(prefix) + 4 + len(tail)) // 3 * 4
        raw = b"".join([prefix + seq.to_bytes(4, "big") + tail for seq in seqs])
        middles = base64.urlsafe_b64encode(raw).decode("ascii")
        head, rest = self._text_head, self._text_tail
        return [f"{seq}-{head}{middles[i * size : i * size + size]}{rest}" for i, seq in enumerate(seqs)]

    def unpack(self, text: str) -> int:
        """Return the integer of a sequence that was packed here. Raise BadRequest for any other string.

        Sequences of another database or server count from the start, as the real server rewinds them.
        """
        match = _TEXT.fullmatch(text)
        opaque = match[1] if match is not None else ""
        try:
            term = base64.urlsafe_b64decode(opaque + "=" * (-len(opaque) % 4))
        except (binascii.Error, ValueError):
            term = b""
        if term == _EMPTY_LIST:
            return 0
        if term.startswith(self._head) and len(term) > len(self._head) + 4:
            seq = int.from_bytes(term[len(self._head) : len(self._head) + 4], "big")
            if self.pack(seq).partition("-")[2] == opaque.rstrip("="):
                return seq
        if is_list(term):  # a real server's
            return 0
        raise BadRequest("Malformed sequence supplied in 'since' parameter.")


# ---- purges

PurgeInfo = tuple[int, str, list[str]]
"""A purge sequence, a document's id, and the revisions that the request named."""


class PurgeHistory:
    """Purge requests by their sequence. ``listed`` shows no more than ``limit`` once ``trim`` was called.

    All of them are kept for indexes, which may be further behind.
    """

    __slots__ = ("_first_listed", "_infos", "limit", "seq")

    def __init__(self) -> None:
        self.seq = 0
        self.limit = 1000
        self._infos: list[PurgeInfo] = []
        self._first_listed = 0

    def copy(self) -> PurgeHistory:
        copied = PurgeHistory()
        copied.seq, copied.limit, copied._infos = self.seq, self.limit, list(self._infos)
        copied._first_listed = self._first_listed
        return copied

    def add(self, docid: str, revs: list[RevisionId]) -> None:
        self._infos.append((self.seq + 1, docid, [format_rev(rev) for rev in revs]))
        self.seq += 1

    def since(self, seq: int) -> list[PurgeInfo]:
        """Return the requests after ``seq``."""
        return self._infos[seq:]

    def listed(self) -> list[PurgeInfo]:
        """Return the requests that the history still shows."""
        return self._infos[self._first_listed :]

    def trim(self) -> None:
        """Show only the newest ``limit`` requests from now on."""
        self._first_listed = max(self._first_listed, len(self._infos) - self.limit)

    def state(self) -> tuple[int, int]:
        """Return what ``restore`` needs to undo later changes."""
        return self.seq, self._first_listed

    def restore(self, state: tuple[int, int]) -> None:
        """Put an earlier state back."""
        self.seq, self._first_listed = state
        del self._infos[self.seq :]
