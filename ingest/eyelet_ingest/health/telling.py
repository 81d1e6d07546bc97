"""Telling others of alerts: a webhook and a command, each for a bounded time, outside every lock.

What leaves the machine are names, figures and our own sentences, without secrets: never a payload. What went wrong is
answered as a sentence, without the webhook's address: that is itself a secret with most services.
"""

import http.client
import ipaddress
import json
import os
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from eyelet_ingest import __version__, redactors
from eyelet_ingest.foreign import Guard
from eyelet_ingest.plugged import Raised, TookTooLong
from eyelet_ingest.settings import Settings
from eyelet_ingest.store.alert_rows import RESOLVED, Alert

WEBHOOK_S = 5.0
COMMAND_S = 10.0
SAID_MOST_CHARS = 300
LOCAL = ("localhost", "ip6-localhost")
FORMAT = 1


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An address that leads on is an error: what is told stays with whom the settings name."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def channels(settings: Settings) -> list[str]:
    """By which ways alerts are told."""
    ways = ("webhook", settings["health.alert_webhook"]), ("command", settings["health.alert_command"])
    return [name for name, value in ways if value]


def tell(settings: Settings, body: Mapping[str, object]) -> list[str]:
    """Tell it by every way the settings name; what went wrong, nothing where all went well. Never raises for that."""
    text = json.dumps(body)
    failed = []
    if settings["health.alert_webhook"]:
        failed.append(_said("webhook", post(settings["health.alert_webhook"], text)))
    if settings["health.alert_command"]:
        failed.append(_said("command", run(settings["health.alert_command"], text)))
    return [one for one in failed if one]


def body(alerts: Sequence[Alert], score: int | None, now_us: int, *, is_test: bool = False) -> dict[str, object]:
    """What is told, as JSON values; `text` is for chats that show that alone (Slack's and Mattermost's webhooks)."""
    return {
        "eyelet": FORMAT,
        "test": is_test,
        "text": _text(alerts, score, is_test),
        "score": score,
        "now_us": now_us,
        "alerts": [
            {
                "name": one.name,
                "level": one.level,
                "state": one.state,
                "message": clean(one.message),
                "fix": clean(one.fix),
                "evidence": figures(json.loads(one.evidence)),
                "since_us": one.since_us,
                "changed_us": one.changed_us,
            }
            for one in alerts
        ],
    }


def figures(evidence: object) -> dict[str, object]:
    """The numbers among the evidence, by their names: texts may hold what was recorded."""
    if not isinstance(evidence, dict):
        return {}
    return {
        clean(str(name)): value
        for name, value in list(evidence.items())[:50]
        if isinstance(value, (bool, int, float)) and abs(value) < 1e18
    }


def clean(text: str) -> str:
    """One line of a bounded length without secrets, controls and surrogates."""
    line = " ".join(redactors.message(text[: 4 * SAID_MOST_CHARS]).split())
    line = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)
    return line if len(line) <= SAID_MOST_CHARS else line[: SAID_MOST_CHARS - 1] + "…"


def post(url: str, text: str, seconds: float = WEBHOOK_S) -> str:
    """POST the JSON text; "" where the answer was 2xx, else what went wrong. The whole takes no longer than said."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "its address cannot be read"
    if not host or parts.scheme not in ("http", "https") or port == 0:
        return "its address is none of http or https"
    if parts.username is not None:
        return "its address holds a name or password: let a program with health.alert_command do that"
    if parts.scheme == "http" and not is_local(host):
        return f"{clean(host)} is not this machine: use https"
    return _bounded(lambda: _post(url, text, seconds, is_local(host)), seconds)


def is_local(host: str) -> bool:
    """Whether a host is this machine by its name: nobody is asked."""
    if host.rstrip(".").lower() in LOCAL:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def run(words: Sequence[str], text: str, seconds: float = COMMAND_S) -> str:
    """Run a program with the JSON text on its standard input; "" where it ended well, else what went wrong."""
    program = clean(os.path.basename(words[0]))
    with tempfile.TemporaryFile() as given:  # no pipe: a program that does not read hinders nobody
        given.write(text.encode("ascii"))
        given.seek(0)
        try:
            process = subprocess.Popen(
                list(words),
                stdin=given,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # so that what it began can be ended with it
            )
        except (OSError, ValueError) as bad:
            reason = bad.strerror if isinstance(bad, OSError) and bad.strerror else str(bad)
            return f"{program} does not run: {clean(reason)}"
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return f"{program} took longer than {seconds:g} s, and was ended"
    return "" if status == 0 else f"{program} ended with status {status}"


def _post(url: str, text: str, seconds: float, direct: bool) -> str:
    headers = {"Content-Type": "application/json", "User-Agent": f"eyelet/{__version__}"}
    request = urllib.request.Request(url, text.encode("ascii"), headers, method="POST")
    proxies = urllib.request.ProxyHandler({} if direct else None)
    opener = urllib.request.build_opener(proxies, _NoRedirect)
    try:
        with opener.open(request, timeout=seconds):
            return ""
    except urllib.error.HTTPError as bad:
        bad.close()
        on = ", which leads elsewhere: that is not followed" if 300 <= bad.code < 400 else ""
        return f"it answered {bad.code}{on}"
    except urllib.error.URLError as bad:
        reason = bad.reason
        return f"it cannot be reached: {clean(getattr(reason, 'strerror', None) or type(reason).__name__)}"
    except (OSError, http.client.HTTPException, ValueError) as bad:
        return f"it cannot be told: {type(bad).__name__}"


def _bounded(work: Callable[[], str], seconds: float) -> str:
    """A server that drips its answer is not waited for: its thread is left behind."""
    guard = Guard()
    try:
        return guard.run(work, seconds)
    except TookTooLong:
        return f"it took longer than {seconds:g} s"
    except Raised as bad:
        return f"it cannot be told: {clean(bad.place)}"
    finally:
        guard.close()


def _said(way: str, reason: str) -> str:
    return f"the {way} was not told: {reason}" if reason else ""


def _text(alerts: Sequence[Alert], score: int | None, is_test: bool) -> str:
    if is_test:
        return "Eyelet: this is a test, nothing is wrong"
    lines = [f"Eyelet: health {score} of 100" if score is not None else "Eyelet"]
    for one in alerts[:20]:
        word = "is over" if one.state == RESOLVED else one.level
        lines.append(f"{clean(one.name)} {word}: {clean(one.message)}")
    if len(alerts) > 20:
        lines.append(f"and {len(alerts) - 20:,} more")
    return "\n".join(lines)
