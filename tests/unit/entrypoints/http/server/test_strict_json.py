import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbo.entrypoints.http.server.strict_json import NotJson, parse_object

BROKEN = [
    (b"", "the body is empty; it must be a JSON object"),
    (b" \r\n", "the body is empty; it must be a JSON object"),
    (b"{", "the body is not JSON: Expecting property name enclosed in double quotes"),
    (b'{"a": 1}x', "the body is not JSON: Extra data at line 1, column 9"),
    (b'{"a":\n "b}', "the body is not JSON: Unterminated string starting at line 2, column 2"),
    (b'{"a": "b\x00"}', "the body is not JSON: Invalid control character at line 1, column 9"),
    (b'{"a": 01}', "the body is not JSON: Expecting ',' delimiter at line 1, column 8"),
    (b"\xef\xbb\xbf{}", "the body begins with a byte order mark; send UTF-8 without one"),
    ('{"a": 1}'.encode("utf-16"), "the body is UTF-16 or UTF-32; send UTF-8"),
    ('{"a": 1}'.encode("utf-16-le"), "the body is UTF-16 or UTF-32; send UTF-8"),
    ('{"a": 1}'.encode("utf-16-be"), "the body is UTF-16 or UTF-32; send UTF-8"),
    ('{"a": 1}'.encode("utf-32"), "the body is UTF-16 or UTF-32; send UTF-8"),
    (b'{\n"a": "\xff"}', "the body is not UTF-8 at line 2, column 7"),
    (b'{"a": "\xed\xa0\x80"}', "the body is not UTF-8 at line 1, column 8"),
    (b'{"a": NaN}', "the body is not JSON: NaN and Infinity are no numbers at line 1, column 7"),
    (b'{"NaN":\n-Infinity}', "the body is not JSON: NaN and Infinity are no numbers at line 2, c"),
    (b"NaN", "the body is not JSON: NaN and Infinity are no numbers at line 1, column 1"),
    (b'{"a":1,\n "a":2}', "a: given twice in one object at line 2, column 2"),
    (b'{"b":{"x":[{"c":1,"c":1}]}}', "c: given twice in one object at line 1, column 19"),
    (b'{"a":1,"a":{"b":1,"b":2}}', "b: given twice in one object at line 1, column 19"),
    (b'{"a":1,"\\u0061":2}', "a: given twice in one object at line 1, column 8"),
    (b'{"x y":1,"x y":2}', "a name: given twice in one object at line 1, column 10"),
    (b"[" * 100_000, "the body is nested too deeply"),
    (b'{"a":' * 100_000, "the body is nested too deeply"),
    (b"[" * 100_000 + b"]" * 100_000, "the body is nested too deeply"),
    (b"[]", "the body must be a JSON object: {…}"),
    (b'"a"', "the body must be a JSON object: {…}"),
    (b"null", "the body must be a JSON object: {…}"),
    (b"9" * 5000, "the body must be a JSON object: {…}"),
]


@pytest.mark.parametrize(("body", "problem"), BROKEN, ids=range(len(BROKEN)))
def test_says_what_is_wrong_and_where(body, problem):
    with pytest.raises(NotJson) as error:
        parse_object(body)
    assert str(error.value).startswith(problem)


def test_a_number_of_any_length_is_a_number():
    assert parse_object(b'{"a": %s, "b": 12, "c": 1e999}' % (b"9" * 300)) == {
        "a": 1e300,
        "b": 12,
        "c": float("inf"),
    }
    assert parse_object(b'{"a": -%s}' % (b"9" * 500_000)) == {"a": float("-inf")}


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,' + b'"\\"' * 300_000,
        b'{"a":1,"a":2, "b":"' + b'\\"' * 400_000 + b'"}',
        b'{"b":"' + b'\\"' * 400_000 + b'","a":1,"a":2}',
        b"[" + b"NaN," * 200_000,
        b'{"a":' + b"9" * 1_000_000,
        b'{"a":' + b"1." + b"9" * 1_000_000 + b"}",
        b"{" + b",".join(b'"%d":1' % n for n in range(90_000)) + b',"0":1}',
    ],
    ids=range(7),
)
def test_a_hostile_megabyte_costs_little(body):
    started = time.thread_time()
    with contextlib.suppress(NotJson):
        parse_object(body)
    assert time.thread_time() - started < 2  # slow machines, coverage


TEXT = st.text(max_size=10)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | TEXT,
    lambda children: st.lists(children) | st.dictionaries(TEXT, children),
    max_leaves=8,
)


@given(st.dictionaries(TEXT, VALUES, max_size=5), st.booleans())
def test_reads_what_pythons_own_writer_writes(document, ascii_only):
    text = json.dumps(document, ensure_ascii=ascii_only)
    assert parse_object(text.encode()) == document


@given(st.binary())
def test_whatever_is_sent_is_an_object_or_a_problem_of_one_line(body):
    try:
        outcome = parse_object(body)
    except NotJson as error:
        outcome = str(error)
    assert isinstance(outcome, dict) or outcome.isprintable()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), min_size=1))
def test_a_name_given_twice_is_always_found(pairs):
    body = "{" + ",".join(f'"{name}":{value}' for name, value in pairs) + "}"
    if len(dict(pairs)) == len(pairs):
        assert parse_object(body.encode()) == dict(pairs)
    else:
        with pytest.raises(NotJson, match=r"[abc]: given twice in one object at line 1, column"):
            parse_object(body.encode())
