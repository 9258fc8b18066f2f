import argparse

import pytest

from limbo.entrypoints.cli.command import Call, Command, CommandGroup, add_commands, call
from tests.support.command_line import a_console


def _greet(made: Call) -> int:
    if not made.arguments.name:
        made.refuse("whom to greet?")
    made.console.print(f"{made.environ['GREETING']} {made.arguments.name}")
    return 7


GREET = Command(
    name="greet",
    summary="greet somebody",
    description="Greets somebody by name.",
    run=_greet,
    add_arguments=lambda parser: parser.add_argument("name") and None,
)
PING = Command(
    name="ping",
    summary="ping",
    description="Pings.",
    run=lambda made: int(made.arguments.json),
    prints_json=True,
)
GROUP = CommandGroup(name="manners", summary="be polite", description="Is polite.", actions=[GREET])


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="limbo")
    add_commands(parser, [PING, GROUP])
    return parser


def test_an_action_runs_with_its_arguments_and_the_environment(parser):
    console = a_console()
    code = call(parser.parse_args(["manners", "greet", "Ada"]), {"GREETING": "Hi"}, console)
    assert (code, console.out.getvalue()) == (7, "Hi Ada\n")


@pytest.mark.parametrize(("option", "code"), [([], 0), (["--json"], 1)])
def test_a_command_that_prints_json_has_the_option(parser, option, code):
    assert call(parser.parse_args(["ping", *option]), {}, a_console()) == code


@pytest.mark.parametrize(
    "line", ["", "nothing", "manners", "manners nothing", "manners greet Ada --json"]
)
def test_wrong_usage_exits_with_2(parser, capsys, line):
    with pytest.raises(SystemExit) as raised:
        parser.parse_args(line.split())
    assert raised.value.code == 2
    assert "usage: limbo" in capsys.readouterr().err


def test_a_command_can_refuse_what_it_was_given(parser, capsys):
    with pytest.raises(SystemExit) as raised:
        call(parser.parse_args(["manners", "greet", ""]), {}, a_console())
    assert raised.value.code == 2
    assert "limbo manners greet: error: whom to greet?" in capsys.readouterr().err
