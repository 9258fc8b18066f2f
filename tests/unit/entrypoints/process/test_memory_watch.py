from limbo.entrypoints.process.memory_watch import MemoryWatch

MIB = 1_048_576


class Process:
    """A process that is as large as it is told, and counts how often it gave memory back."""

    def __init__(self):
        self.size = 60 * MIB
        self.given_back = 0

    def give_back(self):
        self.given_back += 1


def watched():
    process = Process()
    return process, MemoryWatch(lambda: process.size, process.give_back)


def test_a_process_that_has_not_grown_gives_nothing_back():
    process, watch = watched()
    process.size += 2 * MIB
    watch.look()
    assert process.given_back == 0


def test_memory_is_given_back_for_as_long_as_the_process_is_larger_than_before():
    process, watch = watched()
    process.size += 70 * MIB
    for _ in range(3):  # what is freed in between does not show
        watch.look()
    process.size = 61 * MIB
    watch.look()
    assert process.given_back == 3


def test_larger_than_before_counts_from_the_smallest_that_it_was():
    process, watch = watched()
    process.size = 40 * MIB
    watch.look()
    process.size = 55 * MIB
    watch.look()
    assert process.given_back == 1
