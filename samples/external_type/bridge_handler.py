#!/usr/bin/env python3
"""Starts a flow on a Kestra server by its REST API and waits for its end (runtime/host/HANDLERS.md).

The address is in KESTRA_URL. The id of the execution is a checkpoint: after a crash the same one is waited
for, and an execution that was started without one being written is found by its label.
"""
import base64
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

OK, WARNING, RETRYABLE, PERMANENT = 0, 10, 20, 30
ENDED = {"SUCCESS": OK, "WARNING": WARNING, "FAILED": PERMANENT, "KILLED": PERMANENT, "CANCELLED": PERMANENT}


def say(**message):
    print(json.dumps(message), flush=True)


def form(fields):
    mark = uuid.uuid4().hex
    parts = [f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()]
    return "".join(parts) + f"--{mark}--\r\n", f"multipart/form-data; boundary={mark}"


def call(props, method, path, fields=None):
    tenant = urllib.parse.quote(props.get("tenant", "main"))
    request = urllib.request.Request(f"{os.environ['KESTRA_URL']}/api/v1/{tenant}/executions{path}", method=method)
    if fields is not None:
        text, kind = form(fields)
        request.data = text.encode()
        request.add_header("Content-Type", kind)
    if props.get("username"):
        pair = f"{props['username']}:{props.get('password', '')}".encode()
        request.add_header("Authorization", "Basic " + base64.b64encode(pair).decode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def started(props, key):
    """The execution that this attempt has started already, or None."""
    query = urllib.parse.urlencode({"filters[labels][EQUALS][flowrun-key]": key})
    found = call(props, "GET", f"/search?{query}")
    return found["results"][0]["id"] if found.get("results") else None


def start(props, key):
    found = started(props, key)
    if found:
        return found
    namespace, flow = urllib.parse.quote(props["namespace"]), urllib.parse.quote(props["flowId"])
    label = urllib.parse.quote(f"flowrun-key:{key}")
    fields = {name: value if isinstance(value, str) else json.dumps(value) for name, value in (props.get("inputs") or {}).items()}
    return call(props, "POST", f"/{namespace}/{flow}?labels={label}", fields)["id"]


def run(request):
    props, checkpoint = request["props"], request.get("checkpoint") or {}
    execution = checkpoint.get("execution") or start(props, request["context"]["idempotency_key"])
    say(checkpoint={"execution": execution})
    say(log={"level": "INFO", "message": f"execution {execution} of {props['namespace']}.{props['flowId']}"})
    while True:
        found = call(props, "GET", f"/{execution}")
        state = found["state"]["current"]
        if state in ENDED:
            break
        time.sleep(float(os.environ.get("KESTRA_POLL", "2")))
    say(outputs={"executionId": execution, "state": state, "outputs": found.get("outputs") or {}})
    if ENDED[state] == PERMANENT:
        say(error={"message": f"execution {execution} ended as {state}"})
    return ENDED[state]


def main():
    if not os.environ.get("KESTRA_URL"):
        say(error={"message": "KESTRA_URL is not set: the address of the Kestra server"})
        return PERMANENT
    try:
        return run(json.load(sys.stdin))
    except urllib.error.HTTPError as problem:
        say(error={"message": f"the server answered with status {problem.code}"})
        return RETRYABLE if problem.code == 429 or problem.code >= 500 else PERMANENT
    except (urllib.error.URLError, TimeoutError) as problem:
        say(error={"message": f"the server cannot be reached: {problem}"})
        return RETRYABLE


if __name__ == "__main__":
    sys.exit(main())
