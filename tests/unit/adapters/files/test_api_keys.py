import contextlib
import fcntl
import json
import multiprocessing
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from limbo.adapters.files.api_keys import FileApiKeys, _signature
from limbo.adapters.files.replaced_file import replace_file
from limbo.domain.access.networks import NO_NETWORKS
from limbo.domain.errors import ApiKeysUnavailable
from tests.contracts.api_keys import REVOKED, ApiKeysContract, a_key, found
from tests.support.clock import Clock


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A path whose file nobody else may write, whatever the machine's own mask."""
    before = os.umask(0o022)
    yield tmp_path / "keys.json"
    os.umask(before)


@pytest.fixture
def keys(path: Path) -> FileApiKeys:
    path.write_text('{"v": 1, "keys": []}')
    return FileApiKeys(path)


class TestFileKeys(ApiKeysContract):
    pass


def document(**changes: object) -> dict[str, object]:
    return {
        "id": "0123456789",
        "name": "shop",
        "sha256": "ab" * 32,
        "scopes": ["send"],
        "from": ["@shop.example"],
        "created_at": 1_700_000_000,
        **changes,
    }


def written(*items: object, **changes: object) -> str:
    return json.dumps({"v": 1, "keys": items, **changes})


def test_a_first_key_makes_a_file_that_only_its_owner_may_read(path):
    key = a_key()
    FileApiKeys(path).add(key)
    assert path.stat().st_mode & 0o777 == 0o600
    assert found(FileApiKeys(path), key.id) == key
    assert not [*path.parent.glob("*.json.*[!k]")]


def test_a_file_that_is_there_keeps_its_mode_and_its_link(path, tmp_path):
    target = tmp_path / "target.json"
    target.write_text(written())
    target.chmod(0o640)
    path.symlink_to(target)
    key = a_key()
    FileApiKeys(path).add(key)
    assert path.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o640
    assert FileApiKeys(target).list() == [key]


def test_a_change_is_seen_at_once_whoever_makes_it(path, keys):
    key = a_key()
    other = FileApiKeys(path)
    assert found(keys, key.id) is None
    other.add(key)
    assert found(keys, key.id) == key
    other.revoke(key.id, REVOKED)
    assert found(keys, key.id).is_revoked
    path.write_text(path.read_text().replace(str(REVOKED), "null"))
    assert found(keys, key.id) == key


def test_a_change_that_cannot_be_told_by_the_file_s_times_is_seen_soon(path):
    clock = Clock()
    keys = FileApiKeys(path, now=clock.now)
    key = a_key()
    keys.add(key)
    assert found(keys, key.id).name == "shop"
    before = path.stat()
    path.write_text(path.read_text().replace('"shop"', '"SHOP"'))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    keys._signature = _signature(path.stat())  # noqa: SLF001 - no clock's tick can be waited for
    assert found(keys, key.id).name == "shop"
    clock.time += 2
    assert found(keys, key.id).name == "SHOP"


BROKEN = [
    ("", "line 1 column 1"),
    ('{"v": 1,\n "keys": [}', "line 2 column 11"),
    ("[]", "must be an object"),
    ('{"v": 1}', "must be an object"),
    ('{"v": 2, "keys": []}', "newer limbo"),
    (written(also=1), "nothing else"),
    ("[" * 100_000, "line 1"),
    (written(1), "keys[0]: must be an object"),
    (written(document(), document()), "keys[1]: id: is that of another key"),
    (written(document(), {}), "keys[1]: id: must be a string"),
    (written(document(id="x")), "keys[0]: id: is not that of a key"),
    (written(document(name=1)), "keys[0]: name: must be a string"),
    (written(document(sha256="AB" * 32)), "keys[0]: sha256: must be 64 hex"),
    (written(document(sha256="é" * 64)), "keys[0]: sha256: must be 64 hex"),
    (written(document(scopes=[])), "keys[0]: scopes: must name one"),
    (written(document(scopes="send")), "keys[0]: scopes: must be a list"),
    (written(document(scopes=["root"])), "keys[0]: scopes: must be of"),
    (written(document(**{"from": []})), "keys[0]: from: must say"),
    (written(document(**{"from": ["nobody"]})), "keys[0]: from: must be boss@"),
    (written(document(rate="fast")), "keys[0]: rate: must be a rate"),
    (written(document(client="Shop")), "keys[0]: client: must be 1 to 64 of a-z"),
    (written(document(client="anonymous")), "keys[0]: client: must not be anonymous"),
    (written(document(networks=["10.0.0.1/8"])), "keys[0]: networks: has bits behind"),
    (written(document(networks="10.0.0.0/8")), "keys[0]: networks: must be a list"),
    (written(document(read_rate="fast")), "keys[0]: read_rate: must be a rate"),
    (written(document(expires_at="soon")), "keys[0]: expires_at: must be seconds"),
    (written(document(created_at="now")), "keys[0]: created_at: must be seconds"),
    (written(document(created_at=True)), "keys[0]: created_at: must be seconds"),
    (written(document(created_at=-1)), "keys[0]: created_at: must be in the years"),
    (written(document(revoked_at=False)), "keys[0]: revoked_at: must be seconds"),
    (written(document(revoked=1)), "keys[0]: revoked: is none of id, client"),
    (written(document()) + " " * 17_000_000, "larger than"),
]


def test_a_file_of_an_older_limbo_is_read_and_one_without_news_is_as_it_wrote(path):
    path.write_text(written(document(rate="3/min", revoked_at=None)))
    keys = FileApiKeys(path)
    [key] = keys.list()
    assert (key.client.id, key.networks, key.expires_at) == (key.id, NO_NETWORKS, None)
    keys.update(key)
    [item] = json.loads(path.read_text())["keys"]
    assert item == document(rate="3/min", revoked_at=None, created_at=1_700_000_000.0)


@pytest.mark.parametrize("mode", [0o666, 0o602, 0o660, 0o620])
def test_a_file_that_others_may_write_lets_nobody_in(path, mode):
    key = a_key()
    keys = FileApiKeys(path)
    keys.add(key)
    assert keys.list() == [key]
    path.chmod(mode)
    for use in (keys.list, lambda: keys.find([key.id]), lambda: keys.add(a_key())):
        with pytest.raises(ApiKeysUnavailable, match="others than its owner may write it"):
            use()
    path.chmod(0o644)
    assert keys.list() == [key]


def test_the_uses_lie_beside_the_keys_and_need_not_be_readable(path, keys):
    key = a_key()
    keys.add(key)
    before = path.read_bytes()
    keys.note_uses({key.id: REVOKED})
    assert found(FileApiKeys(path), key.id).last_used_at == REVOKED
    assert path.read_bytes() == before
    uses = path.with_name("keys.json.uses")
    for text in ("{", "[]", f'{{"{key.id}": true}}'):
        uses.write_text(text)
        assert keys.list() == [key]
    uses.unlink()
    uses.mkdir()
    assert keys.list() == [key]
    with pytest.raises(ApiKeysUnavailable, match="directory"):
        keys.note_uses({key.id: REVOKED})


@pytest.mark.parametrize(("text", "says"), BROKEN, ids=range(len(BROKEN)))
def test_a_broken_file_says_in_one_line_where_and_repeats_nothing(path, text, says):
    path.write_text(text)
    with pytest.raises(ApiKeysUnavailable) as raised:
        FileApiKeys(path).list()
    told = str(raised.value)
    assert says in told
    assert str(path) in told
    assert "\n" not in told
    for hidden in ("ab" * 32, "shop.example", "nobody"):
        assert hidden not in told


@pytest.mark.parametrize("problem", ["missing", "folder", "unsuitable"])
def test_says_in_one_line_why_a_file_cannot_be_read(tmp_path, problem):
    path = {"missing": tmp_path / "x", "folder": tmp_path, "unsuitable": tmp_path / "a/b"}[problem]
    (tmp_path / "a").touch()
    with pytest.raises(ApiKeysUnavailable, match=r": (No|Is|Not)"):
        FileApiKeys(path).list()


def test_a_file_that_breaks_later_lets_no_key_in_and_undoes_no_revocation(path, keys):
    key = a_key()
    keys.add(key)
    whole = path.read_text()
    assert found(keys, key.id) == key
    path.write_text(whole[:-20])
    for _ in range(2):
        with pytest.raises(ApiKeysUnavailable, match="line"):
            found(keys, key.id)
    path.unlink()
    with pytest.raises(ApiKeysUnavailable, match="No such file"):
        found(keys, key.id)
    path.write_text(whole)
    assert found(keys, key.id) == key


@pytest.mark.parametrize("change", ["add", "revoke"])
def test_nothing_is_written_over_a_broken_file(path, keys, change):
    path.write_text("{")
    with pytest.raises(ApiKeysUnavailable, match="line 1"):
        keys.add(a_key()) if change == "add" else keys.revoke("0123456789", REVOKED)
    assert path.read_text() == "{"


def test_a_lock_that_is_held_too_long_is_given_up(path, keys):
    keys = FileApiKeys(path, lock_seconds=0.1)
    keys.add(a_key())
    with (path.parent / ".keys.json.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ApiKeysUnavailable, match="another process has been writing"):
            keys.add(a_key())
    keys.add(a_key())


def test_what_cannot_be_put_in_place_leaves_nothing_behind(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        replace_file(tmp_path / "folder", b"keys")
    assert [item.name for item in tmp_path.iterdir()] == ["folder"]


def _add(path: Path, number: int) -> None:
    keys = FileApiKeys(path)
    for _ in range(number):
        keys.add(a_key())


def test_processes_that_create_at_once_lose_no_key_and_readers_see_whole_files(path, keys):
    spawn = multiprocessing.get_context("spawn")
    creators = [spawn.Process(target=_add, args=(path, 10)) for _ in range(3)]
    stop = threading.Event()
    seen: list[int] = []

    def read() -> None:
        while not stop.is_set():
            seen.append(len(keys.list()))

    reader = threading.Thread(target=read)
    reader.start()
    with contextlib.ExitStack() as stack:
        stack.callback(reader.join, 30)
        stack.callback(stop.set)
        for creator in creators:
            creator.start()
        for creator in creators:
            creator.join(30)
    assert [creator.exitcode for creator in creators] == [0, 0, 0]
    assert len(FileApiKeys(path).list()) == 30
    assert seen == sorted(seen)
    assert sorted(item.name for item in path.parent.iterdir()) == [".keys.json.lock", "keys.json"]
