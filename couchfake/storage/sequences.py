"""Update sequences as clients see them.

Inside, a sequence is an integer. Outside it is ``N-opaque``; the opaque part is base64url of an Erlang term and is
what counts when a sequence comes back: the number before the dash is for people.
Source: CouchDB documentation, "Database API: Changes".
"""

from __future__ import annotations

import base64
import binascii
import struct

from couchfake.errors import BadRequest

# [{'couchfake@127.0.0.1', [0, 4294967295], {Seq, Uuid, Node}}]: one shard, as with q=1. The sequence is an
# INTEGER_EXT, so that every sequence of a database has the same length and form.
_NODE = b"couchfake@127.0.0.1"
_HEAD = b"\x83l\x00\x00\x00\x01h\x03d" + struct.pack(">H", len(_NODE)) + _NODE
_RANGE = b"l\x00\x00\x00\x02a\x00n\x04\x00\xff\xff\xff\xffj"
_EMPTY_LIST = b"\x83j"


class SequenceFormat:
    """Packs and unpacks the sequences of one database, told by its ``uuid`` (32 hex digits)."""

    __slots__ = ("_head", "_prefix", "_tail", "_text_head", "_text_tail")

    def __init__(self, uuid: str) -> None:
        head = _HEAD + _RANGE + b"h\x03b"
        # Padding inside the atom would show; instead cut the head at a multiple of three bytes, encode it once,
        # and encode only what is left for each sequence.
        cut = len(head) - len(head) % 3
        self._text_head = base64.urlsafe_b64encode(head[:cut]).decode("ascii")
        self._prefix = head[cut:]
        tail = b"m\x00\x00\x00\x20" + uuid.encode("ascii") + b"d" + struct.pack(">H", len(_NODE)) + _NODE + b"j"
        mixed = (-(len(self._prefix) + 4)) % 3
        self._tail = tail[:mixed]
        self._text_tail = base64.urlsafe_b64encode(tail[mixed:]).decode("ascii").rstrip("=")
        self._head = head

    def pack(self, seq: int) -> str:
        middle = self._prefix + seq.to_bytes(4, "big") + self._tail
        return f"{seq}-{self._text_head}{base64.urlsafe_b64encode(middle).decode('ascii')}{self._text_tail}"

    def unpack(self, text: str) -> int:
        """The integer of a sequence that was packed here; ``BadRequest`` for any other text.

        Sequences of another database of this server count from the start, as the real server rewinds them.
        """
        _, dash, opaque = text.partition("-")
        try:
            term = base64.urlsafe_b64decode(opaque + "=" * (-len(opaque) % 4)) if dash else b""
        except (binascii.Error, ValueError):
            term = b""
        if term == _EMPTY_LIST:
            return 0
        if term.startswith(self._head) and len(term) > len(self._head) + 4:
            seq = int.from_bytes(term[len(self._head) : len(self._head) + 4], "big")
            return seq if self.pack(seq).partition("-")[2] == opaque.rstrip("=") else 0
        raise BadRequest("Malformed sequence supplied in 'since' parameter.")
