"""What Datasette is told of a question that ran out of time."""

from typing import Any

from datasette.database import QueryInterrupted
from datasette.views.base import DatasetteError


class TookTooLong(QueryInterrupted, DatasetteError):  # type: ignore[misc]  # Datasette has no types
    """A question that was stopped at its time limit. Where Datasette does not expect that (CSV; in 1.0 every table), it
    says so on a page, without a traceback, nor the SQL and its parameters: they may be what somebody looks for."""

    def __init__(self, error: object, sql: str, params: Any) -> None:
        DatasetteError.__init__(
            self,
            "SQL query took too long: ask for less, by time or with a limit, or raise the setting sql_time_limit_ms",
            title="SQL Interrupted",
            status=400,
        )
        QueryInterrupted.__init__(self, error, sql, params)

    def __str__(self) -> str:
        return str(self.message)
