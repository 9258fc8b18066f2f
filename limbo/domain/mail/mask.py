"""Masks what a mail holds in the short answer of a provider."""

from collections.abc import Iterable, Iterator

from limbo.domain.mail.text import MASKED_ADDRESS, one_space, plain, without_addresses

_MOST_OF_A_WORD = 4000  # characters; no text that is masked is as long
_LEAST_BEGUN = 4  # characters of a word that is cut off; fewer may stand there by chance
_HEAD = 64  # characters of a word of which it is first asked whether the text has them
_ENOUGH = 24  # letters of those, without white space


def mask_words(text: str, words: Iterable[str]) -> str:
    """Return the text with an ellipsis in place of each word, in upper or lower case.

    A word is found as it stands in a mail, and as ``redact`` has perhaps made it a part of the
    text: with other white space, without its addresses, cut at the end. The words may be megabytes
    of a mail, so it is asked first whether the short text has the beginning of one.
    """
    folded, origins = [], []
    for index, letter in enumerate(text):
        folded.append(_folded(letter))
        origins += [index] * len(folded[-1])
    masked, end = [], 0
    for start, stop in sorted(_spans("".join(folded), words)):
        first, last = origins[start], origins[stop - 1]
        if first >= end:
            masked += [text[end:first], "…"]
        end = max(end, last + 1)
    return "".join([*masked, text[end:]])


class _Likely:
    """Tells at once of most words that they are not in the text, whatever their white space."""

    def __init__(self, folded: str) -> None:
        self._marrow = _marrow(folded)
        self._may_hold_masked = MASKED_ADDRESS[0] in folded
        self._ends: set[str] = set()
        if (cut := folded.removesuffix("…")) != folded:
            ends = (_marrow(cut[-length:]) for length in range(_LEAST_BEGUN, len(cut) + 1))
            self._ends = {end for end in ends if len(end) < _ENOUGH}
        self._initials = {end[:1] for end in self._ends}

    def __call__(self, word: str) -> bool:
        """Return False only for a word none of whose forms is in the text."""
        if self._may_hold_masked and "@" in word:
            return True
        begin = _marrow(_folded(word[:_HEAD]))[:_ENOUGH]
        if begin in self._marrow:
            return True
        lengths = range(1, len(begin)) if begin[0] in self._initials else ()
        return any(begin[:length] in self._ends for length in lengths)


def _marrow(folded: str) -> str:
    """Return the letters alone, without what white space and ``one_space`` may change."""
    return "".join(plain(folded).split())


def _spans(folded: str, words: Iterable[str]) -> Iterator[tuple[int, int]]:
    cut = folded.removesuffix("…")
    is_likely = _Likely(folded)
    likely = (word[:_MOST_OF_A_WORD] for word in words if is_likely(word))
    for form in {_folded(form) for word in likely for form in _forms(word)} - {""}:
        start = folded.find(form)
        while start >= 0:
            yield start, start + len(form)
            start = folded.find(form, start + len(form))
        if len(cut) < len(folded) and (begun := _begun(form, cut)) is not None:
            yield begun, len(cut)


def _begun(word: str, text: str) -> int | None:
    """Return where the word begins that the end of the text has cut off, if it is one."""
    start = text.find(word[:_LEAST_BEGUN], max(0, len(text) - len(word)))
    while start >= 0:
        if word.startswith(text[start:]):
            return start
        start = text.find(word[:_LEAST_BEGUN], start + 1)
    return None


def _forms(word: str) -> set[str]:
    redacted = one_space(without_addresses(word))
    return {word, one_space(word), *([] if redacted == MASKED_ADDRESS else [redacted])}


def _folded(text: str) -> str:
    """Make texts equal that differ only in case. The letter i has a third and a fourth case."""
    if text.isascii():
        return text.lower()
    return text.upper().casefold().replace("\u0307", "")
