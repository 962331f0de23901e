#!/usr/bin/env python3
"""A small HTTP server for tests: prints its port (or `ready`) and serves until its standard input closes.

usage: server.py [--tls CERT KEY [CA]] [--unix PATH]
"""
import http.server
import json
import os
import socketserver
import ssl
import sys
import threading
import time
import urllib.parse

COUNTS = {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def address_string(self):
        return "test"

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status in (204, 304):
            body = b""
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_any(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if self.headers.get("Transfer-Encoding") == "chunked":
            while True:
                size = int(self.rfile.readline(), 16)
                body += self.rfile.read(size)
                self.rfile.readline()
                if size == 0:
                    break
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        parts = url.path.strip("/").split("/")
        name = parts[0]
        if name == "echo":
            record = {"method": self.command, "path": self.path, "body": body.decode("latin-1"),
                      "headers": [[k, v] for k, v in self.headers.items()]}
            self.answer(200, json.dumps(record).encode(), [("Content-Type", "application/json"), ("X-Two", "a"), ("X-Two", "b")])
        elif name == "status":
            headers = [("Retry-After", query["after"][0])] if "after" in query else []
            self.answer(int(parts[1]), b"status " + parts[1].encode(), headers)
        elif name == "redirect":
            self.answer(int(query.get("code", ["302"])[0]), b"", [("Location", query["to"][0])])
        elif name == "big":
            size = int(parts[1])
            self.send_response(200)
            self.send_header("Content-Length", str(size))
            self.end_headers()
            block = b"0123456789abcdef" * 4096
            while size > 0:
                self.wfile.write(block[:size])
                size -= len(block)
        elif name == "slow":
            time.sleep(float(parts[1]))
            self.answer(200, b"slow")
        elif name == "drop":
            self.close_connection = True
            self.connection.close()
        elif name == "chunks":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for i in range(int(parts[1])):
                line = b"line %d\n" % i
                try:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                    self.wfile.flush()
                except OSError:
                    return
                time.sleep(0.02)
            self.wfile.write(b"0\r\n\r\n")
        elif name == "basic":
            if self.headers.get("Authorization") == "Basic dTpw":
                self.answer(200, b"in")
            else:
                self.answer(401, b"", [("WWW-Authenticate", 'Basic realm="x"')])
        elif name == "count":  # fails twice, then answers
            COUNTS[self.path] = COUNTS.get(self.path, 0) + 1
            if COUNTS[self.path] < 3:
                self.answer(int(parts[1]), b"not yet", [("Retry-After", "0")])
            else:
                self.answer(200, str(COUNTS[self.path]).encode())
        else:
            self.answer(404, b"nothing here")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = handle_any


class TcpServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def get_request(self):
        request, _ = super().get_request()
        return request, ("local", 0)

    def handle_error(self, request, client_address):
        pass


def main():
    args = sys.argv[1:]
    if args[:1] == ["--unix"]:
        server = UnixServer(args[1], Handler)
        print("ready", flush=True)
    else:
        server = TcpServer(("127.0.0.1", 0), Handler)
        if args[:1] == ["--tls"]:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(args[1], args[2])
            if len(args) > 3:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(args[3])
            server.socket = context.wrap_socket(server.socket, server_side=True)
        print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


main()
