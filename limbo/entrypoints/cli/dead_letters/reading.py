"""Shows dead letters: a page of them, one of them, their causes."""

import shlex

from limbo.domain.mail.ids import canonical_id
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
    after = None if arguments.after is None else canonical_id(arguments.after)
    if after is not None and not _is_letter(dead_letters, after):
        console.fail(f"not found: {arguments.after}; begin again without --after")
        return 1
    found = dead_letters.list(arguments.limit + 1, after, arguments.cause)
    letters, has_more = found[: arguments.limit], len(found) > arguments.limit
    if arguments.json:
        console.print_json_list([letter_document(each) for each in letters], has_more=has_more)
        return 0
    if letters:
        console.print_table([letter_row(each) for each in letters], headings=LETTER_HEADINGS)
    if has_more:
        cause = "" if arguments.cause is None else f"--cause {shlex.quote(arguments.cause)} "
        page = f"{cause}--limit {arguments.limit} --after {letters[-1].id}"
        console.note(f"there are more: limbo dead-letters list {page}")
    elif not letters:
        console.note("no dead letters" if arguments.after is None else "no more dead letters")
    return 0


def show(call: Call, dead_letters: DeadLetters) -> int:
    """Show everything about one dead letter; return 1 if none has that id."""
    arguments, console = call.arguments, call.console
    letter = dead_letters.show(canonical_id(arguments.id))
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
    found = dead_letters.causes(MAX_CAUSES + 1)
    counts, has_more = found[:MAX_CAUSES], len(found) > MAX_CAUSES
    if call.arguments.json:
        document = causes_representation(counts, has_more=has_more)
        console.print_json_list(document["data"], has_more=has_more)
    elif counts:
        console.print_table([cause_row(*count) for count in counts], headings=CAUSE_HEADINGS)
        if has_more:
            console.note(f"there are more; these are the {MAX_CAUSES} most frequent")
    else:
        console.note("no dead letters")
    return 0


def _is_letter(dead_letters: DeadLetters, id_: str) -> bool:
    letter = dead_letters.show(id_)
    return letter is not None and letter.id == id_
