"""`eyelet serve`: Datasette with the search page, on this machine, with a link that signs its reader in.

The process becomes `datasette serve`: signals, exit codes and the end of the terminal are Datasette's own. What is
left to say once the port answers, the plugin says (EYELET_SERVE_URL tells it to).

Ctrl-C ends it quietly at any moment: SIGINT waits while one Python takes the other's place, then does what it does to
any program (Python would print where its imports were), until uvicorn handles it and shuts down.
"""

import errno
import logging
import os
import runpy
import secrets
import signal
import socket
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

import click

from eyelet_ingest import open_files
from eyelet_ingest.cli.options import root_option
from eyelet_ingest.cli.output import visible
from eyelet_ingest.errors import RootError
from eyelet_ingest.store.identity import make_private_dir

DEFAULT_PORT = 8001
PORTS_TRIED = 100
# How long one thread may keep others from running; Python says 5 ms, and a hook over HTTP waits for three threads.
# Of 64 at once the slowest took 35 ms instead of 57.
SWITCH_S = 0.000_5
SECRET_FILE = "datasette.secret"


@click.command()
@root_option
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    show_default=False,
    help=f"Exactly this port. Without it {DEFAULT_PORT}, or the next that is free.",
)
@click.option("--host", default="127.0.0.1", metavar="HOST", help="The address to listen on.")
@click.option("--open", "open_browser", is_flag=True, help="Open the browser, signed in.")
def serve(root: str, port: int | None, host: str, open_browser: bool) -> None:
    """Serve the search page; prints a link that signs you in. Ctrl-C ends it."""
    try:
        datasette_version = version("datasette")
    except PackageNotFoundError as error:
        raise click.ClickException("datasette is not installed here: pip install datasette-eyelet") from error
    make_private_dir(root)
    open_files.allow()  # Datasette takes this process's place, and inherits that
    chosen = _port(host, port)
    environment = _environment(root, host, chosen, open_browser)
    command = [sys.executable, "-m", "eyelet_ingest.cli.serve", "serve", "--host", host, "--port", str(chosen)]
    command += _site(datasette_version)
    click.echo(f"Serving {visible(root)} with Datasette {datasette_version} …")
    sys.stdout.flush()
    if sys.platform == "win32":  # exec would hand the terminal back at once
        sys.exit(subprocess.call(command, env=environment))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.execve(sys.executable, command, environment)


def _environment(root: str, host: str, port: int, open_browser: bool) -> dict[str, str]:
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    url = f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
    environment = {
        **os.environ,
        "EYELET_ROOT": root,
        "EYELET_SERVE_URL": url,
        "PYTHONUNBUFFERED": "1",
        # `python -m` would import a click.py or datasette.py of the folder one happens to stand in.
        "PYTHONSAFEPATH": "1",
    }
    environment.setdefault("DATASETTE_SECRET", _secret(root))
    environment.pop("EYELET_SERVE_OPEN", None)
    if open_browser:
        environment["EYELET_SERVE_OPEN"] = "1"
    return environment


def _secret(root: str) -> str:
    """What sessions are signed with, kept at the root (0600), so that a sign-in outlives the server."""
    path = os.path.join(root, SECRET_FILE)
    try:
        found = _read(path)
        if found:
            return found
        fresh = f"{path}.{os.getpid()}"
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
        try:
            os.link(fresh, path)  # only one of two servers that start together sets it
        except FileExistsError:
            if not _read(path):
                os.replace(fresh, path)
        finally:
            if os.path.exists(fresh):
                os.unlink(fresh)
        return _read(path)
    except OSError as error:
        raise RootError("serve", path, error.strerror or str(error), _remedy(error)) from error


def _remedy(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full: make room"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "it must be readable and writable by you alone"
    return "name another folder with --root"


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            os.chmod(path, 0o600)
            return file.read().strip()
    except FileNotFoundError:
        return ""


def _port(host: str, wanted: int | None) -> int:
    """The port asked for, or the first free one from DEFAULT_PORT on; ClickException where it is taken."""
    if wanted is not None:
        if not _is_free(host, wanted):
            raise click.ClickException(f"port {wanted} is in use: choose another port or leave it out")
        return wanted
    for port in range(DEFAULT_PORT, DEFAULT_PORT + PORTS_TRIED):
        if _is_free(host, port):
            if port != DEFAULT_PORT:
                click.echo(f"Port {DEFAULT_PORT} is in use; taking {port}.", err=True)
            return port
    last = DEFAULT_PORT + PORTS_TRIED - 1
    raise click.ClickException(f"no port from {DEFAULT_PORT} to {last} is free: name one with --port")


def _is_free(host: str, port: int) -> bool:
    """Whether one could listen there now; ClickException where the address cannot be listened on at all."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            if os.name == "posix":  # as the server will: a port just left by another may be taken
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return True
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return False
        reason = error.strerror or str(error)
        raise click.ClickException(f"cannot listen on {visible(host)} port {port}: {reason}") from error


def _site(datasette_version: str) -> list[str]:
    """The options that make the site: titles and settings from metadata.yml, and the template overrides.

    1.0 takes titles from `-m` and settings from `-c`; 0.65 takes both from `-m`.
    """
    options: list[str] = []
    metadata = _shipped("metadata.yml")
    if metadata:
        options += ["-m", metadata]
        if not datasette_version.startswith("0."):
            options += ["-c", metadata]
    templates = _shipped("templates")
    return [*options, "--template-dir", templates] if templates else options


def _shipped(name: str) -> str:
    """The file or folder at the top of the repository this runs from, else the copy inside the package, else ''."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    source_root = os.path.dirname(package)
    candidates = [os.path.join(package, "site", name)]
    if os.path.basename(source_root) == "ingest":
        candidates.insert(0, os.path.join(os.path.dirname(source_root), name))
    return next((path for path in candidates if os.path.exists(path)), "")


def _without_secrets(record: logging.LogRecord) -> bool:
    """A line of uvicorn's access log says its address (the third argument, uvicorn/protocols/http) redacted. That of
    hooks is always the same, and looking at it took a tenth of what a hook costs."""
    from eyelet_ingest.posting import ADDRESS
    from eyelet_ingest.redactors import message

    if isinstance(record.args, tuple) and len(record.args) > 2 and record.args[2] != ADDRESS:
        record.args = (*record.args[:2], message(str(record.args[2])), *record.args[3:])
    return True


def _become_datasette() -> None:
    """`python -m datasette`, with the SIGINT that `serve` held back let through."""
    logging.getLogger("uvicorn.access").addFilter(_without_secrets)  # its configuration leaves filters as they are
    sys.setswitchinterval(SWITCH_S)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a parent may have it ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    runpy.run_module("datasette", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _become_datasette()
