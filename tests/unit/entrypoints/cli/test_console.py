import json
import sys

import pytest

from limbo.entrypoints.cli.console import Console
from tests.support.command_line import a_console


@pytest.mark.parametrize(
    "text", ["Bücher", "\x1b[2J", "\x9b1m", "a\u202eb", "\ud800", "\x7f\u2028"]
)
def test_json_holds_any_text_and_shows_none_that_a_terminal_obeys(text):
    console = a_console()
    console.print_json({"name": text})
    shown = console.out.getvalue()
    assert json.loads(shown) == {"name": text}
    assert shown.replace("\n", "").isprintable()
    assert shown.endswith("}\n")


def test_json_keeps_letters_readable():
    console = a_console()
    console.print_json({"name": "Bücher"})
    assert "Bücher" in console.out.getvalue()


@pytest.mark.parametrize("has_more", [False, True])
def test_a_list_says_whether_it_goes_on(has_more):
    console = a_console()
    console.print_json_list([1, 2], has_more=has_more)
    assert json.loads(console.out.getvalue()) == {"data": [1, 2], "has_more": has_more}


def test_a_table_fits_the_console():
    console = a_console(width=30)
    console.print_table([("1", "x" * 60)], headings=("N", "TEXT"))
    assert console.out.getvalue() == f"N  TEXT\n1  {'x' * 26}…\n"


def test_results_and_notes_go_separate_ways():
    console = a_console()
    console.print("result")
    console.note("by the way")
    console.fail("broken")
    assert console.out.getvalue() == "result\n"
    assert console.err.getvalue() == "by the way\nlimbo: broken\n"


def test_the_standard_console_is_this_process_s(capsys):
    console = Console.standard()
    assert (console.out, console.err, console.input) == (sys.stdout, sys.stderr, sys.stdin)
    assert console.width is None
    console.note("heard")
    assert capsys.readouterr().err == "heard\n"
