"""The services that service_health asks: /health/NAME answers as JSON; `payments` is busy at the first request.

usage: server.py   prints the port it listens on (127.0.0.1 only) and serves until it is ended.
"""

import http.server
import json

seen = set()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.rsplit("/", 1)[-1]
        is_busy = name == "payments" and name not in seen
        seen.add(name)
        body = json.dumps({"service": name, "status": "busy" if is_busy else "ok"}).encode()
        self.send_response(503 if is_busy else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
