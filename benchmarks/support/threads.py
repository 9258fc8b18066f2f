"""The floor of sending: a pool of threads that call ``requests``, and do nothing else.

    python -m benchmarks.support.threads URL THREADS MAILS

Prints how many mails it sent per second.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import requests
from requests.adapters import HTTPAdapter

from benchmarks.support.load import MAIL

_FORM = [
    ("from", MAIL["from"]),
    ("to", MAIL["to"][0]),
    ("subject", MAIL["subject"]),
    ("text", MAIL["message"]),
    ("h:Message-Id", "<01a20be8-6d8c-7007-903e-3fbfbed31fb9@example.org>"),
    ("v:limbo_id", "01a20be8-6d8c-7007-903e-3fbfbed31fb9"),
]


def main(url: str, threads: int, mails: int) -> None:
    session = requests.Session()
    session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=threads))

    def send(_: int) -> None:
        response = session.post(url, data=_FORM, auth=("api", "key"), timeout=(3, 10))
        if not response.json()["id"]:
            raise RuntimeError

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(send, range(threads)))
        started = time.perf_counter()
        list(pool.map(send, range(mails)))
        print(mails / (time.perf_counter() - started))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
