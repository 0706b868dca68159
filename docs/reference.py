"""Write the pages of ``docs/reference/`` that are generated from the code: ``python docs/reference.py``."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import conftest_plugin
from conftest_plugin import settings
from couchfake import CouchFake, cli
from couchfake.control.faults import FAULTS
from couchfake.control.gates import GATES
from couchfake.control.http_api import ControlApi

FOLDER = Path(__file__).parent / "reference"
GENERATED = "\n<!-- Generated from the code by docs/reference.py. -->\n"


def plugin_page() -> str:
    """The options and the fixtures of the plugin."""
    lines = [
        "# The pytest plugin",
        GENERATED,
        "Installing couchfake installs the plugin. `-p no:couchfake` turns it off.",
        "\n## Fixtures\n\nAll of them live for one test, except `couch_address`, which lives for the whole run.",
        "[Which fixture do I need?](../howto/fixtures.md) is a guide.\n",
        *_fixtures(),
        "\n`couch_fixture` makes further fixtures:\n",
        "::: conftest_plugin.couch_fixture",
        "\n## Options\n",
        "The marker takes precedence over the command line, the command line over the environment, and the environment",
        "over the ini file. pytest's header shows what was chosen, and from which of them.\n",
        "| command line | environment | ini | |\n| --- | --- | --- | --- |",
        *(
            f"| `{settings.option(name)}` | `{settings._variable(name)}` | `{name}` | {text} |"
            for name, text in {**settings.OPTIONS, **settings.FLAGS}.items()
        ),
        *(f"| | | `{name}` | {text} |" for name, text in settings.LISTS.items()),
        f"| | | `{settings.INSTALL_AS_COUCHDB}` | make `import couchdb` import `couchdb_client` |",
        "\n## The marker\n",
        "`@pytest.mark.couch(…)` takes " + ", ".join(f"`{name}`" for name in settings.MARKER_SETTINGS) + ".",
        "The markers of a function, its class and its module are combined; the closest takes precedence. On a real",
        "server, a test is skipped if its marker has " + ", ".join(f"`{name}`" for name in settings.FAKES_ONLY) + ".",
        "\n## Gates\n\n| gate | fails a test for |\n| --- | --- |",
        *(f"| `{name}` | {text} |" for name, text in GATES.items()),
    ]
    return "\n".join(lines) + "\n"


def _fixtures() -> Iterator[str]:
    yield "| fixture | |\n| --- | --- |"
    further = {"couch_admin", "couch_conflict", "couch_gates", "couch_name", "couch_network", "couch_tree"}
    for name in sorted(conftest_plugin.FIXTURES | further):
        function: Any = getattr(conftest_plugin, name)
        yield f"| `{name}` | {_one_line(inspect.getdoc(function._fixture_function) or '')} |"


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|")


def command_line_page() -> str:
    """The command line, from its parser."""
    parser = cli._parser()
    lines = ["# Command line", GENERATED]
    for name, command in _commands(parser):
        text = command.description or _help_of(parser, name)
        lines += [f"## couchfake {name}\n", f"{text[:1].upper()}{text[1:]}.\n", _usage(command)]
        lines += ["| | |\n| --- | --- |", *(_argument(action) for action in command._actions), ""]
    lines += [
        "Exit status: 0 after a clean end, 1 after a failure, 2 for a wrong command. `python -m couchfake` is the same",
        "program. The commands of the client are described in [Tools](../client/tools.md).",
    ]
    return "\n".join(lines) + "\n"


def _usage(command: argparse.ArgumentParser) -> str:
    """The line that says how the command is called, in a block of text."""
    arguments = [action for action in command._actions if not action.option_strings]
    names = [str(action.metavar or action.dest) + ("..." if action.nargs == "+" else "") for action in arguments]
    required = [
        f"{action.option_strings[0]} {action.metavar}"
        for action in command._actions
        if action.option_strings and action.required
    ]
    return f"```text\n{' '.join([command.prog, '[options]', *required, *names])}\n```\n"


def _commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def _help_of(parser: argparse.ArgumentParser, name: str) -> str:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return next(each.help or "" for each in action._choices_actions if each.dest == name)
    return ""


def _argument(action: argparse.Action) -> str:
    metavar = action.metavar if isinstance(action.metavar, str) else None
    if action.option_strings:
        value = "" if action.nargs == 0 else f" {metavar or action.dest.upper()}"
        if action.choices:
            value = " " + ",".join(str(each) for each in action.choices)
        shown = ", ".join(f"`{option}{value}`" for option in action.option_strings)
    else:
        shown = f"`{metavar or action.dest}`"
    text = (action.help or "").replace("%(default)s", str(action.default))
    return f"| {shown} | {_one_line(text)} |"


def control_page() -> str:
    """The requests below ``/_couchfake/``."""
    operations = ControlApi(CouchFake()).operations
    lines = [
        "# The test kit over HTTP",
        GENERATED,
        "`couchfake serve --control` and `CouchFake.start(control=True)` serve these requests below `/_couchfake/`.",
        "[Other languages](../howto/other-languages.md) shows how to use them.\n",
        "| method | path | |\n| --- | --- | --- |",
        *(f"| {each.method} | `/_couchfake/{each.path}` | {_one_line(each.description)} |" for each in operations),
        "\n`POST /_couchfake/faults` accepts these faults. Their arguments are those of the",
        "[methods](couchfake.md#faults) of the same name:",
        ", ".join(f"`{name}`" for name in FAULTS) + ".",
    ]
    return "\n".join(lines) + "\n"


PAGES = {"plugin.md": plugin_page, "command-line.md": command_line_page, "control.md": control_page}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), "utf-8")
