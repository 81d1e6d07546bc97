"""What a row says beside its payload: machine, git, environment, fields of one's own. Light: the hook imports it.

No DNS, no git process: the machine's address is asked of the kernel and kept for an hour, git's facts are read from its
files. Each part can be switched off. Values come from outside like everything recorded, and are redacted like it.
"""

import time

from eyelet_ingest import git_facts
from eyelet_ingest.errors import EyeletError
from eyelet_ingest.store.identity import make_private_dir
from eyelet_ingest.surroundings import CACHE_NAME, Surroundings
from eyelet_ingest.system import os

TYPE_CHECKING = False  # importing typing costs the hook more than its insert
if TYPE_CHECKING:
    from eyelet_ingest.events import Event
    from eyelet_ingest.redaction import Redactor

VALUE_CHARS = 500  # of a variable or a fact of git's; longer ones are cut
MOST_VARIABLES = 100
ADDRESS_FILE = "address"
ADDRESS_S = 3_600
# A datagram socket that is connected sends nothing; the kernel only chooses the address it would send from. These are
# addresses for documentation: nobody has them.
_ELSEWHERE = (("192.0.2.1", False), ("2001:db8::1", True))


def add(event: "Event", around: Surroundings) -> None:
    """Give the event what the settings allow: hostname, ip_address, and in `meta` git, environment and custom."""
    settings = around.settings
    if settings["hostname"] and hasattr(os, "uname"):
        event.hostname = os.uname().nodename
    if settings["ip"]:
        event.ip_address = address(around.home)
    if settings["git"] and around.git:
        facts = git_facts.facts(around.git)
        if facts:
            event.meta["git"] = {name: around.redactor.text(fact) for name, fact in facts.items()}
    if settings["environment"]:
        variables = environment(settings["environment"], around.redactor)
        if variables:
            event.meta["environment"] = variables
    if settings["custom_fields"]:
        event.meta["custom"] = around.redactor.value(settings["custom_fields"])


def environment(patterns: "tuple[str, ...]", redactor: "Redactor") -> "dict[str, str]":
    """The variables whose names are allowed, a star standing for any end; what may be a secret is withheld."""
    exact = frozenset(patterns)
    heads = tuple([pattern[:-1] for pattern in patterns if pattern.endswith("*")])
    found = {name: value for name, value in os.environ.items() if name in exact or (heads and name.startswith(heads))}
    if len(found) > MOST_VARIABLES:
        found = dict(sorted(found.items())[:MOST_VARIABLES])
    return _safe(found, redactor)


def address(home: str) -> "str | None":
    """This machine's address as others see it, asked anew each hour; None where it has none."""
    path = os.path.join(home, CACHE_NAME, ADDRESS_FILE)
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        try:
            if abs(time.time() - os.fstat(handle).st_mtime) < ADDRESS_S:
                return os.read(handle, 64).decode("ascii", "replace") or None
        finally:
            os.close(handle)
    except OSError:
        pass
    found = _asked()
    _keep(path, found)
    return found or None


def _asked() -> str:
    import _socket

    for place, is_six in _ELSEWHERE:
        try:
            one = _socket.socket(_socket.AF_INET6 if is_six else _socket.AF_INET, _socket.SOCK_DGRAM)
            try:
                one.connect((place, 9))
                return str(one.getsockname()[0])
            finally:
                one.close()
        except OSError:
            continue
    return ""


def _keep(path: str, found: str) -> None:
    mine = f"{path}.{os.getpid()}"
    try:
        make_private_dir(os.path.dirname(path))
        handle = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(handle, found.encode())
        finally:
            os.close(handle)
        os.replace(mine, path)
    except (OSError, EyeletError):
        pass  # the next hook asks again


def _safe(facts: "dict[str, str]", redactor: "Redactor") -> "dict[str, str]":
    """The facts without what may be a secret: its name tells it, or its looks. One look for all where there is none."""
    whole = "\n".join([f"{name}={value}" for name, value in facts.items()])
    may_be = redactor.may_hold(whole)
    if not may_be and whole.isascii() and len(whole) < VALUE_CHARS:
        return facts
    safe = {}
    for name, value in facts.items():
        if may_be and redactor.may_hold(f"{name}={value}"):
            value = redactor.marker("withheld", value)
        if not value.isascii():  # a variable may hold bytes that are no UTF-8
            value = value.encode("utf-8", "replace").decode()
        safe[name] = value if len(value) <= VALUE_CHARS else f"{value[:VALUE_CHARS]}…[cut: {len(value)} characters]"
    return safe
