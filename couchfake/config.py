"""The live configuration of a node: sections of keys, every value a string.

Three layers, the upper hiding the lower: values set until the next reload, values set to last, and the values that
``_config`` lists from the start (``settings.SHOWN``). There are no files, so values that are set to last end with the
server. Code reads typed values, ``config[REWRITE_LIMIT]``; the table of them and of their defaults is
``couchfake.settings``. Source: CouchDB documentation, "Configuration" and "Server: /_node/{node-name}/_config".
"""

from __future__ import annotations

import difflib
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from couchfake import settings
from couchfake.errors import BadRequest, Forbidden, NotFound
from couchfake.settings import ADMINS, Section, Setting

T = TypeVar("T")
Settings = Mapping[str, Mapping[str, str]]
Key = tuple[str, str]

LOCKED_SECTIONS = frozenset(
    (
        "daemons",
        "external",
        "httpd_db_handlers",
        "httpd_design_handlers",
        "httpd_global_handlers",
        "native_query_servers",
        "os_daemons",
        "query_servers",
    )
)

# CouchDB looks at single bytes and reads them as Latin-1, so that a character whose UTF-8 form holds a byte of
# 0x80..0x9F (an "Å", but not an "é") does not count as printable.
_PRINTABLE = re.compile(rb"[\t\x20-\x7e\xa0-\xff]*")


class UnknownSetting(ValueError):
    """A setting is misspelt; the text is a sentence."""


def check_spelling(given: Settings, *, strict: bool = False) -> None:
    """Raise UnknownSetting for a setting that CouchDB does not have but nearly has.

    What resembles none of CouchDB's settings passes, since the files of a real installation have sections of other
    programs; with ``strict`` it does not.
    """
    unknown = [(section, key) for section, keys in given.items() for key in keys if not settings.is_known(section, key)]
    if not unknown:
        return
    known = [f"[{section}] {key}" for section, key in Config.known()]
    sections = {section for section, _ in Config.known()}
    for section, key in unknown:
        likeness = 0.0 if strict else 0.75 if section in sections else 0.85
        near = difflib.get_close_matches(f"[{section}] {key}", known, 1, likeness)
        if near:
            raise UnknownSetting(f"CouchDB has no setting [{section}] {key}; did you mean {near[0]}?")


class _State:
    """All values at one moment: as strings (never changed), and those that have been parsed so far."""

    def __init__(self, values: dict[Key, str]) -> None:
        self.values = values
        self.parsed: dict[Setting[Any], Any] = {}
        self.sections: dict[str, dict[str, str]] = {}
        for (section, key), value in sorted(values.items()):
            self.sections.setdefault(section, {})[key] = value

    def parse(self, setting: Setting[T]) -> T:
        value = self.parsed[setting] = self._first(setting)
        return value

    def _first(self, setting: Setting[T]) -> T:
        """The first value of the setting's type, in the order of its places, or the default."""
        for place in setting.places:
            text = self.values.get(place)
            if text is not None:
                try:
                    return setting.type(text)
                except ValueError:  # a value of another type counts as not set
                    continue
        return setting.default


class Config:
    """The settings of one node. Safe for threads: readers see a consistent state, writers take turns.

    ``initial``: sections to set at the start. ``hash_admin(config, password)`` makes the stored form
    of a clear password in ``[admins]``; without it such passwords are kept as they are (and let nobody in).
    """

    def __init__(
        self, initial: Settings | None = None, *, hash_admin: Callable[[Config, str], str] | None = None
    ) -> None:
        self._lock = threading.RLock()
        self._hash_admin = hash_admin
        self._base: dict[Key, str] = dict(settings.SHOWN)
        self._lasting: dict[Key, str] = {}
        self._volatile: dict[Key, str] = {}
        self._watchers: list[Callable[[str, str], None]] = []
        self._state = _State(self._base)
        for section, keys in (initial or {}).items():
            for key, value in keys.items():
                self.set(section, key, str(value))

    # Reading

    def __getitem__(self, setting: Setting[T]) -> T:
        """The value in force: what is set (in the current section, else in the legacy one), or the default.

        A value that is not of the setting's type counts as not set.
        """
        state = self._state
        try:
            value: T = state.parsed[setting]
        except KeyError:
            return state.parse(setting)
        return value

    def for_host(self, setting: Setting[T], host: str) -> T:
        """The value for requests to a host: that of the section ``[SECTION:HOST]`` if it is set there."""
        section = f"{setting.section}:{host}"
        if section not in self._state.sections:
            return self[setting]
        text = self._state.values.get((section, setting.key))
        try:
            return setting.type(text) if text else self[setting]
        except ValueError:
            return self[setting]

    def entry(self, section: Section, key: str) -> str | None:
        """The value of a key that the operator chose, None if it is not set."""
        return self._state.values.get((section.name, key))

    def section(self, section: Section | str) -> dict[str, str]:
        """The values that ``_config`` lists in a section, by key. Empty if nothing is set there."""
        return dict(self._state.sections.get(section if isinstance(section, str) else section.name, {}))

    def has_section(self, section: Section) -> bool:
        """Return whether anything is set in a section."""
        return section.name in self._state.sections

    def shown(self, section: str, key: str) -> str | None:
        """The value that ``_config`` answers, None if it is not set."""
        return self._state.values.get((section, key))

    def is_set(self, setting: Setting[Any]) -> bool:
        """Return whether ``_config`` answers with a value for a setting, in its current section."""
        return (setting.section, setting.key) in self._state.values

    def as_dict(self) -> dict[str, dict[str, str]]:
        """All values that ``_config`` lists, by section and key."""
        return {name: dict(keys) for name, keys in self._state.sections.items()}

    @property
    def state(self) -> object:
        """An object that is replaced whenever a setting changes."""
        return self._state

    # What settings there are

    @staticmethod
    def is_known(section: str, key: str) -> bool:
        """Return whether the real server has a setting of this section and key."""
        return settings.is_known(section, key)

    @staticmethod
    def known() -> Iterator[Key]:
        """Section and key of every setting in the table, those that are only stored included."""
        for setting in (*settings.SETTINGS, *settings.STORED_ONLY):
            yield setting.section, setting.key

    # Writing

    def __setitem__(self, setting: Setting[Any], value: str) -> None:
        """Set a setting to last."""
        self.set(setting.section, setting.key, value)

    def set(self, section: str, key: str, value: str, *, persist: bool = True) -> str:
        """Set a value, without the white space around it. Return the previous value, or ``""``.

        ``persist=False`` sets it until ``reload``. Raise BadRequest for names and values that an ini file
        cannot hold.
        """
        value = value.strip()
        _refuse_unprintable(section, key, value)
        with self._lock:
            value = self._stored_form(section, value)
            old = self._state.values.get((section, key), "")
            self._volatile.pop((section, key), None)
            (self._lasting if persist else self._volatile)[section, key] = value
            self._refresh()
        self._notify(section, key)
        return old

    def delete(self, section: str, key: str, *, persist: bool = True) -> str:
        """Remove a value and return it. Raise NotFound if it is not set.

        What ``_config`` listed at the start then shows again. ``persist=False`` removes only what was set until the
        next reload.
        """
        with self._lock:
            old = self._state.values.get((section, key))
            if old is None:
                raise NotFound("unknown_config_value")
            self._volatile.pop((section, key), None)
            if persist and self._lasting.pop((section, key), None) is None and old == self._base.get((section, key)):
                del self._base[section, key]
            self._refresh()
        self._notify(section, key)
        return old

    def reload(self) -> None:
        """Drop the values that were set until the next reload."""
        with self._lock:
            dropped = list(self._volatile)
            self._volatile.clear()
            self._refresh()
        for section, key in dropped:
            self._notify(section, key)

    def watch(self, callback: Callable[[str, str], None]) -> None:
        """Call ``callback(section, key)`` after each change, in the thread that makes it."""
        self._watchers.append(callback)

    def save(self) -> Callable[[], None]:
        """Return a function that restores all values of now, any number of times. Watchers are not called then."""
        with self._lock:
            layers = dict(self._base), dict(self._lasting), dict(self._volatile)
            state = self._state

        def restore() -> None:
            with self._lock:
                if self._state is not state:
                    self._base, self._lasting, self._volatile = dict(layers[0]), dict(layers[1]), dict(layers[2])
                    self._state = state

        return restore

    def refuse_locked(self, section: str) -> None:
        """Raise Forbidden if a section cannot be changed over HTTP."""
        if section in LOCKED_SECTIONS:
            raise Forbidden("Config section blacklisted for modification over HTTP API.")

    def _stored_form(self, section: str, value: str) -> str:
        if section == ADMINS.name and value and self._hash_admin and not value.startswith(("-pbkdf2", "-hashed-")):
            return self._hash_admin(self, value)
        return value

    def _notify(self, section: str, key: str) -> None:
        for callback in self._watchers:
            callback(section, key)

    def _refresh(self) -> None:
        self._state = _State({**self._base, **self._lasting, **self._volatile})


def _refuse_unprintable(section: str, key: str, value: str) -> None:
    for kind, text, brackets in (("section", section, False), ("key", key, False), ("value", value, True)):
        if not _PRINTABLE.fullmatch(text.encode("utf-8", "surrogateescape")) or (
            not brackets and ("[" in text or "]" in text)
        ):
            raise BadRequest(f"Invalid configuration {kind}")
