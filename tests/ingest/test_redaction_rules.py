"""Every kind of the tables, every form a secret may be written in, and what looks like them and stays.

No string here is a credential: bodies are made at run time, from the patterns themselves or from a row of letters.
"""

import base64
import json
import re
import string
import time
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelet_ingest import redaction_encoded, redaction_providers, redaction_runs
from eyelet_ingest.redaction import Redactor, may_hold_secret
from eyelet_ingest.redaction_gate import suspects

pytestmark = pytest.mark.store

REDACTOR = Redactor(b"k" * 32)
MIXED = "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zC"
ROWS = [(prefix, kind, rest) for prefix, kind, rest in (*redaction_providers.AT_RUNS, *redaction_providers.BEFORE_RUNS)]
SHAPES = [(kind, pattern) for kind, _, pattern in redaction_providers.SHAPES]
PLACES = [
    "{}",
    "export X='{}'\n",
    'say("{}")',
    "https://x.example/p?x={}&y=2",
    "-{}\n+x",
    "\x1b[32m{}\x1b[0m",
    "a\\n{}",
]
GITHUB = "gh" + "p_" + (MIXED * 2)[:36]
ENV = f"PORT=80\nDB_PASSWORD=hunter2pass\nA_TOKEN={MIXED}\n"


def mixed(length: int) -> str:
    return (MIXED * (length // len(MIXED) + 1))[:length]


def like(pattern: str) -> st.SearchStrategy[str]:
    return st.from_regex(re.compile(pattern, re.A), fullmatch=True)


def test_the_probes_know_every_prefix_that_the_tables_have() -> None:
    for row, prefix in [(row, row[0].encode()) for row in redaction_providers.AT_RUNS]:
        assert prefix.startswith(redaction_runs.AT_RUNS), row
        assert len(prefix) >= redaction_providers.KEY_CHARS
    for row, prefix in [(row, row[0].encode()) for row in redaction_providers.BEFORE_RUNS]:
        assert prefix in redaction_runs.BEFORE_RUNS, row
        assert prefix[-1] in redaction_runs.JOINTS, row


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
@settings(max_examples=1)
@given(st.data())
def test_a_token_of_every_prefix_is_gone_from_every_place(row: tuple[str, str, str], data: st.DataObject) -> None:
    prefix, kind, rest = row
    token = prefix + data.draw(like(rest))
    for place in PLACES:
        assert may_hold_secret(place.format(token)), place
    text = "\n".join(place.format(token) for place in PLACES)
    safe = REDACTOR.text(text)
    assert token not in safe and safe.count(f"[redacted:{kind}") == len(PLACES)
    assert REDACTOR.text(safe) == safe


@pytest.mark.parametrize("row", SHAPES, ids=lambda row: f"{row[0]} {row[1][:20]}")
@settings(max_examples=1)
@given(st.data())
def test_a_token_of_every_other_shape_is_gone(row: tuple[str, str], data: st.DataObject) -> None:
    kind, pattern = row
    token = data.draw(like(pattern.replace(redaction_providers.EDGE, "")))
    text = f"x {token} y"
    assert may_hold_secret(text), text
    safe = REDACTOR.text(text)
    assert token not in safe and f"[redacted:{kind}" in safe
    assert REDACTOR.text(safe) == safe


FORMS = {
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 in lines": lambda text: base64.encodebytes(text.encode() * 2).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "hex": lambda text: text.encode().hex(),
    "percent-encoded": lambda text: quote(text, safe=""),
    "percent-encoded twice": lambda text: quote(quote(text, safe=""), safe=""),
    "base64, percent-encoded": lambda text: quote(base64.b64encode(text.encode()).decode(), safe=""),
    "JSON": json.dumps,
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)),
    "escaped": lambda text: "".join(f"\\u{ord(char):04x}" if char.isalnum() else char for char in text),
    "escaped here and there": lambda text: re.sub("[Bdn7]", lambda match: f"\\u{ord(match[0]):04x}", text),
    "escaped slashes": lambda text: text.replace("/", "\\/"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", ["{}", 'echo "{}" | x', '{{"content": "{}"}}', "data: {}\nnext: 1"])
def test_a_secret_is_gone_in_every_form_it_may_be_written_in(form: str, place: str) -> None:
    for text in (ENV, f"see https://bob:hunter2pass@db.example/x and {GITHUB} in /tmp/x\n"):
        written = place.format(FORMS[form](text))
        assert may_hold_secret(written)
        assert suspects([written], REDACTOR) == {0}
        safe = REDACTOR.text(written)
        for secret in ("hunter2pass", MIXED, GITHUB):
            if secret in text:
                assert FORMS[form](secret)[4:20] not in safe
        assert REDACTOR.text(safe) == safe


@pytest.mark.parametrize("form", [form for form in FORMS if form not in ("base64 in lines",)])
def test_the_same_secret_has_the_same_marker_in_every_form(form: str) -> None:
    marker = REDACTOR.marker("password", "hunter2pass")
    assert marker in REDACTOR.text(FORMS[form](ENV))


def test_what_stands_around_an_encoded_secret_stays() -> None:
    packed = base64.b64encode(ENV.encode()).decode()
    safe = REDACTOR.text(f"x {packed} y")
    left, _ = safe.split("[redacted:password:", 1)
    assert base64.b64decode(left.removeprefix("x ")).decode().startswith("PORT=80\nDB_PASSWOR")
    assert safe.endswith(" y")
    assert REDACTOR.text("/go?next=A%3D1%26password%3Dhunter2pass%26b%3D2").startswith("/go?next=A%3D1%26password%3D[")


STAYS = [
    base64.b64encode(b"import os\nprint(os.getcwd(), 'hello world, nothing is here')\n").decode(),
    b"import os\nprint(os.getcwd(), 'hello world, nothing is here')\n".hex(),
    "https://example.com/search?q=a%20b%3D1&next=%2Fhome%3Fx%3D%22y%22",
    "sha256:" + "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    '"node_modules/cookie": {"version": "1.2.3", "integrity": "sha512-' + mixed(86) + '=="}',
    "toolu_01" + mixed(22),
    "primary_key: " + mixed(32),
    "public_key = '" + mixed(44) + "'",
    "cache_key = 'user-profile-settings-2024-01-01'",
    'req.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")',
    "key: value_of_something_else",
    "the_key = some_function_name_that_is_long(argument1)",
    "I18N_KEY=settings.page.title.description.long2",
    "password: null",
    "password: ~",
    "API_KEY=changeme",
    "OLLAMA_API_KEY=ollama",
    "Authorization: Bearer ollama",
    "password=***",
    "`secret_key_base` to `config/test.exs`",
    "the password is required for 2 users",
    "use the password `admin` field",
    "mkdir -p /tmp/a1b2c3 && cp -a x y",
    "git add -p src/a1.py",
    "docker run -p 8080:80 image1",
    "public string Name { get; set; } = x1;",
    "password:\n  minLength: 8\n",
    "token:\n  description: a1b2c3d4e5\n",
    "secret: |\n",
    "task-force-of-long-names-and-words-2024",
    "global-navigation-component-styles-2024",
    "access-control-list-of-long-words-2024",
    "_us-east-1-deployment-name-us2",
    "commit 1234567890abcdef1234567890abcdef12345678",
    "0x" + "00" * 32,
    "-----BEGIN PUBLIC KEY-----\n" + mixed(64) + "\n-----END PUBLIC KEY-----",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + mixed(40) + " bob@host",
    "registry.example:5000/team/app@sha256:" + "ab" * 32,
]


@pytest.mark.parametrize("text", STAYS)
def test_what_only_looks_like_a_secret_stays(text: str) -> None:
    assert REDACTOR.text(text) == text
    value = {"a": [text]}
    assert REDACTOR.value(value) is value
    assert REDACTOR.text(json.dumps(value)) == json.dumps(value)


GOES = [
    ("docker login -u bob -p {} registry.example", "password"),
    ("mongosh --host db -u bob -p '{}'", "password"),
    ("sqlcmd -S db -U bob -P {}", "password"),
    ("redis-cli -h db -a {} ping", "password"),
    ("smbclient //host/x -U bob%{}", "password"),
    ("7z x -p{} a.7z", "password"),
    ("unzip -P {} a.zip", "password"),
    ("htpasswd -bn bob {}", "password"),
    ("htpasswd -b file bob {}", "password"),
    ("openssl rsa -in k.pem -passin pass:{}", "password"),
    ("keytool -list -storepass {} -keystore k", "password"),
    ("echo {} | sudo -S apt update", "password"),
    ("kinit bob <<< '{}'", "password"),
    ("http -a bob:{} https://x.example/", "basic-auth"),
    ("curl -b 'session={}' https://x.example/", "cookie"),
    ("$ cat ~/.pgpass\ndb.example:5432:shop:bob:{}\n", "password"),
    ("bob:{}@tcp(db:3306)/shop", "url-password"),
    ("Server=db;Uid=bob;Pwd={};Encrypt=yes", "password"),
    ("npm config set //registry.example/:_authToken {}", "token"),
    ("aws configure set aws_secret_access_key {}", "access-key"),
    ('<add key="DbPassword" value="{}" />', "password"),
    ("public string ApiKey {{ get; set; }} = \"{}\";", "api-key"),
    ("Set `DEPLOY_TOKEN` to `{}` and restart.", "token"),
    ("use the password `{}` for the shop", "password"),
    ("The password is: {}", "password"),
    ("password: |\n  {}\nport: 1", "password"),
    ("password: >-\n    {}\n    and more\nport: 1", "password"),
    ("token:\n  {}\nport: 1", "token"),
    ("SEGMENT_WRITE_KEY={}", "secret-key"),
    ("my_unheard_of_key = '{}aB3dE5gH7jK9'", "key"),
    ("AKIA" + "Q7WX2ERTY5UIOPA3" + ",{}aB3dE5gH7jK9mN1pQ2rS4tU", "aws-secret-key"),
    ("https://x.blob.example/c?sv=1&sig={}aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zCaB%3D", "azure-signature"),
    ("PuTTY-User-Key-File-3: ssh-rsa\nPrivate-Lines: 1\n{}aB3dE5gH7jK9\nPrivate-MAC: ab", "private-key"),
]  # fmt: skip


@pytest.mark.parametrize(("form", "kind"), GOES)
def test_what_a_command_or_a_file_holds_goes(form: str, kind: str) -> None:
    secret = "Zq7aB3xYh2Kd9mW4e"
    text = form.format(secret)
    for written in (text, json.dumps({"a": text})):
        assert may_hold_secret(written)
        assert suspects([written], REDACTOR) == {0}
    safe = REDACTOR.text(text)
    assert secret not in safe and f"[redacted:{kind}:" in safe
    assert REDACTOR.text(safe) == safe
    assert secret not in json.dumps(REDACTOR.value({"a": [text]}))


def test_a_secret_cut_by_an_escape_is_taken_whole() -> None:
    for text in (
        "TOKEN=abc12345\\u0041def67890 x",
        '"password": "abc12345\\u0041def67890"',
        "token=abc12345%41def67890",
    ):
        safe = REDACTOR.text(text)
        assert "abc1" not in safe and "7890" not in safe


def test_where_markers_stand_already_an_encoded_secret_is_found_at_its_place() -> None:
    view = "[redacted:password:000000] password=hunter2pass [redacted:token:000001]"
    found = redaction_encoded.secrets_in(
        view, lambda text, mark: text.replace("hunter2pass", mark("password", "hunter2pass"))
    )
    assert [(view[begin:end], kind) for begin, end, kind, _ in found] == [("hunter2pass", "password")]


PARTS = [
    *(prefix for prefix, _, _ in ROWS),
    *(prefix + mixed(44) for prefix, _, _ in ROWS[::5]),
    *(form.format("Zq7aB3xYh2Kd9mW4e") for form, _ in GOES),
    *(FORMS[form](ENV) for form in FORMS),
    *STAYS,
    *(
        "%3D",
        "%25",
        "\\u0041",
        "\\/",
        "_key",
        "_key: ",
        mixed(20),
        mixed(40),
        "41" * 24,
        "-",
        "_",
        "+",
        "/",
        "=",
        "%",
        "~",
    ),
    *(" ", "\n", "\\n", '"', "'", ":", ".", "|", "  ", "1//0", "[redacted:token:000001]", "\u0131", "\ud800", "é"),
]
texts = st.lists(st.one_of(st.sampled_from(PARTS), st.text(string.printable, max_size=6)), max_size=6).map("".join)


@given(texts)
def test_redacting_twice_is_redacting_once(text: str) -> None:
    once = REDACTOR.text(text)
    assert REDACTOR.text(once) == once


@given(texts, st.booleans())
def test_where_the_probes_say_no_nothing_changes(text: str, ascii_only: bool) -> None:
    written = json.dumps({"a": [text], text: "x"}, ensure_ascii=ascii_only)
    if not may_hold_secret(written):
        value = json.loads(written)
        assert REDACTOR.value(value) is value
    if not may_hold_secret(text):
        assert REDACTOR.text(text) is text


@given(st.lists(texts, max_size=4))
def test_many_texts_are_judged_as_each_is(many: list[str]) -> None:
    assert suspects(many, REDACTOR) == {at for at, text in enumerate(many) if may_hold_secret(text)}


GROWING = [
    *(
        "%3D",
        "%25",
        "25%",
        "\\u0041",
        "\\/",
        "QVBJX0tFWT1h",
        "QVBJX0tFWT1h+",
        "QVBJX0tFWT1h" * 6 + "\n",
        "414243" * 8 + " ",
    ),
    *("Private-Lines: 1\n", "docker login -p ", "http -a a:b ", "echo aaaa | sudo ", "htpasswd -b a b c "),
    *("pgpass a:1:a:a:", "a:b@tcp(", "password: |\n  a", "password:\n  a1a1a1a1\n", "token: |\\n  ", "`token` to `"),
    *(
        "password is ",
        "token { get; }",
        "x_key=",
        "_key: " + "a" * 20 + "1",
        " -p",
        "docker -p",
        "a" * 19 + " ",
        "a" * 20 + " ",
    ),
    *(
        "eyJ" + "a" * 20 + "-",
        "eyJ" + "a" * 20 + ".",
        "sk-",
        "SG.",
        "1//0",
        "pat",
        "dp.st.",
        "FlyV1 fm2_",
        "glc_",
        "&sig=",
    ),
    *(
        "[redacted:a:000001]",
        "webhookb2/",
        "kinit <<<",
        "key-",
        " key",
        "1/1111111111:",
        "Q~",
        '"token" value="',
        "~",
        "q",
        "V",
    ),
]


@pytest.mark.parametrize("part", GROWING)
def test_work_grows_as_the_text_does(part: str) -> None:
    """Four times as much takes four times as long; sixteen times would be quadratic."""
    spent = []
    for size in (20_000, 80_000):
        text = 'AK key "' + part * (size // len(part))
        start = time.process_time()
        REDACTOR.damaged(text)
        suspects(["a", text, "b"], REDACTOR)
        spent.append(time.process_time() - start)
    assert spent[1] < max(0.5, spent[0] * 10)
