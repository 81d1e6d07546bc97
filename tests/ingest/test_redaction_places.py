"""Secrets that only the place tells of, each beside what looks like it and stays.

No string here is a credential.
"""

import json

import pytest

from eyelet_ingest.intake import clean
from eyelet_ingest.redaction import Redactor
from eyelet_ingest.redaction_gate import suspects

pytestmark = pytest.mark.store

REDACTOR = Redactor(b"k" * 32)
VALUE = "q7Rt5zPw9" + "Xk2mVb8Ln4"
LONG = VALUE + "c3Dh"
HEX = "0f3a9c71" * 4

# What goes, with {} in its place, what stands there, and what looks like it and stays.
SHAPES = [
    ("x {} y", "123456789012345|" + "aB3dE6gH9jK2" * 2 + "xY1", "12345|" + "aB3dE6gH9jK2" * 2),
    ("x {} y", "s." + "aB3dE6gH9jK2" * 2, "s.getUserByMailAddressSoon(x)"),
    (
        "x {} y",
        "sc_" + "a1b2c3d4e5f6" + ".a1b2c.acc-" + "a1b2c3d4" * 2 + "." + "a1b2c3d4+/" * 6,
        "account.acc-" + "a" * 16,
    ),
    ("_gitlab_session={}; path=/", HEX, "user_session=none; sort_session=" + "a" * 12),
]
COMMANDS = [
    ("curl -s \\\n  -H 'x: y' \\\n  -u bob:{} https://x.io", VALUE, "curl -s x.io\nls -u a:b"),
    ("curl 'https://x.io/?a=1&b=2' --user bob:{}", VALUE, "curl x.io && ls -u a:b"),
    ("openssl enc -aes-256-cbc -k {} -in a", VALUE, "openssl req -k $KEY -in a; curl -k https://x.io/a"),
    ("twine upload -u __token__ -p {} dist/*", VALUE, "twine upload -p $TOKEN dist/* && mkdir -p a/b"),
    ("doctl auth init -t {}", VALUE, "doctl auth init -t $TOKEN && docker build -t img:1.2.3-beta20 ."),
    ("useradd -m -p {} bob", VALUE, "useradd -p $HASH bob; cp -p a useradd.txt"),
    ("sqlplus -s scott/{}@orcl", VALUE, "sqlplus / as sysdba @run/all.sql > logs/out.txt"),
    ("url=jdbc:oracle:thin:scott/{}@//h:1521/x", VALUE, "jdbc:oracle:thin:@//h:1521/x"),
    ("impacket-psexec bob:{}@10.0.0.1", VALUE, "impacket-psexec -k bob@10.0.0.1"),
    ("cmdkey /add:srv /user:bob /pass:{}", VALUE, "cmdkey /list"),
    ("requirepass {}\n", VALUE, "requirepass is what sets it; # requirepass $PASS"),
    ("masterauth {}", VALUE, "masterauth is for replicas"),
    ("restic --password-command 'echo {}' backup", VALUE, "restic --password-command 'pass show restic'"),
    ("sonar-scanner -Dsonar.login={}", VALUE, "sonar-scanner -Dsonar.login=$TOKEN -Dsonar.host=x"),
    ("snyk auth {}", LONG, "snyk auth --help; run the snyk authentication-command-first"),
    ("gh auth login --with-token <<< {}", VALUE, "gh auth login --with-token <<< $TOKEN"),
    ('ConvertTo-SecureString "{}" -AsPlainText -Force', VALUE, 'ConvertTo-SecureString "$pw" -AsPlainText -Force'),
    ("export GH_PAT={}", LONG, "COMPAT=0123456789abcdef01234 PAT=$GH_PAT PATH=/usr/bin/a1234567890123456789"),
]
CODE = [
    ('jwt.sign(payload, "{}")', VALUE, 'jwt.sign(payload, "HS256"); jwt.sign(a, key)'),
    ('new AWS.Credentials("x", "{}")', VALUE, 'new Credentials("x", "some-plain-profile-name")'),
    ("page.fill('#password', '{}')", VALUE, "page.fill('#password', 'wrong'); page.fill('#password', password)"),
    ("cy.get('input[name=password]').type('{}')", VALUE, "cy.get('input[name=password]').type('wrong')"),
    ("https://x.io/a?key={}&b=1", LONG, "https://x.io/a?key=node-modules-linux-cache-v2&key=12345"),
    ("https://x.io/cb?code={}&state=1", LONG, "https://x.io/cb?code=authorization_code&code=404"),
    (
        'Authorization: Digest username="b", nonce="a", response="{}"',
        HEX,
        'WWW-Authenticate: Digest realm="r", qop="auth", response="none"',
    ),
    ('ApiKey { key: "{}" }', VALUE, 'Token { value: "some-plain-identifier" }; KeyToken {}'),
    ('token = var.x ? "a" : "{}"', VALUE, 'token = var.x ? "a" : "some-plain-words-here"'),
    ("secret = <<EOF\n{}\nEOF", VALUE, "secret = <<EOF\nplain words\nEOF"),
    ('<string name="google_maps_key">{}</string>', LONG, '<string name="cache_key">a1b2c3d4e5f6a7b8c9d0</string>'),
]
TABLES = [
    (
        "INSERT INTO `users` (`id`,`email`,`api_token`,`password`) VALUES (1,'a@x.io',NULL,'b'),(2,'it''s','{}','c');",
        LONG,
        "INSERT INTO users (name, password, api_token) VALUES (?, ?, :token); insert into t (id, url) values (1, 'x');",
    ),
    (
        " id | email  | api_key\n----+--------+---------\n  1 | a@x.io | {}\n",
        LONG,
        "| Name | Type | api_key |\n|---|---|---|\n| a | string | the key of x2 |\n| a | b | user_id_12345 |\n",
    ),
    (
        '{"cookies":[{"name":"sid","value":"{}","path":"/"}]}',
        LONG,
        '{"cookies":[{"name":"theme","value":"dark","path":"/"},{"name":"lang","value":"en-US"}]}',
    ),
    ('TOKEN = (\n    "{}"\n)', LONG, 'TOKENS = (\n    "a",\n    "b",\n)'),
    ('{\n  "password":\n    "{}"\n}', VALUE, '{\n  "password":\n    "$PASSWORD"\n}'),
]
CASES = [*SHAPES, *COMMANDS, *CODE, *TABLES]


def recorded(text: str) -> str:
    value = {"tool_response": {"stdout": text}}
    safe = clean(json.dumps(value), value, REDACTOR)[0]
    return str(safe["tool_response"]["stdout"])  # type: ignore[index]


@pytest.mark.parametrize(("place", "secret", "near"), CASES, ids=lambda part: part[:24])
def test_what_its_place_tells_of_goes_and_what_looks_like_it_stays(place: str, secret: str, near: str) -> None:
    text = place.replace("{}", secret)
    for one in (text, f"see:\n{text}\nand so on", json.dumps({"a": json.dumps({"b": text})})):
        safe = recorded(one)
        assert secret not in safe and "[redacted:" in safe
        assert REDACTOR.text(safe) == safe
        assert suspects(["a", one, "b"], REDACTOR) == {1}
    assert recorded(near) == near


BODY = ["aB3dE6gH9jK2+/7z" * 4] * 3
TOKEN = "ghp_" + "Ab1Cd2Ef3G" * 3 + "Kx7mQ2"


def test_the_end_of_a_private_key_goes_and_a_certificate_stays() -> None:
    for before, name in (("", "RSA PRIVATE"), ("+", "PRIVATE"), ("12:", "OPENSSH PRIVATE")):
        end = "-----END " + f"{name} KEY-----"
        text = "ls\n" + "\n".join(before + line for line in [*BODY, end]) + "\nmore"
        safe = recorded(text)
        assert BODY[0] not in safe and safe.startswith("ls\n") and safe.endswith("more")
        assert REDACTOR.text(safe) == safe
    near = "\n".join([*BODY, "-----END CERTIFICATE-----", "see -----END PRIVATE KEY-----"])
    assert recorded(near) == near


@pytest.mark.parametrize("end", ["\n", "\r\n", "\\\n"])
def test_a_token_that_a_line_ends_in_goes_with_what_follows(end: str) -> None:
    safe = recorded(f"x {TOKEN[:26]}{end}{TOKEN[26:]}\nnext line")
    assert TOKEN[:26] not in safe and TOKEN[26:] not in safe and safe.endswith("\nnext line")
    assert REDACTOR.text(safe) == safe
    near = f"x ghp_is_what_all_of_them_have{end}in front of them"
    assert recorded(near) == near
