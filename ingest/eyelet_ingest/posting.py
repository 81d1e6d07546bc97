"""A hook that leaves its payload to the local server: one POST, or the word that it has to be stored otherwise.

For `--mode http` alone, so it is not loaded else. It asks nobody for an address: the server is named by number.
"""

import time

from eyelet_ingest.errors import BadInput
from eyelet_ingest.system import os

ADDRESS = "/-/eyelet/hook"
AGENT = "X-Eyelet-Agent"  # whom the installed entry says the payload is of
EVENT = "X-Eyelet-Event"  # the uid and the time of receipt: who gets no answer in time stores the same event
TOKEN_VARIABLE = "EYELET_TOKEN"
TOKEN_FILE = "hook-token"  # beside the settings, where the environment has none
WAIT_MS = 400  # for the whole of it; what is left of a hook's time stores the event
LOCAL = "127.0.0.1"
MOST_BYTES = 64 << 20  # what the server takes


def sent(raw: bytes, url: str, home: str, context: str, uid: bytes, received_ns: int, agent: str = "") -> bool:
    """Whether the server has the payload, committed or spooled. Never raises."""
    try:
        host, port = server_of(url)
        token = _token(home)
        if not token or len(raw) > MOST_BYTES or not context.isprintable():  # a project's file may name it
            return False
        said = f"{AGENT}: {agent}\r\n" if agent.isalnum() else ""
        head = (
            f"POST {ADDRESS} HTTP/1.1\r\nHost: {f'[{host}]' if ':' in host else host}:{port}\r\n"
            f"Authorization: Bearer {token}\r\nX-Eyelet-Context: {context}\r\n"
            f"{EVENT}: {uid.hex()} {received_ns}\r\n{said}Content-Type: application/json\r\n"
            f"Content-Length: {len(raw)}\r\nConnection: close\r\n\r\n"
        )
        return _answer(host, port, head.encode("latin-1") + raw).split(b" ")[1:2] == [b"200"]
    except (BadInput, OSError, UnicodeError):
        return False


def server_of(url: str) -> "tuple[str, int]":
    """The number and port of `http://127.0.0.1:8001`. BadInput for another scheme, a name, or what is no address."""
    scheme, _, rest = url.partition("://")
    host, colon, port = rest.rstrip("/").rpartition(":")
    if not colon or "]" in port:
        host, port = rest.rstrip("/"), "80"
    host = LOCAL if host == "localhost" else host.strip("[]")
    numeric = host and all(char in "0123456789.:abcdefABCDEF" for char in host) and ("." in host or ":" in host)
    if scheme != "http" or not numeric or not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise BadInput("post to", url, "it is no http address by number", "such as http://127.0.0.1:8001")
    return host, int(port)


def _answer(host: str, port: int, request: bytes) -> bytes:
    """The first line of the answer."""
    import _socket

    until_ns = time.monotonic_ns() + WAIT_MS * 1_000_000
    family = _socket.AF_INET6 if ":" in host else _socket.AF_INET
    link = _socket.socket(family, _socket.SOCK_STREAM)
    try:
        link.settimeout(WAIT_MS / 1_000)
        link.connect((host, port))
        link.sendall(request)
        answer = b""
        while b"\r\n" not in answer and len(answer) < 1_000:
            left_ns = until_ns - time.monotonic_ns()
            if left_ns <= 0:
                return b""
            link.settimeout(left_ns / 1e9)
            part = link.recv(1_000)
            if not part:
                break
            answer += part
        return answer.split(b"\r\n")[0]
    finally:
        link.close()


def _token(home: str) -> str:
    token = os.environ.get(TOKEN_VARIABLE, "")
    if not token:
        try:
            handle = os.open(os.path.join(home, TOKEN_FILE), os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        except OSError:
            return ""
        try:
            token = os.read(handle, 1_000).decode("ascii", "replace")
        finally:
            os.close(handle)
    token = token.strip()
    return token if token.isascii() and token.isprintable() and " " not in token else ""
