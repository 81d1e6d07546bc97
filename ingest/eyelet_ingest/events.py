"""The event: what every way in makes of what arrived, and what every partition stores as a row.

A plain class with slots, not a data class: the hook imports this file on every tool call, and importing
`dataclasses` alone costs more than half of a bare interpreter's start.
"""


class Event:
    """One event, redacted and derived, before it has a place in a partition.

    `time_us` is the event's time in microseconds since 1970 UTC; `data` the payload as JSON text and `meta` what
    we added, as a dict that JSON can hold. `uid` is the identity of `store/identity.py`, 16 bytes. The other
    fields are the columns of `hooks` of the same name (docs/schema.md).
    """

    __slots__ = (
        "agent",
        "agent_id",
        "data",
        "duration_ms",
        "error",
        "hook_type",
        "hostname",
        "ip_address",
        "loglevel",
        "meta",
        "model",
        "origin",
        "project_dir",
        "role",
        "session_id",
        "src",
        "status",
        "time_us",
        "tool_name",
        "tool_use_id",
        "uid",
    )

    def __init__(
        self,
        *,
        hook_type: str,
        time_us: int = 0,
        uid: bytes = b"",
        session_id: str = "",
        tool_name: str | None = None,
        tool_use_id: str | None = None,
        status: str = "ok",
        src: str = "",
        loglevel: str = "info",
        error: int = 0,
        origin: str = "hook",
        agent: str | None = None,
        agent_id: str | None = None,
        role: str | None = None,
        model: str | None = None,
        duration_ms: float | None = None,
        project_dir: str | None = None,
        hostname: str | None = None,
        ip_address: str | None = None,
        data: str = "{}",
        meta: "dict[str, object] | None" = None,
    ) -> None:
        self.hook_type = hook_type
        self.time_us = time_us
        self.uid = uid
        self.session_id = session_id
        self.tool_name = tool_name
        self.tool_use_id = tool_use_id
        self.status = status
        self.src = src
        self.loglevel = loglevel
        self.error = error
        self.origin = origin
        self.agent = agent
        self.agent_id = agent_id
        self.role = role
        self.model = model
        self.duration_ms = duration_ms
        self.project_dir = project_dir
        self.hostname = hostname
        self.ip_address = ip_address
        self.data = data
        self.meta: dict[str, object] = {} if meta is None else meta
