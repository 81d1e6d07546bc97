"""What stands around a line: a hook's payload, a file that was read, a diff, JSON within JSON, encodings.

Each takes (rng, Written) and returns a payload, as a value JSON has, and the secrets as its strings spell them.
"""

import json
from base64 import b64encode
from collections.abc import Callable
from random import Random
from urllib.parse import quote

from tests.corpus.places import Written

Wrapped = tuple[object, tuple[str, ...], tuple[str, ...]]
Wrapping = Callable[[Random, Written], Wrapped]

BEFORE = (
    "$ make build\ncc -O2 -o app main.c\n",
    "Reading the file first.\n",
    "total 12\n-rw-r--r-- 1 bob bob 420 Mar 4 10:11 app.py\n",
    "diff --git a/x b/x\nindex 3f2a9c1..8b1d0e4 100644\n",
    "",
    "# Notes\n\nSome words before, with a list:\n- one\n- two\n",
)
AFTER = (
    "",
    "\nDone in 3.2 s.\n",
    "\n3 files changed, 12 insertions(+)\n",
    "\n\nThat is all there is to say about it.\n",
)


def _pre(text: str) -> object:
    return {
        "session_id": "s-1",
        "hook_event_name": "PreToolUse",
        "tool_name": "Bash",
        "tool_input": {"command": text, "description": "Run it"},
    }


def _post(text: str) -> object:
    response = {"stdout": text, "stderr": "", "interrupted": False}
    return {"session_id": "s-1", "hook_event_name": "PostToolUse", "tool_name": "Bash", "tool_response": response}


def _write(text: str) -> object:
    held = {"file_path": "/home/bob/work/notes.txt", "content": text}
    return {"session_id": "s-1", "hook_event_name": "PreToolUse", "tool_name": "Write", "tool_input": held}


def _prompt(text: str) -> object:
    return {"session_id": "s-1", "hook_event_name": "UserPromptSubmit", "prompt": text}


def _message(text: str) -> object:
    content = [{"type": "tool_result", "tool_use_id": "toolu_01", "content": text}]
    return {"type": "user", "message": {"role": "user", "content": content}, "sessionId": "s-1"}


PAYLOADS = (_pre, _post, _write, _prompt, _message)


def plain(rng: Random, written: Written) -> Wrapped:
    """The line alone in a payload."""
    return rng.choice(PAYLOADS)(written.text), written.secrets, written.wide


def amid(rng: Random, written: Written) -> Wrapped:
    """The line amid other text."""
    text = rng.choice(BEFORE) + written.text + rng.choice(AFTER)
    return rng.choice(PAYLOADS)(text), written.secrets, written.wide


def _spelled(text: str, times: int) -> str:
    for _ in range(times):
        text = json.dumps(text)[1:-1]
    return text


def within_json(rng: Random, written: Written) -> Wrapped:
    """JSON within a string of JSON, once or twice."""
    times = rng.choice([1, 1, 2])
    text = written.text
    for _ in range(times):
        text = json.dumps({"type": "text", "text": text, "n": 1})
    spelled = tuple(_spelled(secret, times) for secret in written.secrets)
    return _post(text), spelled, tuple(_spelled(wide, times) for wide in written.wide)


def escaped(rng: Random, written: Written) -> Wrapped:
    r"""A JSON document within a string in which some characters of the secret are \u escapes."""
    text, spelled = json.dumps({"text": written.text}), []
    wide = [_spelled(part, 1) for part in written.wide]
    for secret in written.secrets:
        as_json = _spelled(secret, 1)
        if "\\" in as_json:
            spelled.append(as_json)
            continue
        places = set(rng.sample(range(len(as_json)), min(3, len(as_json))))
        hidden = "".join(f"\\u{ord(char):04x}" if at in places else char for at, char in enumerate(as_json))
        text = text.replace(as_json, hidden)
        wide = [part.replace(as_json, hidden) for part in wide]
        spelled.append(hidden)
    return _post(text), tuple(spelled), tuple(wide)


def slashed(rng: Random, written: Written) -> Wrapped:
    r"""JSON as PHP writes it, with `\/`."""
    del rng
    text = json.dumps({"text": written.text}).replace("/", "\\/")
    spelled = tuple(_spelled(secret, 1).replace("/", "\\/") for secret in written.secrets)
    return _post(text), spelled, tuple(_spelled(wide, 1).replace("/", "\\/") for wide in written.wide)


def url_encoded(rng: Random, written: Written) -> Wrapped:
    """The whole text as the value of a form or of a query."""
    safe = rng.choice(["", "-_.~", "/"])
    text = "https://example.com/go?next=" + quote(written.text, safe=safe) + "&x=1"
    spelled = tuple(quote(secret, safe=safe) for secret in written.secrets)
    return _pre(text), spelled, tuple(quote(wide, safe=safe) for wide in written.wide)


def in_base64(rng: Random, written: Written) -> Wrapped:
    """The text in base64, on one line or in lines of 76; what counts is the part that spells the secret."""
    text = "PORT=80\n" + written.text + "\n"
    raw = text.encode()
    encoded = b64encode(raw).decode()
    wrap = rng.random() < 0.3
    blob = "\n".join(encoded[at : at + 76] for at in range(0, len(encoded), 76)) if wrap else encoded
    cores = []
    for secret in written.secrets:
        start = raw.index(secret.encode())
        first, last = -(-start // 3) * 4, (start + len(secret.encode())) // 3 * 4
        if wrap:
            first, last = first + first // 76, last + last // 76
        cores.append(blob[first:last].strip("\n"))
    form = rng.choice(["{b}", "echo {b} | base64 -d > .env", '{"content": "{b}", "encoding": "base64"}', "data: {b}"])
    if wrap:
        form = "$ base64 .env\n{b}\n$"
    return _post(form.replace("{b}", blob)), tuple(cores), (blob,)


def as_key(rng: Random, written: Written) -> Wrapped:
    """The text as a key of an object."""
    del rng
    held = {"seen": {written.text: {"count": 3}}}
    return {"hook_event_name": "PostToolUse", "tool_name": "X", "tool_response": held}, written.secrets, written.wide


# Those that any text can be put in, with how often; encodings are asked of each kind besides.
COMMON: tuple[tuple[Wrapping, int], ...] = ((plain, 4), (amid, 5), (within_json, 3))
ENCODED: dict[str, Wrapping] = {
    "escaped": escaped,
    "slashed": slashed,
    "url-encoded": url_encoded,
    "base64": in_base64,
}
