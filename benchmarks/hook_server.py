"""A server as `eyelet serve` starts it, in a process of its own, and an agent that posts to it: for the benchmarks.

Times are taken on both sides: by who asks, from the request's first byte to the answer's last; and at the server, from
the moment it is given the request's head until it has given away the answer, by a plugin around all others.
"""

import json
import select
import socket
import subprocess
import sys
import time
from pathlib import Path

from eyelet_ingest import tokens

PLAIN = {
    "session_id": "0d9c7f52-2d6f-4a7e-9f0e-6f1f3f0f6a11",
    "transcript_path": "/home/someone/.claude/projects/-home-someone-work/0d9c7f52.jsonl",
    "cwd": "/home/someone/work",
    "permission_mode": "default",
    "hook_event_name": "PostToolUse",
    "tool_name": "Bash",
    "tool_input": {"command": "git status --short", "description": "See what changed"},
    "tool_response": {"stdout": " M src/layout.py\n" * 60, "stderr": "", "interrupted": False, "isImage": False},
    "tool_use_id": "toolu_01AbCdEfGhIjKlMnOpQrStUv",
    "duration_ms": 31,
}
HOOK, PLAIN_ROUTE, TIMES = "/-/eyelet/hook", "/-/versions.json", "/-/times"
ANSWER_MS = 30_000

# Applied last, so it is around all other plugins.
STOPWATCH = """
import json, time
from datasette import hookimpl

found = []

@hookimpl(trylast=True)
def asgi_wrapper(datasette):
    def wrap(app):
        async def timed(scope, receive, send):
            if scope["type"] == "http" and scope["path"] == "/-/times":
                said = json.dumps(found).encode()
                found.clear()
                await send({"type": "http.response.start", "status": 200,
                            "headers": [(b"content-length", str(len(said)).encode())]})
                return await send({"type": "http.response.body", "body": said})
            started = time.perf_counter()
            await app(scope, receive, send)
            if scope["type"] == "http":
                found.append((time.perf_counter() - started) * 1000)
        return timed
    return wrap
"""


class HookServer:
    """A server with a root of its own under `folder`; connections to it stay open."""

    def __init__(self, folder: str) -> None:
        self.root = f"{folder}/served"
        self.token, _ = tokens.create(self.root, "bench", [], ["write"])
        self._connections: list[socket.socket] = []
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._server = subprocess.Popen(self._command(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            except ConnectionRefusedError:
                if self._server.poll() is not None:
                    raise SystemExit("the server did not start") from None
                time.sleep(0.05)
        payload = json.dumps(PLAIN).encode()
        head = f"POST {HOOK} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {self.token}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
        self.post = head.encode() + payload
        self.plain = self._get(PLAIN_ROUTE)

    def _command(self, folder: str) -> list[str]:
        from datasette.app import Datasette

        config, plugins = Path(folder, "datasette.json"), Path(folder, "plugins")
        config.write_text(json.dumps({"plugins": {"datasette-eyelet": {"root": self.root}}}))
        plugins.mkdir()
        Path(plugins, "stopwatch.py").write_text(STOPWATCH)
        option = "-c" if hasattr(Datasette, "allowed") else "-m"
        command = [sys.executable, "-m", "eyelet_ingest.cli.serve", "serve", "--memory", option, str(config)]
        return [*command, "--plugins-dir", str(plugins), "--port", str(self.port)]

    def _get(self, path: str) -> bytes:
        return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n\r\n".encode()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def burst(self, request: bytes, size: int) -> list[float]:
        """`size` requests sent at once, each on its own connection: how long each answer took, in ms."""
        asked = self._open(size)
        poll = select.poll()
        answers = {one.fileno(): b"" for one in asked}
        for one in asked:
            poll.register(one, select.POLLIN)
        of, started, lives = {one.fileno(): one for one in asked}, {}, []
        for one in asked:
            started[one.fileno()] = time.perf_counter()
            one.sendall(request)
        while len(lives) < size:
            ready = poll.poll(ANSWER_MS)
            assert ready, "no answer came"
            for handle, _ in ready:
                part = of[handle].recv(65_536)
                assert part, "the server closed a connection that waits for an answer"
                answers[handle] += part
                if is_whole(answers[handle]):
                    lives.append((time.perf_counter() - started[handle]) * 1000)
                    poll.unregister(handle)
        return lives

    def times_ms(self) -> list[float]:
        """How long the server took over each request since the last asking."""
        (one,) = self._open(1)
        one.sendall(self._get(TIMES))
        answer = b""
        while not is_whole(answer):
            answer += one.recv(1 << 20)
        times: list[float] = json.loads(answer.partition(b"\r\n\r\n")[2])
        return times

    def close(self) -> None:
        for one in self._connections:
            one.close()
        self._server.kill()
        self._server.wait()

    def _open(self, size: int) -> list[socket.socket]:
        gone = select.select(self._connections, [], [], 0)[0]  # the server closes what was idle for five seconds
        self._connections = [one for one in self._connections if one not in gone]
        while len(self._connections) < size:
            one = socket.create_connection(("127.0.0.1", self.port))
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections.append(one)
        return self._connections[:size]


def is_whole(answer: bytes) -> bool:
    """Whether an answer has come to its end; SystemExit where it is a refusal."""
    head, found, content = answer.partition(b"\r\n\r\n")
    if not found:
        return False
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(answer.decode(errors="replace"))
    length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b"")
    if length:
        return len(content) >= int(length.split(b":")[1])
    return content.endswith(b"0\r\n\r\n")
