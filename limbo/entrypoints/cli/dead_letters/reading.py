"""Shows dead letters: a page of them, one of them, their causes."""

from limbo.entrypoints.cli.command import Call
from limbo.entrypoints.cli.dead_letters.view import (
    CAUSE_HEADINGS,
    LETTER_HEADINGS,
    cause_row,
    document_with_mail,
    letter_document,
    letter_row,
    letter_text,
)
from limbo.entrypoints.http.api.representations import causes_representation
from limbo.entrypoints.http.api.schemas import MAX_CAUSES
from limbo.ports.dead_letters import DeadLetters


def list_letters(call: Call, dead_letters: DeadLetters) -> int:
    """Show a page of dead letters, and how to get the next page."""
    arguments, console = call.arguments, call.console
    found = dead_letters.list(arguments.limit + 1, arguments.after)
    letters, has_more = found[: arguments.limit], len(found) > arguments.limit
    if arguments.json:
        console.print_json_list([letter_document(each) for each in letters], has_more=has_more)
        return 0
    if letters:
        console.print_table([letter_row(each) for each in letters], headings=LETTER_HEADINGS)
    if has_more:
        page = f"--limit {arguments.limit} --after {letters[-1].id}"
        console.note(f"there are more: limbo dead-letters list {page}")
    elif not letters:
        console.note("no dead letters" if arguments.after is None else "no more dead letters")
    return 0


def show(call: Call, dead_letters: DeadLetters) -> int:
    """Show everything about one dead letter; return 1 if none has that id."""
    arguments, console = call.arguments, call.console
    letter = dead_letters.show(arguments.id)
    if letter is None:
        console.fail(f"not found: {arguments.id}")
        return 1
    if arguments.json:
        show_as = document_with_mail if arguments.mail else letter_document
        console.print_json(show_as(letter))
    else:
        for line in letter_text(letter, with_mail=arguments.mail):
            console.print(line)
    return 0


def causes(call: Call, dead_letters: DeadLetters) -> int:
    """Show how many dead letters each cause has."""
    console = call.console
    counts = dead_letters.causes(MAX_CAUSES)
    if call.arguments.json:
        console.print_json_list(causes_representation(counts)["data"])
    elif counts:
        console.print_table([cause_row(*count) for count in counts], headings=CAUSE_HEADINGS)
    else:
        console.note("no dead letters")
    return 0
