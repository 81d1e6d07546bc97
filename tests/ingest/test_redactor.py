"""Markers: which secret stood there can be told by who has the key, and by nobody else.

No string here is a credential, or looks like one to a scanner: prefixes and bodies are joined at run time.
"""

import json
import re
from hashlib import blake2b
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyelet_ingest.redaction import Redactor

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
TOKEN = "gh" + "p_" + "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zC" + "1234"
MARKER = re.compile(r"\[redacted:([a-z0-9-]+):([0-9a-f]{6})\]")


def marks(text: str) -> list[tuple[str, str]]:
    return MARKER.findall(text)


def test_a_marker_holds_six_digits_of_the_keyed_hash_of_the_secret() -> None:
    digits = blake2b(TOKEN.encode(), digest_size=3, key=KEY, person=b"eyelet-redact").hexdigest()
    assert Redactor(KEY).text(f"echo {TOKEN}") == f"echo [redacted:github-token:{digits}]"


def test_without_a_key_a_marker_has_no_hash() -> None:
    assert Redactor().text(f"echo {TOKEN}") == "echo [redacted:github-token]"


def test_the_key_is_asked_for_once_and_only_when_a_marker_is_made() -> None:
    asked = []

    def key() -> bytes:
        asked.append(1)
        return KEY

    redactor = Redactor(key)
    redactor.text("secret: nothing to see, no token, no password")
    assert not asked
    assert redactor.text(TOKEN) == redactor.text(TOKEN) == Redactor(KEY).text(TOKEN)
    assert len(asked) == 1


def test_the_same_secret_has_the_same_hash_in_one_root_and_another_in_another() -> None:
    mine, theirs = Redactor(KEY), Redactor(OTHER_KEY)
    (here,), (there,) = marks(mine.text(f"a {TOKEN} b")), marks(theirs.text(f"a {TOKEN} b"))
    assert here[0] == there[0] and here[1] != there[1]
    (again,) = marks(mine.text(f"export SOME_TOKEN='{TOKEN}'"))
    assert again[1] == here[1], "whatever kind it was taken for"


@pytest.mark.parametrize("secret", ['p"w\\x/y8 hunter', "h\u00fcnter/2 & co", "p@ss:w0rd%"])
def test_the_same_secret_has_the_same_hash_in_whatever_way_it_is_written(secret: str) -> None:
    redactor = Redactor(KEY)
    written = [json.dumps({"password": secret}), json.dumps({"password": secret}, ensure_ascii=False)]
    written += [written[0].replace("/", "\\/"), json.dumps(written[0]), json.dumps(json.dumps(written[0]))]
    found = {marks(redactor.text(text))[0] for text in written}
    found.add(redactor.marker("password", secret)[10:-1].partition(":")[::2])  # type: ignore[arg-type]
    found |= set(marks(redactor.text(f"https://bob:{quote(secret, safe='')}@example.com").replace("url-", "")))
    assert len(found) == 1


def test_a_key_over_many_lines_has_the_hash_of_the_same_key_on_one() -> None:
    lines = ["-----BEGIN PRIV" + "ATE KEY-----", *["aB3dE5gH" * 8] * 3, "-----END PRIV" + "ATE KEY-----"]
    redactor = Redactor(KEY)
    forms = [
        "\n".join(lines),
        "\r\n".join(lines),
        "\\n".join(lines),
        "key: |\n" + "\n".join("  " + one for one in lines),
    ]
    assert len({marks(redactor.text(form))[0] for form in forms}) == 1


@pytest.mark.parametrize("key", [b"", KEY])
@pytest.mark.parametrize(
    "text",
    [
        f"echo {TOKEN}",
        f"https://bob:{TOKEN}@example.com and https://{TOKEN}@example.com and https://{TOKEN}:x1x1x1x1x1@example.com",
        'password: "hunter22" api_key=aB3dE5gH7jK9mN1pQ2rS4tU6vW8x',
        "Authorization: Bearer aB3dE5gH7jK9mN1pQ2rS4tU6vW8x",
        "curl -u bob:hunter22 https://example.com; curl -u aB3dE5gH7jK9mN1pQ2rS4:hunter22 https://example.com",
        "mysql -uroot -phunter22 db; sshpass -p hunter22 ssh x",
        "Cookie: sid=aB3dE5gH7jK9; b=c",
        '{"passwords": ["hunter22", "hunter23"], "secret": {"current": {"v": "hunter24"}}}',
    ],
)
def test_redacting_twice_is_redacting_once_with_whatever_key(text: str, key: bytes) -> None:
    once = Redactor(key).text(text)
    assert once != text
    for again in (Redactor(key), Redactor(OTHER_KEY), Redactor()):
        assert again.text(once) == once
        assert again.damaged(once) == once
        assert again.value({"a": once, once: [once]}) == {"a": once, once: [once]}


def test_a_short_marker_of_an_old_row_and_a_long_one_stay_as_they_are_where_values_stand() -> None:
    redactor = Redactor(KEY)
    for old in ("[redacted:password]", "[redacted:password:a1b2c3]"):
        for text in (
            f"DB_PASSWORD={old}",
            f'"password": "{old}"',
            f"--password {old}",
            f"api_key: {old}",
            f"x {old} y",
        ):
            assert redactor.text(text) == text
        assert redactor.value({"password": old, "token": [old]}) == {"password": old, "token": [old]}


def test_what_only_begins_like_a_marker_protects_no_secret() -> None:
    redactor = Redactor(KEY)
    for head in ("[redacted:", "[redacted:x", "[redacted:x:", "[redacted:x:12345", "[redacted:x:1234567"):
        assert TOKEN not in redactor.text(f"{head} {TOKEN}")
        assert "hunter22" not in redactor.text(f"{head} password=hunter22")


@given(st.text(max_size=40), st.sampled_from(["password", "api-key", "secret", "token", "x"]))
def test_a_marker_within_any_text_is_no_secret_again(around: str, kind: str) -> None:
    redactor = Redactor(KEY)
    once = redactor.text(f"{around}{redactor.marker(kind, 'hunter22')}{around}")
    assert redactor.text(once) == once
