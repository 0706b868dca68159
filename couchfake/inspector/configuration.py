"""The configuration with what each setting means, changed settings first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from couchfake.control.secrets import STARS
from couchfake.settings import ADMINS, JWT_KEYS, LEGACY_SECTIONS, SECTIONS, SETTINGS, SHOWN, STORED_ONLY

_SECRETS = frozenset((ADMINS.name, JWT_KEYS.name))


def configuration(current: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """Return a row for each setting: ``section``, ``key``, ``value``, ``default``, ``changed``, ``description``.

    ``current``: what ``_config`` shows. ``value`` is None for a setting that is not set. Secrets are stars.
    """
    known = {(each.section, each.key): each for each in (*SETTINGS, *STORED_ONLY)}
    sections = {each.name: each.description for each in SECTIONS}
    current_names = {old: new for new, old in LEGACY_SECTIONS.items()}
    values = {(section, key): value for section, keys in current.items() for key, value in keys.items()}
    rows = []
    for section, key in {**values, **known}:
        setting = known.get((current_names.get(section, section), key))
        value = values.get((section, key))
        default = SHOWN.get((section, key)) or (setting.default_text if setting else None)
        rows.append(
            {
                "section": section,
                "key": key,
                "value": STARS if value is not None and (section in _SECRETS or key == "secret") else value,
                "default": default,
                "changed": value is not None and value != default,
                "description": setting.description if setting else sections.get(section, ""),
            }
        )
    return sorted(rows, key=lambda row: (not row["changed"], row["section"], row["key"]))
