"""`eyelet rebuild`: the table of a day made anew with its rows, where another program changed it."""

import os
import sys

import click

from eyelet_ingest.errors import BadInput, PartitionUnreadable

REBUILT = "rebuilt"  # what the manifest of a sealed day says of it


@click.command()
@click.argument("file", metavar="FILE")
def rebuild(file: str) -> None:
    """Put a day right whose table another program changed. FILE is its logs.sqlite."""
    from eyelet_ingest.cli import output
    from eyelet_ingest.store import connect, layout, schema, sealing

    path = os.path.realpath(file)
    key = layout.key_from_path(path)
    if key is None:
        raise BadInput("rebuild", file, "it is no day", "name a logs/CONTEXT/YEAR/DAY/logs.sqlite")
    if not os.path.isfile(path):
        raise PartitionUnreadable("rebuild", path, "there is no such file")
    root = os.path.normpath(os.path.join(path, *[os.pardir] * 5))
    with sealing.rewriting(root, key, REBUILT):
        conn = connect.open_writer(path)
        try:
            rows = schema.rebuild(conn, path)
        except conn.OperationalError as bad:
            raise PartitionUnreadable("rebuild", path, str(bad), connect.remedy(path, bad)) from bad
        finally:
            conn.close()
    said = f"{path}: {rows:,} {'event' if rows == 1 else 'events'} in a table made anew"
    output.write_lines(sys.stdout, [output.visible(said)])
