"""Settings in a file: sections of keys, in ini form as CouchDB's ``local.ini`` has them, or as JSON."""

from __future__ import annotations

import configparser
import json
from pathlib import Path
from typing import Any


class SettingsFileError(ValueError):
    """The file cannot be used; the text is a sentence that names the place."""


def read_settings(path: Path) -> dict[str, dict[str, str]]:
    """Return the settings of a file by section and key. Raise SettingsFileError."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise SettingsFileError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingsFileError(f"{path}: not UTF-8 at byte {error.start}") from None
    return _of_json(path, text) if text.lstrip().startswith("{") else _of_ini(path, text)


def _of_ini(path: Path, text: str) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser(
        delimiters=("=",),
        comment_prefixes=(";",),
        inline_comment_prefixes=(";",),
        default_section="",
        interpolation=None,
        strict=False,
    )
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # names of settings have their case
    try:
        parser.read_string(text, str(path))
    except configparser.Error as error:
        line = getattr(error, "lineno", None) or (getattr(error, "errors", None) or [(None,)])[0][0]
        place = f"{path}:{line}" if line else str(path)
        raise SettingsFileError(f"{place}: expected a [section], or key = value") from None
    return {section: dict(parser.items(section)) for section in parser.sections()}


def _of_json(path: Path, text: str) -> dict[str, dict[str, str]]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise SettingsFileError(f"{path}:{error.lineno}: not JSON: {error.msg}") from None
    except RecursionError:
        raise SettingsFileError(f"{path}:1: not JSON: too deep") from None
    for section, keys in value.items():
        if not isinstance(keys, dict):
            raise SettingsFileError(f"{path}: the section {section!r} is to be an object of keys and values")
    return {section: {key: _text(each) for key, each in keys.items()} for section, keys in value.items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
