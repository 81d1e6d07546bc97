"""No text makes redaction slow: texts are put together of what rules look for, and repeated.

A process of its own takes them all in a processor's time that is many times what it needs; a rule that is not linear
would need hours on the first text it is slow on. With EYELET_SOAK set there are more texts, and longer ones.
"""

import os
import resource
import subprocess
import sys
from random import Random

import pytest

pytestmark = pytest.mark.store

SOAK = bool(os.environ.get("EYELET_SOAK"))
TEXTS, CHARS, LIMIT_S = (3_000, 400_000, 36_000) if SOAK else (30, 40_000, 60)
PIECES = (
    *("password", "passwd", "pwd", "token", "secret", "api_key", "apiKey", "Authorization", "Bearer", "Cookie", "key"),
    *("credential", "private_key", "AccountKey", "_auth", "DB_PASS", "client_secret", "name", "value", "--password"),
    *("=", ":", " = ", ": ", "=>", ":=", "\t", " ", "\n", "\r\n", ",", ";", "&", "?", "|", "~", "+", "-", "_", "."),
    *('"', "'", "`", '\\"', "\\\\", "\\", "\\n", "\\u0022", "\\u003c", "\\u00", "%22", "%3D", "%", "\0"),
    *("{", "}", "[", "]", "(", ")", "<", ">", "</", "/>", "<private>", "</private>", "\\u003cprivate\\u003e"),
    *("://", "@", "/", "http", "https://bob:", "curl -u ", "mysql -p", "sshpass -p ", "login ", "machine "),
    *("eyJ", ".eyJ", "ghp_", "github_pat_", "glpat-", "xoxb-", "sk-", "sk-ant-", "AKIA", "AIza", "ya29.", "SG.", "SK"),
    *("npm_", "pypi-AgE", "hf_", "dop_v1_", "dapi", "hvs.", "1//0", "A3-", ":AA", "key-", "-us1", "Q~", "sig="),
    *("hooks.slack.com/services/", "/webhooks/", "webhookb2/", "-----BEGIN ", "PRIVATE KEY-----", "-----END "),
    *("PuTTY-User-Key-File-3: ", "Private-Lines: 4\n", "Private-MAC: ", "AGE-SECRET-KEY-1", "PrivateKey = "),
    *("[redacted:", "[redacted:token]", "[redacted:token:9f2c61]", "a", "A", "1", "aB3", "9f86d081", "==", "ZXlK"),
)  # fmt: skip
CHILD = """
import base64, json, sys
from eyelet_ingest.redaction import Redactor
from eyelet_ingest.redaction_gate import suspects
from eyelet_ingest.intake import clean, clean_damaged
redactor = Redactor(b"k" * 32)
for line in sys.stdin:
    text = json.loads(line)
    once = redactor.text(text)
    redactor.text(once)
    redactor.damaged(text)
    redactor.bytes(text.encode("utf-8", "surrogatepass")[:-1])
    suspects([text, text[:99]], redactor)
    redactor.text(base64.b64encode(text.encode("utf-8", "surrogatepass")).decode())
    value = {"tool_input": {"command": text, "password": [text]}, "secret": {text[:5000]: text}}
    clean(json.dumps(value), value, redactor)
    clean_damaged(json.dumps(value).encode()[:-3], redactor)
    print(len(once), flush=True)
"""


def hostile(rng: Random, chars: int) -> str:
    """Some pieces over and over, before, behind or among others that repeat."""

    def unit() -> str:
        return "".join(rng.choices(PIECES, k=rng.randint(1, 5)))

    def repeated(some: str, length: int) -> str:
        return some * (length // len(some) + 1)

    form = rng.randrange(4)
    if form == 0:
        return repeated(unit(), chars)
    if form == 1:
        return repeated(unit(), chars // 2) + unit() + repeated(unit(), chars // 2)
    if form == 2:
        return unit() + repeated(unit(), chars) + unit()
    return "".join(rng.choices(PIECES, k=chars // 5))


def test_no_text_makes_redaction_slow() -> None:
    import json

    rng = Random(os.environ.get("EYELET_SOAK", "short"))
    texts = [hostile(rng, CHARS) for _ in range(TEXTS)]

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_S, LIMIT_S))

    given = "".join(json.dumps(text) + "\n" for text in texts)
    done = subprocess.run(
        [sys.executable, "-c", CHILD], input=given, capture_output=True, text=True, preexec_fn=limit, check=False
    )
    finished = done.stdout.count("\n")
    at = repr(texts[finished][:200]) if finished < TEXTS else ""
    assert (done.returncode, finished) == (0, TEXTS), f"slow, or broken, on {at}: {done.stderr[-2_000:]}"
