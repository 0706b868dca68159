"""Write ``docs/settings.md`` from the table of settings: ``python docs/settings.py``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from couchfake.settings import LEGACY_SECTIONS, SECTIONS, SETTINGS, STORED_ONLY, Setting

PAGE = Path(__file__).with_suffix(".md")

_INTRODUCTION = """\
# Settings

The configuration of a fake. Set it with `CouchFake(config={section: {key: value}})`, the marker
`@pytest.mark.couch(config=…)`, `couchfake serve --config FILE` or `/_node/_local/_config`. Every value is a string. A
value that does not have the type of the setting is ignored. A change applies to the next request.

<!-- Generated from couchfake/settings.py by docs/settings.py. -->

## Settings that change answers
"""

_STORED = """
## Settings that are only stored

The real server has these too. A fake stores and returns them; they have no other effect, for the reason given.
"""

_OWN_KEYS = """
## Sections with keys of your own
"""


def page() -> str:
    """The whole page, in Markdown."""
    lines = [_INTRODUCTION, *_table(SETTINGS)]
    lines += [
        f"\n`[{new}]` was formerly called `[{old}]`, whose values apply where `[{new}]` does not set any.\n"
        for new, old in LEGACY_SECTIONS.items()
    ]
    lines += [_OWN_KEYS, "| section | keys and values |\n| --- | --- |"]
    lines += [f"| `[{each.name}]` | {each.description} |" for each in SECTIONS]
    lines += [_STORED, "| section | keys | why |\n| --- | --- | --- |"]
    lines += list(_stored_rows())
    return "\n".join(lines) + "\n"


def _table(settings: tuple[Setting[object], ...]) -> Iterator[str]:
    yield "| section | key | type | default | meaning |\n| --- | --- | --- | --- | --- |"
    for each in settings:
        default = f"`{each.default_text}`" if each.default_text else ""
        yield f"| `[{each.section}]` | `{each.key}` | {each.type.__name__} | {default} | {each.description} |"


def _stored_rows() -> Iterator[str]:
    for (section, why), group in groupby(STORED_ONLY, lambda each: (each.section, each.description)):
        yield f"| `[{section}]` | {', '.join(f'`{each.key}`' for each in group)} | {why} |"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
