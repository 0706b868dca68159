"""A cache of answers that the server may confirm (304) instead of sending them again."""

from __future__ import annotations

from collections.abc import MutableMapping
from email.message import Message
from typing import TypeAlias

__all__ = ["Answer", "Cache"]

#: A whole answer: status, headers, body.
Answer: TypeAlias = "tuple[int, Message, bytes]"


class Cache:
    """Answers by URL: at most `max_size` of them, after which only the `keep_size` newest stay.

    ``by_url`` is the mapping behind it; give your own to share answers between sessions.
    """

    keep_size, max_size = 10, 75

    def __init__(self, by_url: MutableMapping[str, Answer] | None = None) -> None:
        self.by_url: MutableMapping[str, Answer] = {} if by_url is None else by_url

    def get(self, url: str) -> Answer | None:
        return self.by_url.get(url)

    def put(self, url: str, answer: Answer) -> None:
        self.by_url.pop(url, None)
        self.by_url[url] = answer
        if len(self.by_url) > self.max_size:
            self._clean()

    def remove(self, url: str) -> None:
        self.by_url.pop(url, None)

    def _clean(self) -> None:
        for url in list(self.by_url)[: -self.keep_size]:
            self.by_url.pop(url, None)
