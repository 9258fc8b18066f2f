"""A program that has imported limbo, and forks into each process of limbo that is asked for.

    python -m tests.support.template SOCKET

Each request is a message on that socket: arguments, environment and folder as JSON, with three
descriptors: standard output, standard error, and a pipe. Into the pipe go two numbers: the
process's id when it starts, its exit code when it has ended.
"""

import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import struct
import sys
import threading

import limbo
from limbo.entrypoints.cli.main import main

REQUEST_BYTES = 1 << 17  # more than an environment takes, less than a socket's buffer holds
NUMBER = struct.Struct("i")


def import_all() -> None:
    """Import every module of limbo, and so all that limbo is made of."""
    for module in pkgutil.walk_packages(limbo.__path__, "limbo."):
        importlib.import_module(module.name)


class Template:
    """The template's side of the socket."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._pipes: dict[int, int] = {}
        self._ends, self._end = os.pipe()
        os.set_blocking(self._end, False)
        signal.set_wakeup_fd(self._end)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # or the pipe would not hear of it
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, which end this

    def serve(self) -> list[str] | None:
        """Fork until nobody asks any more; return twice: None here, its arguments in a child."""
        while True:
            ready, _, _ = select.select([self._requests, self._ends], [], [])
            if self._ends in ready:
                os.read(self._ends, 4096)
                self._tell_ends()
            if self._requests in ready:
                message, pipes, _, _ = socket.recv_fds(self._requests, REQUEST_BYTES, 3)
                if not message:
                    return None
                if self._fork(pipes):
                    return _become(message, pipes)

    def kill_all(self) -> None:
        """End what nobody can end any more."""
        for pid in self._pipes:
            os.kill(pid, signal.SIGKILL)

    def _fork(self, pipes: list[int]) -> bool:
        """Fork; return whether this is the child."""
        assert threading.active_count() == 1, "a fork would lose the other threads"
        pid = os.fork()
        if not pid:
            self._forget()
            return True
        out, error, news = pipes
        os.close(out)
        os.close(error)
        self._pipes[pid] = news
        os.write(news, NUMBER.pack(pid))
        return False

    def _forget(self) -> None:
        """Let the child know nothing of the template."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._requests.close()
        for descriptor in (self._ends, self._end, *self._pipes.values()):
            os.close(descriptor)

    def _tell_ends(self) -> None:
        while self._pipes:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            news = self._pipes.pop(pid)
            try:
                os.write(news, NUMBER.pack(os.waitstatus_to_exitcode(status)))
            except BrokenPipeError:
                pass  # nobody wants to know
            finally:
                os.close(news)


def _become(message: bytes, pipes: list[int]) -> list[str]:
    """Make this process the one that was asked for; return its arguments."""
    request = json.loads(message)
    for number, descriptor in enumerate(pipes[:2], start=1):
        os.dup2(descriptor, number)
    for descriptor in pipes:
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["environ"])
    os.chdir(request["cwd"])
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup has the tests ignore
    sys.argv[1:] = request["arguments"]
    return sys.argv[1:]


if __name__ == "__main__":
    import_all()
    template = Template(socket.socket(fileno=int(sys.argv[1])))
    arguments = template.serve()
    if arguments is None:
        template.kill_all()
    else:
        sys.exit(main(arguments))
