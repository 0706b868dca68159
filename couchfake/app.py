"""The composition root: a server built from its parts, and the WSGI application around it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from couchfake.config import Config
from couchfake.dispatch import Dispatcher
from couchfake.node import SYSTEM_DATABASES, Node
from couchfake.uuids import Uuids
from couchfake.write_rules import Rules

logger = logging.getLogger("couchfake")


class CouchFake:
    """A CouchDB 3.5 in memory.

    ``admins`` names server admins and their passwords; without any, everybody is admin. ``config`` sets further
    settings, section by section. ``clock()`` gives seconds since 1970 and ``uuids()`` document ids, where a test
    wants the same ones each time.
    """

    def __init__(
        self,
        admins: Mapping[str, str] | None = None,
        js_engine: str | None = None,
        clock: Callable[[], float] | None = None,
        uuids: Callable[[], str] | None = None,
        config: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        settings = {**(config or {})}
        if admins:
            settings["admins"] = {**settings.get("admins", {}), **admins}
        self._settings = settings
        self._js_engine = js_engine
        self._clock = clock or time.time
        self._uuids = uuids
        self.node = self._make_node()
        self._dispatcher = Dispatcher(self.node)

    def _make_node(self) -> Node:
        config = Config(self._settings)
        rules = Rules()
        node = Node(config, self._clock, Uuids(config, self._clock, self._uuids), rules)
        rules.node = node
        for name in SYSTEM_DATABASES[:2]:
            node.create_database(name)
        return node

    def wsgi(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The WSGI application."""
        return self._dispatcher(environ, start_response)
