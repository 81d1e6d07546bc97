"""What other programs, languages and documents write about secrets stays; what stands beside it in the same words goes.

No string here is a credential.
"""

import json

import pytest

from eyelet_ingest.intake import clean
from eyelet_ingest.redaction import Redactor

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


def recorded(text: str) -> str:
    value = {"tool_response": {"stdout": text}}
    safe = clean(json.dumps(value), value, REDACTOR)[0]
    return str(safe["tool_response"]["stdout"])  # type: ignore[index, call-overload]


@pytest.mark.parametrize("text", STAYS)
def test_what_only_speaks_of_a_secret_stays(text: str) -> None:
    assert recorded(text) == text


@pytest.mark.parametrize("text", GOES)
def test_what_stands_in_the_same_words_goes(text: str) -> None:
    assert "[redacted:" in recorded(text)
