"""One tree of errors. Each says the operation, the path it met and the remedy; its text is fit for a user's eyes."""


class EyeletError(Exception):
    """Something the software can name: `operation` met trouble at `path`; `hint` says what helps."""

    def __init__(self, operation: str, path: str = "", reason: str = "", hint: str = "") -> None:
        self.operation, self.path, self.reason, self.hint = operation, path, reason, hint
        where = f" {path}" if path else ""
        why = f": {reason}" if reason else ""
        remedy = f" ({hint})" if hint else ""
        super().__init__(f"{operation}{where}{why}{remedy}")


class BadInput(EyeletError):
    """What was given cannot be taken as it is: a record, a range, a cursor, a name."""


class PartitionError(EyeletError):
    """A partition could not serve; the others can."""


class PartitionBusy(PartitionError):
    """Others kept the partition until the deadline; trying again may work."""


class PartitionUnreadable(PartitionError):
    """The file is there and is not a partition this version can use: garbage, a directory, no rights."""


class PartitionNewer(PartitionError):
    """A newer version of the software wrote this partition; it is never written by an older one."""


class RootError(EyeletError):
    """The root folder cannot be used: it is a file, it cannot be made, its key cannot be read."""
