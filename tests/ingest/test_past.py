"""A pattern over what is stored: it finds a secret however it is written, takes only that, and twice is once."""

import base64
import json
import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyelet_ingest.errors import BadInput
from eyelet_ingest.jsontext import parse
from eyelet_ingest.past import Cleaner, Pattern
from eyelet_ingest.past_views import ESCAPE, View, unescaped, unescaped_all
from eyelet_ingest.past_walk import rebuilt
from eyelet_ingest.redaction import Redactor

KEY = bytes(range(32))
SECRETS = st.text(st.sampled_from('abXY01"\\/%+\n\té€😀 &<'), min_size=4, max_size=12).filter(lambda text: text.strip())
AROUND = st.text(st.sampled_from('mn. ,"{}[]:%é\n'), max_size=12)


def of(pattern: str, kind: str = "custom") -> Cleaner:
    return Pattern(pattern, kind).cleaner(KEY)


def literal(secret: str) -> str:
    return re.escape(secret)


def marker(secret: str) -> str:
    return Redactor(KEY).marker("custom", secret)


@given(SECRETS, AROUND, AROUND, st.integers(0, 3), st.booleans())
def test_a_secret_behind_any_levels_of_jsons_escapes_goes_and_the_rest_stays(
    secret: str, before: str, after: str, levels: int, ascii: bool
) -> None:
    text, plain = f"{before}{secret}{after}", f"{before}{marker(secret)}{after}"
    if secret in before + after or (before + after).count(secret[0]):
        return  # the pattern would find it elsewhere, too
    for _ in range(levels):
        text, plain = json.dumps(text, ensure_ascii=ascii), json.dumps(plain, ensure_ascii=ascii)
    assert of(literal(secret)).text(text) == plain


@given(
    st.recursive(
        SECRETS | st.integers() | st.booleans() | st.none(), lambda one: st.lists(one) | st.dictionaries(SECRETS, one)
    )
)
def test_values_are_redacted_at_any_place_and_twice_is_once(value: object) -> None:
    cleaner = of("[ab01]{3}|XYX")
    safe = cleaner.value(value)
    assert cleaner.value(safe) is safe
    text = json.dumps(safe, ensure_ascii=False)
    for piece in re.split(r"\[redacted:custom:[0-9a-f]{6}\]", text):
        assert not re.search("[ab01]{3}|XYX", piece)
    parse(text)


@pytest.mark.parametrize("secret", ["hunter22", "p&ss w/rd?é", "tail=="])
def test_the_same_secret_has_one_marker_in_json_urls_and_base64(secret: str) -> None:
    cleaner = of(literal(secret))
    packed = base64.b64encode(f"user:{secret} and more".encode()).decode()
    for text, expected in (
        (f"x {secret} y", f"x {marker(secret)} y"),
        (f"https://h/?p={quote(secret, safe='')}&q=1", f"https://h/?p={marker(secret)}&q=1"),
        (f"Basic {packed}", f"Basic {marker(secret)}"),
        (f"Basic {packed.replace('+', '-').replace('/', '_').rstrip('=')}", f"Basic {marker(secret)}"),
    ):
        assert cleaner.text(text) == expected


def test_a_group_named_secret_says_what_goes() -> None:
    assert (
        of(r"db_pass is (?P<secret>\w{4,20})").text("db_pass is hunter22, ok") == f"db_pass is {marker('hunter22')}, ok"
    )
    assert of(r"key(?:=(?P<secret>\w{4,20}))?!").text("key! key=abcd!") == f"{marker('key!')} key={marker('abcd')}!"


def test_the_marker_is_the_one_that_the_rules_make() -> None:
    token = "ghp_" + "a1B2" * 9
    assert of("ghp_[A-Za-z0-9]{36}", "github-token").text(token) == Redactor(KEY).text(token)


@pytest.mark.parametrize("pattern", ["redacted", "[a-z]{3}", r"\[[a-z:0-9]{3,40}\]", ".{3}", "[0-9a-f]{6}"])
def test_markers_stay_whatever_the_pattern_says(pattern: str) -> None:
    text = f"{marker('x')} [redacted:password]"
    assert of(pattern).text(text) is text


def test_a_match_ends_at_a_marker() -> None:
    cleaner = of(r"pw [^,]{3,60}")
    once = cleaner.text(f"a pw xyz{marker('y')}z, b")
    assert once == f"a {marker('pw xyz')}{marker('y')}z, b"
    assert cleaner.text(once) is once


def test_what_still_comes_to_light_after_many_passes_goes_whole() -> None:
    cleaner = of(r"[0-9]{3}\b")
    once = cleaner.text("7" * 400)
    assert not re.search(r"[0-9]{3}\b", re.sub(r"\[redacted:custom:[0-9a-f]{6}\]", " ", once))
    assert cleaner.text(once) is once


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le"])
def test_bytes_that_are_no_json_are_redacted_in_the_encodings_there_are(encoding: str) -> None:
    safe = of("hunter22").bytes("half hunter22 é".encode(encoding))
    assert marker("hunter22").encode() in safe and b"hunter22" not in safe
    whole = b"\xff nothing \xfe"
    assert of("hunter22").bytes(whole) is whole


def test_keys_that_become_the_same_lose_no_value() -> None:
    value = {"a": 1, "b": 2, "x#1": 3, "x": {"c": 4}}
    safe = rebuilt(value, lambda text: "x" if text in "abc" else text, lambda number: number)
    assert isinstance(safe, dict) and sorted(map(str, safe.values())) == ["1", "2", "3", "{'x': 4}"]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("ab(c", "no regular expression, at character 3"),
        ("hunter[22", "no regular expression, at character 7"),
        ("", "1 to"),
        ("x?", "fewer than 3"),
        ("(hunter+)+22", "in a repeat"),
        ("hunter.*22", "without end"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused_with_the_place_and_without_its_words(pattern: str, said: str) -> None:
    with pytest.raises(BadInput, match=re.escape(said)) as caught:
        Pattern(pattern)
    assert caught.value.hint and "hunter" not in str(caught.value)


def test_receipts_are_told_a_keyed_hash_of_the_pattern() -> None:
    one, other = Pattern("hunter22"), Pattern("hunter23")
    assert one.told(KEY) == Pattern("hunter22").told(KEY) != other.told(KEY)
    assert one.told(KEY) != one.told(KEY[::-1])
    assert "hunter22" not in str(one.told(KEY))


VALUES = st.recursive(
    SECRETS | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text(max_size=8),
    lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=5), one, max_size=3),
    max_leaves=8,
)
WRITTEN = (
    json.dumps,
    lambda value: json.dumps(value, ensure_ascii=False),
    lambda value: json.dumps(json.dumps(value)),
    lambda value: re.sub("X", r"\\u0058", json.dumps(value)),
    lambda value: json.dumps({"x": quote(json.dumps(value), safe="")}),
    lambda value: json.dumps([base64.b64encode(json.dumps(value).encode()).decode()]),
)


@pytest.mark.parametrize("pattern", ["aba", "(?i)bab", "[abX]{3}", "a[bX][0-9]", "0[0-9]{2}", r"\bab[XY]", "ab.{0,3}b"])
@given(VALUES, st.sampled_from(WRITTEN))
def test_where_a_pattern_may_not_be_held_nothing_would_change(
    pattern: str, value: object, write: Callable[[object], str]
) -> None:
    cleaner, text = of(pattern), write(value)
    if not cleaner.may_hold(text):
        found = parse(text)
        assert cleaner.value(found) is found
        assert cleaner.text(text) is text


@given(st.text(st.sampled_from('\\\\\\u00dD83"e/nbx1'), max_size=40))
def test_escapes_mean_the_same_all_at_once_and_one_by_one(text: str) -> None:
    assert unescaped_all(text) == View(text, ESCAPE, unescaped).plain


@pytest.mark.parametrize("flags", ["", "(?i)"])
def test_two_forms_within_each_other_are_read(flags: str) -> None:
    secret = 'Zq9 "plant"/7Kd3'
    cleaner = Pattern(flags + re.escape(secret)).cleaner(KEY)

    def packed(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    def url(text: str) -> str:
        return quote(text, safe="")

    written = [
        packed(url(secret)),
        url(packed(secret)),
        packed(packed(secret)),
        url(url(secret)),
        url(json.dumps(secret)),
    ]
    for one in [*written, packed(json.dumps({"a": secret}))]:
        text = f"it is {one} here"
        assert cleaner.may_hold(json.dumps({"p": text})) and cleaner.may_hold(text)
        safe = cleaner.text(text)
        assert "[redacted:custom:" in safe and one not in safe and cleaner.text(safe) is safe
        assert list(cleaner.taken) == [secret]
        cleaner.taken.clear()
