#!/usr/bin/env python3
"""One query on an SQLite file: a handler of io.kestra.plugin.jdbc.sqlite.Query (runtime/host/HANDLERS.md)."""
import json
import sqlite3
import sys

OK, RETRYABLE, PERMANENT = 0, 20, 30


def say(**message):
    print(json.dumps(message), flush=True)


def query(props):
    path = props.get("url", "").removeprefix("jdbc:sqlite:")
    if not path:
        say(error={"message": "'url' must name a file: jdbc:sqlite:PATH"})
        return PERMANENT
    connection = sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=5)
    connection.row_factory = sqlite3.Row
    with connection:
        rows = [dict(row) for row in connection.execute(props["sql"], props.get("parameters") or {})]
    say(metric={"name": "fetch.size", "type": "counter", "value": len(rows)})
    kind = props.get("fetchType", "NONE")
    outputs = {"size": len(rows)}
    if kind == "FETCH":
        outputs["rows"] = rows
    elif kind == "FETCH_ONE" and rows:
        outputs["row"] = rows[0]
    elif kind == "STORE":
        say(error={"message": "'fetchType: STORE' is not supported by this handler"})
        return PERMANENT
    say(outputs=outputs)
    return OK


def main():
    request = json.load(sys.stdin)
    try:
        return query(request["props"])
    except sqlite3.OperationalError as problem:
        say(error={"message": str(problem)})
        return RETRYABLE if "locked" in str(problem) else PERMANENT
    except sqlite3.Error as problem:
        say(error={"message": str(problem)})
        return PERMANENT


if __name__ == "__main__":
    sys.exit(main())
