import pytest

from limbo.entrypoints.cli.table import printable, table

ROWS = [("ID", "WHO", "WHY"), ("1", "somebody", "x" * 60), ("22", "", "y")]


def test_columns_are_as_wide_as_their_widest_cell_and_what_is_empty_is_a_dash():
    assert list(table(ROWS, None)) == [
        "ID  WHO       WHY",
        f"1   somebody  {'x' * 60}",
        "22  -         y",
    ]


@pytest.mark.parametrize(
    ("width", "cut", "longest"), [(50, -1, 50), (75, -1, 74), (200, -1, 74), (20, -1, 14 + 24)]
)
def test_one_column_gives_way_to_the_terminal_but_keeps_24_characters(width, cut, longest):
    lines = list(table(ROWS, width, cut=cut))
    assert max(map(len, lines)) == longest
    assert ("…" in lines[1]) == (longest < 74)


def test_any_column_can_be_the_one_that_gives_way():
    rows = [("1", "a" * 60, "kept"), ("2", "b", "too")]
    first, second = table(rows, 40, cut=1)
    assert first == f"1  {'a' * 30}…  kept"
    assert second == f"2  b{' ' * 30}  too"


def test_no_rows_are_no_lines():
    assert list(table([], 80)) == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("Bücher 本", "Bücher 本"),
        ("\x1b[2Jgone", "[2Jgone"),
        ("a\r\n\tb", "a b"),
        ("\x9b1m", "1m"),
        ("a\u202eb", "a b"),
        ("\ud800", ""),
        (" \x00 ", ""),
    ],
)
def test_nothing_that_a_terminal_obeys_is_shown(text, shown):
    assert printable(text) == shown
    [line] = table([(text, "end")], None)
    assert line.isprintable()
