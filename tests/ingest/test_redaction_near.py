"""What other programs, languages and documents write about secrets stays; what stands beside it in the same words goes.

No string here is a credential.
"""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelet_ingest.intake import clean
from eyelet_ingest.redaction import Redactor
from eyelet_ingest.redaction_gate import suspects

pytestmark = pytest.mark.store

REDACTOR = Redactor(b"k" * 32)
VALUE = "q7Rt5zPw9" + "Xk2mVb8Ln4"

STAYS = [
    '{"password": "Passwort", "api_key": "API-Schlüssel", "newPassword": "Nouveau mot de passe"}',
    "'password': 'Contraseña', 'secret': 'Secreto', 'token': 'Токен'",
    'let password = rpassword::prompt_password("Password: ")?; let t = token::Token(x);',
    "r=t.pwd||'',authToken=t.authToken??null;export{r}",
    "export OPENAI_API_KEY=sk-...\nTOKEN=ghp_...\n",
    'curl -H "Authorization: Bearer $$TOKEN" x',
    "'password' => 'required|string|min:8|confirmed',",
    '<Item key="a1b2c3d4e5f6a7b8c9d0e1f2"> key={`row-${i}`}',
    "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-a1B2c3",
    "TOKEN=`vault read -field=token x`",
]
GOES = [
    '{"password": "Passwort7"}',
    '{"password": "clavesegura"}',
    f"let password = x; password: {VALUE}",
    f"API key: {VALUE}",
    f"TOKEN=`{VALUE}`",
    "secret:" + VALUE,
    "https://b.s3.amazonaws.com/k?X-Amz-Date=1&X-Amz-Signature=" + "0f3a" * 16,
    "https://x.blob.core.windows.net/c?sig=" + VALUE * 3,
    "\x1b[1;33mkey-" + "0f3a" * 8 + "\x1b[0m",
    "a\\n" + "0f3a" * 8 + "-" + "0f3a" * 2 + "-" + "0f3a" * 2,
]
SPOKEN = [
    f"ENV API_KEY {VALUE}",
    f"\x1b[36mAUTH_TOKEN\x1b[0m=\x1b[33m{VALUE}\x1b[0m",
    f'\x1b[1;34m"password"\x1b[0m: \x1b[32m"{VALUE}"\x1b[0m',
    f"set -x API_TOKEN {VALUE}",
    f"| `API_KEY` | `{VALUE}` |",
    f"api_key    | {VALUE} |",
    f"the token is {VALUE}",
    f"my api key is: {VALUE}",
    f"using token {VALUE} now",
    f"nuget push -ApiKey {VALUE} x",
    f"process.env.API_KEY || '{VALUE}'",
    f'process.env["TOKEN"] ?? "{VALUE}"',
    f'let token = String::from("{VALUE}");',
    f'client.setApiKey("{VALUE}")',
    f'.password("{VALUE}")',
    f'#define WIFI_PASSWORD "{VALUE}"',
    f'Use password "{VALUE}" for staging',
    f"Map(apiKey -> {VALUE})",
    f'~ master_password = "{VALUE[::-1]}" -> "{VALUE}"',
    f"echo {VALUE} | docker login -u bob --password-stdin",
    f"echo 'bob:{VALUE}' | chpasswd",
    f"CREATE USER 'a'@'%' IDENTIFIED WITH mysql_native_password BY '{VALUE}';",
    f"requests.get(u, auth=('bob', '{VALUE}'))",
    f'HTTPBasicAuth("bob", "{VALUE}")',
    f"gh secret set DB_PASSWORD --body {VALUE}",
]
SPOKEN_OF = [
    "ENV TOKEN_HEADER x",
    "the token is 32 characters, the api key is in config/settings_2024.yaml",
    "the token is user_id_12345 and the api key is test-fixture-two",
    "| `token` | string | The access token |",
    "| API_KEY | AWS_SECRETS_MANAGER_V2 |",
    "const t = token || null, u = password ?? undefined",
    "password = hash('sha256', x); secret(name='db')",
    'getpass("Password 2: ")',
    "token kubernetes.io/service-account-token",
    "gh secret set NAME --body $VALUE",
    "identified by 'the first of them",
    "auth=(user, password)",
    "echo $TOKEN | docker login --password-stdin",
]


def recorded(text: str) -> str:
    value = {"tool_response": {"stdout": text}}
    safe = clean(json.dumps(value), value, REDACTOR)[0]
    return str(safe["tool_response"]["stdout"])  # type: ignore[index]


@pytest.mark.parametrize("text", STAYS)
def test_what_only_speaks_of_a_secret_stays(text: str) -> None:
    assert recorded(text) == text


@pytest.mark.parametrize("text", GOES)
def test_what_stands_in_the_same_words_goes(text: str) -> None:
    assert "[redacted:" in recorded(text)


@pytest.mark.parametrize("text", SPOKEN)
def test_what_is_random_goes_behind_a_name_without_a_sign(text: str) -> None:
    for one in (text, f"see:\n{text}\n", json.dumps({"a": json.dumps({"b": text})})):
        assert VALUE not in recorded(one)


@pytest.mark.parametrize("text", SPOKEN_OF)
def test_what_is_not_random_stays_there(text: str) -> None:
    assert recorded(text) == text


PARTS = [
    *(
        "token",
        "API_KEY",
        "password",
        "secret",
        "auth",
        "TOKEN_PROD",
        " is ",
        " | ",
        " || ",
        " ?? ",
        "(",
        "=f(",
        " -> ",
        "#define ",
    ),
    *(
        VALUE,
        "a/b" + VALUE,
        "'",
        '"',
        "`",
        "\\",
        "\t",
        "\n",
        "\0",
        " ",
        "-",
        "**",
        ":",
        "=",
        "->",
        ")",
        "identified by ",
        "auth=('a', '",
    ),
    *(
        "IDENTIFIED WITH x BY ",
        "echo ",
        " --password-stdin",
        "X-Amz-Signature=",
        "?sig=",
        "A3T",
        "0f3a" * 8,
        "-0f3a0f3a",
        "...",
        "arn:",
        "é",
        "\x1b[0m",
    ),
]


@settings(max_examples=400)
@given(st.lists(st.sampled_from(PARTS), max_size=8).map("".join), st.booleans(), st.booleans())
def test_no_of_the_probes_is_certain_of_these_too(text: str, ascii_only: bool, twice: bool) -> None:
    value = {"a": json.dumps([text]) if twice else text}
    raw = json.dumps(value, ensure_ascii=ascii_only)
    safe = REDACTOR.value(value)
    assert REDACTOR.may_hold(raw) or safe == value
    assert REDACTOR.value(safe) == safe
    for escaped in (raw, raw.replace("/", "\\/")):
        if not REDACTOR.may_hold(escaped):
            assert REDACTOR.value(json.loads(escaped)) == value
            assert not suspects([escaped], REDACTOR)
        elif REDACTOR.text(text) != text:
            assert suspects(["x", escaped], REDACTOR) == {1}


GROWING = [
    "ghu_",
    "tfp_",
    "gldt-",
    "pscale_pw_whsec_r8_",
    "token | ",
    'password("',
    "token ?? '",
    "identified with x by ",
    "| ",
    "|",
    "\n|--",
    "a|b\n--",
    "insert into x (",
    "insert into a (token) values (",
    "('a',",
    '"cookies":[',
    "END PRIVATE KEY-----",
    "aB3dE6gH9jK2aB3d\n-----END PRIVATE " + "KEY-----\n",
    "ghp_a1B2c3D4e5F6g7H8\n",
    "Authorization: Digest ",
    "token = a ? ",
    "secret=<<",
    "GH_PAT=",
    "A_",
    "jwt.sign(",
    "s.",
    "impacket-a ",
    "sqlplus a/",
    "login <<<",
]


@pytest.mark.parametrize("part", GROWING)
def test_work_grows_as_the_text_does(part: str) -> None:
    """Four times as much takes four times as long; sixteen times would be quadratic."""
    spent = []
    for size in (15_000, 60_000):
        text = 'AK key "' + part * (size // len(part))
        start = time.process_time()
        REDACTOR.text(text)
        spent.append(time.process_time() - start)
    assert spent[1] < max(0.3, spent[0] * 10)
