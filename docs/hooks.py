"""Hooks of mkdocs: what the site says of the project that is known only when it is built."""

from __future__ import annotations

import os
import re
from typing import Any

from couchfake import __version__


def on_config(config: Any) -> Any:
    """Show the version in the footer and, where CI knows the repository, link to it."""
    config.copyright = f"couchfake {__version__}, licensed under the Apache License 2.0"
    repository = os.environ.get("GITHUB_REPOSITORY")
    if repository:
        config.repo_url = f"{os.environ['GITHUB_SERVER_URL']}/{repository}"
        config.repo_name = repository
    return config


_FILE = re.compile(r"`([\w./]+)` in the repository")


def on_page_markdown(markdown: str, config: Any, **_: Any) -> str:
    """Link files "in the repository", where CI knows its address."""
    if not config.repo_url:
        return markdown
    return _FILE.sub(rf"[`\1`]({config.repo_url}/blob/HEAD/\1) in the repository", markdown)
