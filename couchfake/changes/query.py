"""What a reader of changes asks, in plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from couchfake.changes.filters import Filter, Style
from couchfake.storage.database import Visible
from couchfake.storage.documents import DocOptions
from couchfake.values.clock import Clock

Feed = Literal["normal", "longpoll", "continuous", "eventsource"]

NO_LIMIT = 10**15
"""The default limit. It is a number on the real server too: ``seq_interval`` counts down from it."""


@dataclass(frozen=True)
class ChangesQuery:
    """``since`` is a sequence of the database; a descending reader goes down from it.

    ``limit``: negative for no limit. ``shown``: the additions to documents if ``include_docs`` is set.
    ``seq_interval``: give a sequence on every so many rows only. ``timeout``: seconds without a change after which a
    live feed ends or, with ``heartbeat``, sends a heartbeat. ``visible`` maps a document to what the reader may see of
    it; None shows all. ``clock`` is the server's, which the timeout follows.
    """

    feed: Feed = "normal"
    since: int = 0
    limit: int = NO_LIMIT
    descending: bool = False
    style: Style = "main_only"
    filter: Filter | None = None
    include_docs: bool = False
    shown: DocOptions = field(default_factory=DocOptions)
    seq_interval: int = 1
    timeout: float = 60.0
    heartbeat: bool = False
    visible: Visible | None = None
    clock: Clock = field(default_factory=Clock)
