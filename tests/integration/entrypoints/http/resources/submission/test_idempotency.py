"""One key, one mail: over real HTTP, many at once, and with the api killed amid them."""

import json
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.processes import Fleet
from tests.support.working import until

BODY = json.dumps(
    {"from": "me@example.com", "to": "you@example.com", "subject": "Hello", "message": "Hi"}
).encode()


@pytest.fixture(params=["sqlite", "postgresql"])
def fleet(request, tmp_path):
    url = f"sqlite:///{tmp_path}/limbo.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    made = Fleet(tmp_path, {"LIMBO_QUEUE": url, "LIMBO_SENDERS": "fake"})
    yield made
    made.close()


def post_until_answered(url: str, cut_off: list[str]) -> str:
    """Post as a careful client does, again and again; return where the mail is."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        request = urllib.request.Request(
            f"{url}/v1/mail", BODY, headers={"Idempotency-Key": "order-4711"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.headers["Location"]
        except urllib.error.HTTPError as error:
            error.close()
            if error.code not in {409, 503}:
                raise
        except OSError as error:  # refused or reset: the api is dead just now
            cut_off.append(str(error))
            time.sleep(0.02)
    pytest.fail("no answer")


def test_fifty_posts_with_one_key_make_one_mail_though_the_api_is_killed_amid_them(fleet):
    api = fleet.start("api", "api")
    api.wait_until_ready()
    cut_off: list[str] = []
    with ThreadPoolExecutor(50) as pool:
        posts = [pool.submit(post_until_answered, api.url, cut_off) for _ in range(30)]
        for pause in (0.0, 0.01, 0.05):
            time.sleep(pause)
            api.kill()
            if pause:
                posts += [pool.submit(post_until_answered, api.url, cut_off) for _ in range(10)]
                until(lambda: cut_off)
            api.start()
            api.wait_until_ready()
        places = {post.result() for post in posts}
    assert cut_off, "nobody noticed the kills"
    assert len(places) == 1
    worker = fleet.start("worker", "worker")
    worker.wait_until_ready()
    with urllib.request.urlopen(f"{api.url}{places.pop()}?wait=30", timeout=60) as answer:
        assert json.load(answer)["status"] == "sent"
    with urllib.request.urlopen(f"{api.url}/v1/mail", timeout=30) as answer:
        assert len(json.load(answer)["data"]) == 1
    worker.terminate()  # a mail is settled before that is logged
    assert len([line for line in fleet.events() if line["event"] == "mail sent"]) == 1
