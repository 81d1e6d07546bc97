"""The secret is in no part of what is stored; what only looks like one stays.

No string here is a credential, or looks like one to a scanner: prefixes and bodies are joined at run time.
"""

import json
import string
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyelet_ingest import redaction_names
from eyelet_ingest.redaction import MOST_KEYS, Redactor, may_hold_secret

pytestmark = pytest.mark.store

_REDACTOR = Redactor()  # without a key: markers of its own are short, and so are those in old rows
redact_text, redact_value = _REDACTOR.text, _REDACTOR.value
redact_bytes, redact_damaged = _REDACTOR.bytes, _REDACTOR.damaged

MIXED = "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zC"
UPPER = "Q7WX2ERTY5UIOPA3SDFG6HJKL4ZXCV2BNMQ7WX2ERTY5UIOPA3SDFG6HJKL4ZXCV2BNM"


def mixed(length: int) -> str:
    return (MIXED * (length // len(MIXED) + 1))[:length]


def hexes(length: int) -> str:
    return ("9f86d081884c7d65" * (length // 16 + 1))[:length]


# kind → a secret of it that stands alone anywhere
TOKENS = {
    "aws-access-key-id": "AK" + "IA" + UPPER[:16],
    "aws-access-key-id (temporary)": "AS" + "IA" + UPPER[:16],
    **{f"github-token ({letter})": f"gh{letter}" + "_" + mixed(36) for letter in "pousr"},
    "github-token (fine)": "github" + "_pat_" + mixed(22) + "_" + mixed(59),
    "gitlab-token": "glp" + "at-" + mixed(20),
    "slack-token": "xo" + "xb-" + "2345678901-3456789012-" + mixed(24),
    "slack-token (app)": "xap" + "p-1-" + "A0123BCDEF-4567890123-" + hexes(32),
    "slack-webhook": "https://hooks.sl" + "ack.com/services/" + "T0123ABCD/B0123ABCD/" + mixed(24),
    "discord-webhook": "https://discord.com/api/web" + "hooks/" + "123456789012345678/" + mixed(68),
    "stripe-key": "sk" + "_live_" + mixed(24),
    "stripe-key (restricted)": "rk" + "_live_" + mixed(24),
    "stripe-key (test)": "sk" + "_test_" + mixed(24),
    "openai-key": "s" + "k-" + mixed(48),
    "openai-key (project)": "s" + "k-proj-" + mixed(20) + "-" + mixed(20) + "_" + mixed(20),
    "anthropic-key": "s" + "k-ant-api03-" + mixed(93) + "AA",
    "google-api-key": "AI" + "za" + mixed(35),
    "google-oauth-token": "ya" + "29." + mixed(60),
    "npm-token": "np" + "m_" + mixed(36),
    "pypi-token": "pypi" + "-AgEIcHlwaS5vcmc" + mixed(80),
    "huggingface-token": "h" + "f_" + mixed(34),
    "sendgrid-key": "S" + "G." + mixed(22) + "." + mixed(43),
    "twilio-key": "S" + "K" + hexes(32),
    "digitalocean-token": "do" + "p_v1_" + hexes(64),
    "databricks-token": "dap" + "i" + hexes(32),
    "vault-token": "hv" + "s." + mixed(90),
    "age-key": "AGE-SECRET" + "-KEY-1" + UPPER[:58],
    "telegram-token": "123456789" + ":AA" + mixed(33),
    "jwt": "ey" + "J" + mixed(20) + ".ey" + "J" + mixed(40) + "." + mixed(43),
}

# name of a carrier → how it holds a secret that stands alone
CARRIERS = {
    "shell": "curl -s https://example.com/x --data '{}' && echo done",
    "export": "export SOME_SETTING='{}'\nls -la",
    "json": '{{"a": ["{}"], "b": 1}}',
    "json in a string": '{{\\"a\\": \\"{}\\"}}',
    "url": "https://example.com/path?x={}&y=2",
    "diff": "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+{}\n",
    "prose": "I set it to {}, as you said.",
    "coloured": "\x1b[32m{}\x1b[0m",
    "start": "{}",
}


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("kind", TOKENS)
def test_a_token_is_gone_from_every_carrier(kind: str, carrier: str) -> None:
    secret, form = TOKENS[kind], CARRIERS[carrier]
    text = form.format(secret)
    safe = redact_text(text)
    tail = secret.rsplit("/", 1)[-1]
    assert tail not in safe
    assert f"[redacted:{kind.split(' ')[0]}]" in safe
    assert may_hold_secret(text)
    before, after = form.format("\0").split("\0")
    assert safe.startswith(before) and safe.endswith(after), "what stands around the secret stays"


@pytest.mark.parametrize("kind", TOKENS)
def test_a_token_is_gone_from_values_keys_and_truncated_json(kind: str) -> None:
    secret = TOKENS[kind]
    value = {"tool_input": {"command": f"echo {secret}\n"}, secret: [1, {"deep": [f"x {secret}"]}]}
    tail = secret.rsplit("/", 1)[-1]
    for ascii_only in (True, False):
        text = json.dumps(value, ensure_ascii=ascii_only)
        assert may_hold_secret(text)
        assert tail not in json.dumps(redact_value(json.loads(text)))
        assert tail.encode() not in redact_bytes(text.encode()[:-3])
        slashed = text.replace("/", "\\/")
        assert may_hold_secret(slashed)
        assert tail.encode() not in redact_bytes(slashed.encode()[:-3])


@pytest.mark.parametrize("kind", TOKENS)
def test_a_token_spelled_with_escapes_is_found(kind: str) -> None:
    secret = TOKENS[kind]
    hidden = f'{{"a": "\\u{ord(secret[0]):04x}{secret[1:]}"}}'
    assert may_hold_secret(hidden)
    assert may_hold_secret(hidden.replace(f"{ord(secret[0]):04x}", f"{ord(secret[0]):04X}"))
    tail = secret.rsplit("/", 1)[-1]
    assert tail[1:] not in json.dumps(redact_value(json.loads(hidden)))
    assert tail[1:].encode() not in redact_bytes(hidden.encode()[:-1])


NAMED = {
    "env": "DB_PASSWORD={}",
    "env among others": "A=1 API_KEY={} ./run --fast",
    "export": 'export CLIENT_SECRET="{}"',
    "export with spaces": 'export DB_PASSWORD="{} and two words"',
    "single quotes": "SECRET_KEY='{}'",
    "suffix": "DATABASE_PASSWORD_PROD={}",
    "pwd": "MYSQL_PWD={}",
    "camel": 'const dbPassword = "{}";',
    "camel pwd": 'const dbPwd = "{}";',
    "yaml": "database:\n  user: bob\n  password: {}\n  port: 5432",
    "yaml quoted": "  api_key: '{}'",
    "yaml pair": "- name: DB_PASSWORD\n  value: {}\n",
    "json": '{{"user": "bob", "password": "{}", "port": 1}}',
    "json pair": '{{"name": "API_KEY", "value": "{}"}}',
    "json in json": '"{{\\"access_token\\": \\"{}\\", \\"x\\": 1}}"',
    "json in json in json": '"\\"{{\\\\\\"access_token\\\\\\": \\\\\\"{}\\\\\\"}}\\""',
    "python": 'login(user="bob", password="{}", port=1)',
    "python dict": "config = {{'api_key': '{}'}}",
    "python annotated": 'token: str = "{}"',
    "python environment": 'os.environ["AUTH_TOKEN"] = "{}"',
    "python header": 'headers={{"Authorization": "Bearer {}"}}',
    "python header in single quotes": "headers={{'Authorization': 'token {}'}}",
    "typescript": 'const apiKey: string = "{}"',
    "go": 'password := "{}"',
    "ruby": ":password => '{}'",
    "php": "'password' => '{}',",
    "sql": "CREATE USER bob WITH PASSWORD '{}'",
    "flag": "tool --password {} --verbose",
    "flag with equals": "tool --api-key={} --verbose",
    "flag quoted": "tool --token '{}' --verbose",
    "flag in a list": '["--password", "{}"]',
    "curl header": 'curl -H "Authorization: Bearer {}" https://example.com',
    "curl basic": "curl -H 'Authorization: Basic {}' https://example.com",
    "curl api key": "curl -H 'X-Api-Key: {}' https://example.com",
    "curl user": "curl -u bob:{} https://example.com",
    "curl user, quoted": "curl --user 'bob:{}' https://example.com",
    "cookie": "curl -H 'Cookie: session={}; theme=dark' https://example.com",
    "set-cookie": "HTTP/1.1 200 OK\nSet-Cookie: sid={}; Path=/; HttpOnly\nX: y",
    "url": "git clone https://bob:{}@example.com/repo.git",
    "url without a user": "redis://:{}@cache:6379/0",
    "url, slashes escaped": "https:\\/\\/bob:{}@example.com\\/repo",
    "url query": "https://example.com/cb?access_token={}&state=1",
    "connection string": "Server=db;User Id=bob;Password={};Database=x",
    "azure": "DefaultEndpointsProtocol=https;AccountName=x;AccountKey={};EndpointSuffix=y",
    "xml": "<password>{}</password>",
    "ini": "[db]\npassword = {}\nport = 1",
    "npmrc": "//registry.npmjs.org/:_authToken={}",
    "netrc": "machine example.com login bob password {}",
    "mysql": "mysql -u root -p{} shop",
    "sshpass": "sshpass -p '{}' ssh bob@host",
    "diff": "-DB_PASSWORD=x\n+DB_PASSWORD={}",
    "prose": "the password: {} works",
    "markdown": "**Password:** `{}`",
    "escaped line": "A=1\\nDB_PASSWORD={}\\nB=2",
    "coloured": "\x1b[32mDB_PASSWORD={}\x1b[0m",
}


@pytest.mark.parametrize("carrier", NAMED)
@pytest.mark.parametrize("secret", ["hunter2pass9", mixed(40), "Zq7+aB=Xy81"])
def test_what_follows_a_telling_name_is_gone(carrier: str, secret: str) -> None:
    form = NAMED[carrier]
    text = form.format(secret)
    assert may_hold_secret(text)
    safe = redact_text(text)
    assert secret not in safe
    assert "[redacted:" in safe
    assert redact_text(safe) == safe
    value = {"tool_response": {"stdout": text}}
    assert secret not in json.dumps(redact_value(value))
    raw = json.dumps(value).encode()
    assert secret.encode() not in redact_bytes(raw[:-2])
    assert redact_bytes(raw[:-2]).endswith(b'"'), "the quote that ends the string stays"


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ('{"password": "hunter2", "port": 1}', '{"password": "[redacted:password]", "port": 1}'),
        ('{\\"token\\": \\"hunter2pass9\\", \\"x\\": 1}', '{\\"token\\": \\"[redacted:token]\\", \\"x\\": 1}'),
        ("https://bob:hunter2@example.com/x", "https://bob:[redacted:url-password]@example.com/x"),
        ("curl -H 'Authorization: Bearer abc123def' u", "curl -H 'Authorization: Bearer [redacted:authorization]' u"),
        ("A=1 DB_PASSWORD=x1y2 ls", "A=1 DB_PASSWORD=[redacted:password] ls"),
        ("f(password='x', n=1)", "f(password='[redacted:password]', n=1)"),
        ("/cb?access_token=abc12345&state=1", "/cb?access_token=[redacted:token]&state=1"),
        ("Password=abc123;Database=x", "Password=[redacted:password];Database=x"),
        ("password: hunter2 # local only", "password: [redacted:password] # local only"),
    ],
)
def test_only_the_value_goes(text: str, safe: str) -> None:
    assert redact_text(text) == safe


STAYS = [
    "PASSWORD=$PASSWORD",
    "TOKEN=${TOKEN} ./run",
    'export API_KEY="${API_KEY:-}"',
    "password=<your-password>",
    "api_key: <your-token>",
    "token = '****'",
    "PASSWORD=xxxxxxxx",
    "api_key = process.env.API_KEY",
    'token = os.environ["TOKEN"]',
    'token = os.environ.get("TOKEN")',
    'secret = os.getenv("SECRET", "")',
    "token = get_token()",
    "password = getpass.getpass()",
    "const token = await fetchToken(user)",
    "token: str",
    "def login(user: str, password: str) -> None:",
    "interface A { password: string; token?: string }",
    "password: Optional[str] = None",
    "login(password=password, token=token)",
    "login(password=self.password, token=args.token)",
    "return secrets.token",
    "import secrets\nsecrets.token_hex(16)",
    "token: ${{ secrets.GITHUB_TOKEN }}",
    "password: {{ vault_password }}",
    "password = var.db_password",
    "-H 'Authorization: Bearer $TOKEN'",
    'headers = {"Authorization": f"Bearer {token}"}',
    "`Authorization: Bearer ${token}`",
    "Authorization: Bearer <token>",
    'headers["Authorization"] = "Bearer " + token',
    "postgres://user:$PGPASSWORD@host/db",
    "postgres://user:${PGPASSWORD}@host/db",
    "ssh://git@github.com/org/repo.git",
    "git@github.com:org/repo.git",
    "http://localhost:3000/@scope/name",
    "https://example.com/@user/status/1",
    "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
    "session 120ec635-4140-4bf9-8fdc-24047e46c394",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    '"integrity": "sha512-Xjl0qkV7aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zCAa=="',
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
    '"@octokit/auth-token": "^4.0.0"',
    '"js-tokens": "^4.0.0"',
    "tokenizer = load('tokenizer.json')",
    "the secretary: Ms Miller7",
    "the password is required",
    "Password: must be at least 8 characters",
    "Enter your password: ",
    '"error": "Invalid token"',
    '"max_tokens": 4096, "input_tokens": 12, "token_count": 7',
    '"next_page_token": "CAUQAA12345"',
    "cat /etc/passwd",
    '"/etc/passwd", "/etc/hosts1"',
    "PWD=/home/bob/project1",
    "OLDPWD=/home/bob",
    "--- PASS: TestThing/seed#1 (0.00s)",
    "fetch(url, { credentials: 'include' })",
    "GOOGLE_APPLICATION_CREDENTIALS=/home/bob/key1.json",
    "password = getpass.getpass('Password: ')",
    'print("Token: " + repr(token1))',
    "def __init__(self, user=None, password=None):",
    "user, password = split",
    "self.password = raw",
    "pass the --password option to it",
    "socks5h://<username>:<password>@proxy-host1",
    'token = r"[a-z0-9]+"',
    "mkdir -p /tmp/a1",
    "git push -u origin main1",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    'if "-----BEGIN RSA PRIVATE KEY-----" in text:\n    raise ValueError("no keys here, please")\n',
    "task-notification and risk-assessment-2024",
    "npm_config_registry=https://registry.npmjs.org",
    "from hf_transfer import download",
    "",
]


@pytest.mark.parametrize("text", STAYS)
def test_near_misses_stay(text: str) -> None:
    assert redact_text(text) == text
    assert redact_value({"a": [text]}) == {"a": [text]}
    assert redact_bytes(text.encode()) == text.encode()
    assert redact_bytes(json.dumps({"a": text}).encode()[:-1]) == json.dumps({"a": text}).encode()[:-1]


BODY = "\n".join([mixed(64)] * 4)
BLOCKS = [
    *("RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED ", ""),
]


@pytest.mark.parametrize("label", BLOCKS)
@pytest.mark.parametrize("is_cut", [True, False])
@pytest.mark.parametrize("line_end", ["\n", "\\n", "\r\n", "\\\\n", "\n+", "\n    12→"])
def test_a_private_key_block_is_gone(label: str, is_cut: bool, line_end: str) -> None:
    block = f"-----BEGIN {label}PRIVATE KEY" + "-----\n" + BODY
    if not is_cut:
        block += f"\n-----END {label}PRIVATE KEY-----\nafter"
    text = ("cat key\n" + block).replace("\n", line_end)
    safe = redact_text(text)
    assert mixed(16) not in safe
    assert safe.startswith("cat key") and (is_cut or safe.endswith("after"))
    assert "[redacted:private-key]" in safe
    raw = json.dumps({"stdout": text}).encode()[:-2]
    assert mixed(16).encode() not in redact_bytes(raw)


def test_a_pgp_key_and_a_key_cut_in_its_first_line_are_gone() -> None:
    pgp = "-----BEGIN PGP PRIVATE KEY" + " BLOCK-----\nVersion: GnuPG v2\n\n" + BODY + "\n=abcd\n"
    assert mixed(16) not in redact_text(pgp + "-----END PGP PRIVATE KEY BLOCK-----")
    assert mixed(16) not in redact_text(pgp)
    assert "MIIEpAIB" not in redact_text("-----BEGIN RSA PRIVATE KEY" + "-----\nMIIEpAIB")


TELLING_KEYS = (
    "password passwd db_password dbPassword PGPASSWORD passphrase api_key apiKey x-api-key secret client_secret"
    " clientSecret access_token accessToken refresh_token auth_token authToken aws_secret_access_key private_key"
    " privateKey secret_key SECRET_KEY_BASE db_pwd encryption_key account_key token_2 password_old GITHUB_TOKEN"
)


@pytest.mark.parametrize("key", TELLING_KEYS.split())
def test_a_string_under_a_telling_key_is_gone(key: str) -> None:
    value = {"outer": [{key: "hunter2pass", "port": 5432, "name": "bob"}]}
    safe = redact_value(value)
    assert "hunter2pass" not in json.dumps(safe)
    assert may_hold_secret(json.dumps(value))
    inner = safe["outer"][0]  # type: ignore[index]
    assert inner["port"] == 5432 and inner["name"] == "bob"
    assert redact_value(safe) is safe
    assert "hunter2pass" not in json.dumps(redact_value({key: ["hunter2pass"]}))


@pytest.mark.parametrize(
    "value",
    [
        {"max_tokens": "hunter2pass"},
        {"token_count": "hunter2pass", "tokens": "hunter2pass", "session_token_count": "7 of 9"},
        {"password": None, "secret": True, "token": 12, "api_key": 1.5},
        {"has_password": "hunter2pass", "isSecret": "hunter2pass", "forgotPassword": "reset it 1"},
        {"password": "", "api_key": "<your key>", "token": "${TOKEN}", "secret": "string"},
        {"password": {"type": "string", "minLength": 8}},
        {"password": {"type": "string", "description": "At least 8 characters", "limits": {"max": 72}}},
        {"secret": {"secretName": "db-tls-1", "updated_at": "2026-03-20T10:00:00Z"}},
        {"name": "PORT", "value": "hunter2pass"},
        {"apiKeySource": "none", "private_key_id": hexes(40), "signature": mixed(300)},
    ],
)
def test_what_is_under_other_keys_stays_the_same_object(value: object) -> None:
    assert redact_value(value) is value


def test_numbers_under_password_like_keys_go_and_others_stay() -> None:
    value = {"password": 123456, "db_pwd": 1.5, "token": 7, "secret": 8, "pass": 12, "passphrase": False}
    assert redact_value(value) == {
        "password": "[redacted:password]",
        "db_pwd": "[redacted:password]",
        "token": 7,
        "secret": 8,
        "pass": 12,
        "passphrase": False,
    }


def test_pairs_and_arguments_tell() -> None:
    value = {"env": [{"name": "DB_PASSWORD", "value": "hunter2"}], "args": ["--token", "hunter2pass", "x"]}
    assert redact_value(value) == {
        "env": [{"name": "DB_PASSWORD", "value": "[redacted:password]"}],
        "args": ["--token", "[redacted:token]", "x"],
    }


GONE_INSIDE = [
    {"password": {"a": "hunter2"}},
    {"password": ["hunter2", ["hunter2"], {"a": "hunter2"}]},
    {"secret": {"current": {"v": "hunter2"}}},
    {"access_token": {"type": "opaque", "value": "hunter2pass"}},
    {"password": {"type": "string", "password": "hunter2"}},
    {"name": "DB_PASSWORD", "value": {"x": "hunter2"}},
    {"name": "DB_PASSWORD", "value": ["hunter2"]},
    {"name": "DB_PASSWORD", "other": 3, "value": "hunter2"},
    ["--password", ["hunter2"]],
]


@pytest.mark.parametrize("value", GONE_INSIDE, ids=str)
@pytest.mark.parametrize("indent", [None, 2])
def test_what_is_inside_a_container_is_judged_by_the_name_that_tells_of_it(value: object, indent: int | None) -> None:
    safe = redact_value(value)
    text = json.dumps(value, indent=indent)
    assert "hunter2" not in json.dumps(safe) and redact_value(safe) is safe
    assert may_hold_secret(text)
    if value != ["--password", ["hunter2"]]:
        for level in (text, json.dumps(text), json.dumps(text)[:-3]):
            once = redact_text(level)
            assert "hunter2" not in once and redact_text(once) == once


def test_numbers_inside_an_object_go_only_where_they_are_the_value() -> None:
    value = {"password": {"value": 1234, "length": 4, "pins": [1, 2]}, "pwd_new": 1, "db_password": [1234]}
    assert redact_value(value) == {
        "password": {"value": "[redacted:password]", "length": 4, "pins": [1, 2]},
        "pwd_new": 1,
        "db_password": ["[redacted:password]"],
    }


def test_a_value_that_looks_like_a_secret_only_when_a_part_of_it_went_is_redacted_once() -> None:
    value = {"\u0130-token": "Authtoken://%20K[_{", "token": "Authtoken://%20K_", "auth": "token=abc12345x://y"}
    once = redact_value(value)
    assert redact_value(once) == once
    token = TOKENS["github-token (p)"]
    for inner in ({token + "cookie": "hunter2"}, {"key": "DB_TOKEN", "value": "abc"}, {"name": token, "value": "abc"}):
        once = redact_value({"password": inner})
        assert redact_value(once) == once


def test_long_keys_are_not_kept_in_memory() -> None:
    redactor, kinds = Redactor(), redaction_names._kind_of_name
    before = kinds.cache_info().currsize
    redactor.value({"xy" * 500: "1", "password" + "z" * 300: "2"})
    assert not redactor._keys and kinds.cache_info().currsize == before
    for number in range(2 * MOST_KEYS):
        redactor.name(f"name {number}")
    assert len(redactor._keys) <= MOST_KEYS


def test_keys_that_become_the_same_marker_keep_their_values() -> None:
    first, second = "gh" + "p_" + mixed(36), "gh" + "p_" + mixed(37)
    safe = redact_value({first: 1, second: 2, "x": 3})
    assert isinstance(safe, dict) and list(safe.values()) == [1, 2, 3]
    assert mixed(36) not in json.dumps(safe)
    assert redact_value(safe) is safe


def test_what_did_not_change_is_shared() -> None:
    kept = {"big": ["x"] * 3}
    value = {"kept": kept, "gone": {"password": "hunter2"}}
    safe = redact_value(value)
    assert isinstance(safe, dict) and safe["kept"] is kept
    assert value["gone"] == {"password": "hunter2"}, "the given value is left as it was"


def test_any_depth_is_walked() -> None:
    for wrap in (lambda inner: [inner], lambda inner: {"a": inner}):
        value: object = {"password": "hunter2pass"}
        for _ in range(100_000):
            value = wrap(value)
        safe = redact_value(value)
        while isinstance(safe, (list, dict)) and "password" not in safe:
            safe = safe[0] if isinstance(safe, list) else safe["a"]
        assert safe == {"password": "[redacted:password]"}


def test_bytes_that_are_not_utf8_survive() -> None:
    raw = b'\xff\xfe{"password": "hunter2pass", "x": "\xe9'
    assert redact_bytes(raw) == b'\xff\xfe{"password": "[redacted:password]", "x": "\xe9'
    plain = b"\xff\x00 nothing here"
    assert redact_bytes(plain) is plain


def test_a_token_is_gone_from_utf_16_and_from_between_nul_bytes() -> None:
    token = TOKENS["github-token (p)"]
    for codec in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"):
        for text in (f"x {token} y", '{"password": "hunter2pass", "b', f'{{"é": "{token}", "b'):
            raw = text.encode(codec)
            assert token not in (safe := redact_bytes(raw)).decode("latin-1").replace("\0", "")
            assert b"hunter2pass" not in safe.replace(b"\0", b"")
            assert redact_bytes(safe) == safe and b"[redacted:" in safe
    hidden = f'{{"a": "{token[:2]}\0{token[2:]}'
    assert token[4:] not in redact_damaged(hidden)
    plain = "nothing here".encode("utf-16")
    assert redact_bytes(plain) is plain


DAMAGED = [
    '{"a": "\\u0067hp_{token}", "b',
    '{"x": NaN, "a": "\\u0067\\u0068p_{token}"}',
    '{"a": "{\\\\u0067hp_{token}',
    '{"pass\\u0077ord": "{secret}", "b',
    '"{\\u0022password\\u0022:\\u0022{secret}\\u0022, ',
    '"\\u003cpassword\\u003e{secret}\\u003c/password\\u003e, ',
    '{"password": ["s", "{secret}", "b',
    '{"password": {"a": "s", "b": ["{secret}"], "c',
    '{"password"\t\t\t\t\t\t\t\t\t\t\t\t:"{secret}"',
    '{"password":\t\t\t\t\t\t\t\t\t\t\t\t"{secret}", ',
    '{"password"\n:\n"{secret}"',
    '{"password"\r\n  :\r\n  [\r\n  "{secret}"',
    '["--password","{secret}"]',
    '["--password",\n\n"{secret}',
    '{"name": "DB_PASSWORD", "other": NaN, "value": "{secret}"',
    '{"name": "DB_PASSWORD", "value": {"x": "{secret}"',
]


@pytest.mark.parametrize("form", DAMAGED)
def test_a_secret_is_gone_from_damaged_json(form: str) -> None:
    text = form.replace("{token}", mixed(36)).replace("{secret}", "hunter2pass")
    safe = redact_damaged(text)
    assert mixed(36) not in safe and "hunter2pass" not in safe
    assert redact_damaged(safe) == safe
    assert redact_bytes(text.encode()) == safe.encode()


@pytest.mark.parametrize("value", [*GONE_INSIDE, {"env": {"DB_PASSWORD": "hunter2"}}], ids=str)
def test_a_secret_is_gone_wherever_its_json_was_cut(value: object) -> None:
    text = json.dumps(value)
    whole = text.index("hunter2") + len("hunter2")
    for end in range(whole, len(text) + 1):
        if "--password" not in text:
            assert "hunter2" not in redact_damaged(text[:end])


def test_a_user_that_is_a_token_stays_one_marker() -> None:
    for kind, secret in (("github-token", TOKENS["github-token (p)"]), ("stripe-key", TOKENS["stripe-key"])):
        text = f"curl -u {secret}:x-oauth-basic https://example.com"
        safe = f"curl -u [redacted:{kind}]:[redacted:basic-auth] https://example.com"
        assert redact_text(text) == redact_text(safe) == safe
        assert redact_text(f"curl -u {secret}: https://a") == f"curl -u [redacted:{kind}]: https://a"
    assert redact_text(f"mysql -p{mixed(300)} shop") == "mysql -p[redacted:password] shop"


def test_tabs_and_escaped_slashes_hide_nothing() -> None:
    for text in ('auth_token\t=\t"abc12345x"', "x:/" + "\\" * 7 + "/bob:hunter2@host"):
        assert may_hold_secret(json.dumps({"a": text}))
        assert redact_value({"a": text}) != {"a": text}


HOSTILE = [
    *("password=", "token:", 'password="', "password='\\\"", "--password ", "secret = ", "auth_token"),
    *("cookie: a=$b;", "Cookie:", "Authorization: ", "bearer ", "://", "://a:b", "@", "/@", "//a@", "a@//", ".eyJ"),
    *("eyJ", "eyJ.eyJ", "\\n", "\\", '\\"', "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"),
    *("-----BEGIN ", "PRIVATE KEY", "curl -u ", "curl ", "mysql -p", "sshpass -p", "login a password "),
    *("sk-", "SK0", "SG.", "xoxb-", "hf_", "npm_", "dapi", ":AA", "1", "AKIA", "\\u0061", "<", "${{", "{{"),
    *("[redacted:", "[redacted:x]", "pass", "pwd", "key", "api key ", "private key: ", "hooks.slack.com/services/"),
    *("token: a = ", "password: <", "token,", 'token", "', "password&", "password=a;b", "-", "_", "."),
]


@pytest.mark.parametrize("part", HOSTILE)
def test_a_megabyte_of_hostile_text_is_done(part: str) -> None:
    """Quadratic work would not end here: a megabyte squared is 10^12 steps."""
    text = 'AK key "' + part * (1_000_000 // len(part))
    may_hold_secret(text)
    redact_text(text)


STEMS = ["password", "token", "authorization", "auth", "<password"]
BEHIND = [
    *(
        "=",
        ":",
        '":"',
        "='",
        '\\":\\"',
        '=\\\\\\"',
        '":["',
        '":{"',
        '":[',
        '":{',
        '","',
        '", "value": "',
        ">",
        "=a/",
        "=%",
        "=.",
    ),
    *("=[", "=<", "=${", "=AWS4-HMAC-SHA256 ", ">AWS4-HMAC-SHA256 ", ">a/", "=a;b", "[", '":\n', "=self.", "=your-"),
]
REPEATED = [
    *(stem + behind for stem in STEMS for behind in BEHIND),
    *(
        "-----BEGIN PRIVATE KEY-----" + "a" * 31 + " ",
        "://a:b@",
        "/ @@@@@@",
        "//@ ",
        ":\\/\\/@/",
        "eyJ.",
        "eyJaaaaaaaa.eyJaaaaaaaa.",
    ),
    *('{"name":"DB_PASSWORD","value":', '{"name":"DB_PASSWORD","value":"', '"name":"DB_PASSWORD",,,,,', "<password>"),
    *(
        "<password>x</password>",
        "curl -u a:b ",
        "\0",
        "p\0",
        '"\n:',
        "\\u0022token\\u0022:",
        "[[",
        "token=" + "." * 100,
    ),
]


@pytest.mark.parametrize("part", REPEATED)
def test_what_repeats_is_done(part: str) -> None:
    """Two hundred thousand characters, squared, would not end here either."""
    text = part * (200_000 // len(part))
    redact_damaged(text)  # what `redact_text` does, and more


@pytest.mark.parametrize(
    "pair", [(a, b) for a in HOSTILE[::4] for b in HOSTILE[1::6] if a != b], ids=lambda pair: "·".join(pair)
)
def test_hostile_pairs_are_done(pair: tuple[str, str]) -> None:
    text = "".join(pair) * (40_000 // len("".join(pair)))
    assert redact_text(redact_text(text)) == redact_text(text)


FRAGMENTS = [
    *TOKENS.values(),
    *(form.format("hunter2pass9") for form in NAMED.values()),
    *HOSTILE,
    *STAYS,
    *(char for char in " \n\t\"'`\\/:=@&;,.()[]{}<>$-_#"),
    *("[redacted:token]", "password", "é", "\u212a", "\ud800", "İ", "\x00", "x1y2z3w4"),
]
texts = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=8)), max_size=8).map("".join)
keys = st.one_of(texts, st.sampled_from(["password", "apiKey", "token", "x", "name", "value"]))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.one_of(texts, st.sampled_from(["password", "apiKey", "token", "x", "name", "value"])), inner
        ),
    ),
    max_leaves=8,
)


@given(texts)
def test_redacting_twice_is_redacting_once(text: str) -> None:
    once = redact_text(text)
    assert redact_text(once) == once


@given(texts)
def test_redacting_damaged_text_twice_is_redacting_it_once(text: str) -> None:
    once = redact_damaged(text)
    assert redact_damaged(once) == once


@given(values)
def test_redacting_a_value_twice_is_redacting_it_once(value: object) -> None:
    once = redact_value(value)
    assert redact_value(once) == once


@given(values, st.booleans(), st.booleans())
def test_where_the_probe_says_no_nothing_changes(value: object, ascii_only: bool, slashed: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    if slashed:
        text = text.replace("/", "\\/")
    if not may_hold_secret(text):
        parsed = json.loads(text)
        assert redact_value(parsed) is parsed


@given(values)
def test_the_probe_of_a_string_says_no_only_where_it_stays(value: object) -> None:
    for text in (json.dumps(value), str(value)):
        if not may_hold_secret(text):
            assert redact_text(text) is text


@given(texts, st.sampled_from(sorted(TOKENS)), texts)
def test_a_token_is_in_no_part_of_the_output_whatever_stands_around_it(before: str, kind: str, after: str) -> None:
    planted = f" {TOKENS[kind]} "  # with its edges: another one glued to letters is not one
    assert planted not in redact_text(before + planted + after)


@given(texts, st.sampled_from(sorted(NAMED)), st.text(alphabet=string.ascii_letters + string.digits, min_size=6), texts)
def test_a_named_secret_is_gone_whatever_stands_around_it(before: str, carrier: str, tail: str, after: str) -> None:
    secret = "q7Z" + tail
    text = f"{before}\n{NAMED[carrier].format(secret)}\n{after}"
    assert secret not in redact_text(text)


def test_importing_redaction_loads_nothing() -> None:
    package = Path(redact_text.__code__.co_filename).parents[1]
    code = (
        f"import sys; sys.path.append({str(package)!r}); before = set(sys.modules)\n"
        "from eyelet_ingest import redaction\n"
        'assert not redaction.may_hold_secret(\'{"session_id": "x", "max_tokens": 1}\')\n'
        "assert redaction.Redactor().text('ls -la') == 'ls -la'\n"
        "print(sorted(set(sys.modules) - before))"
    )
    ran = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    ours = ["eyelet_ingest", *(f"eyelet_ingest.redaction{part}" for part in ("", "_probes", "_runs"))]
    assert ran.stdout.strip() == str(ours)
