"""What Slack's app tasks ask, judged by Prism with the description of Slack's interface that others wrote.

The tasks go to https://slack.com, and so it is here: in namespaces of its own the test has only loopback, a hosts file that leads
there, and an authority of its own among the trusted ones. A small server speaks TLS, writes the token into the header that the
description (of 2020) wants, and hands the rest to Prism as it came; with --errors Prism refuses what does not fit.
"""

import http.client
import http.server
import json
import shutil
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import flowtest
from components import FOLDER, in_namespaces, need, server, stand_for, wait_until
from flows import World, task, world

PRISM = FOLDER / "prism/node_modules/@stoplight/prism-cli/dist/index.js"
DOCUMENT = FOLDER / "prism/slack.com.json"
APP = "io.kestra.plugin.slack.app."
PORT = 4010


class Door(http.server.BaseHTTPRequestHandler):
    """slack.com: TLS in front of Prism."""

    asked = []

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection", "content-length")}
        headers["token"] = headers.get("Authorization", "").removeprefix("Bearer ")
        upstream = http.client.HTTPConnection("127.0.0.1", PORT)
        upstream.request(self.command, self.path.removeprefix("/api"), body or None, headers)
        given = upstream.getresponse()
        text = given.read()
        Door.asked.append((self.command, self.path.split("?")[0], given.status, headers["token"], text))
        if given.status < 300:  # an example of the description may be an old one
            text = json.dumps({"ok": True, "ts": "1.2", "channel": {"id": "C1", "name": "n"}, "messages": [{"ts": "1"}]}).encode()
        self.send_response(given.status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = answer

    def log_message(self, *arguments):
        pass


def inside():
    """In the namespaces: the servers, then the tasks."""
    with world() as name:
        folder = Path(name)
        door = http.server.ThreadingHTTPServer(("127.0.0.1", 443), Door)
        door.socket = stand_for(folder, "slack.com").wrap_socket(door.socket, server_side=True)
        threading.Thread(target=door.serve_forever, daemon=True).start()

        def is_up():
            try:
                upstream = http.client.HTTPConnection("127.0.0.1", PORT)
                upstream.request("GET", "/")
                return upstream.getresponse().status > 0
            except OSError:
                return False

        with server(["node", PRISM, "mock", "-h", "127.0.0.1", "-p", PORT, "--errors", DOCUMENT], folder, "prism") as process:
            wait_until(is_up, "prism", process=process)
            it, at = World(folder), {"token": "xoxb-test", "channel": "C1"}
            rich = json.dumps({"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "ü & \"b\""}}]})
            it.run(task("post", APP + "chats.Post", messageText='say "hi" & bye', username="bot", iconEmoji=":ok:", payload=rich, timestamp="1.2", **at),
                   task("create", APP + "conversations.Create", token="xoxb-test", name="ops", isPrivate=True),
                   task("invite", APP + "conversations.Invite", users=["U1", "U2"], **at),
                   task("topic", APP + "conversations.SetTopic", topic="t", **at),
                   task("history", APP + "conversations.History", limit=5, oldest="1", inclusive=True, **at),
                   task("react", APP + "reactions.Add", name="thumbsup", timestamp="1.2", **at))
            print(json.dumps([[*row[:4], row[4].decode()] for row in Door.asked]))


def test_what_slack_is_asked_fits_its_description():
    need(DOCUMENT, "Prism")
    if shutil.which("node") is None:
        flowtest.skip("node is not installed", is_installable=True)
    asked = in_namespaces(__file__)
    assert [row[1].removeprefix("/api/") for row in asked] == ["chat.postMessage", "conversations.create", "conversations.invite",
                                                              "conversations.setTopic", "conversations.history", "reactions.add"], asked
    for row in asked:
        assert row[2] == 200 and row[3] == "xoxb-test", row


if __name__ == "__main__":
    if "--inside" in sys.argv:
        inside()
    else:
        flowtest.main()
