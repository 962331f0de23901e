"""Servers that mean no good, or are broken: each ends its task FAILED with one line that says what is wrong, and leaves nothing behind."""

import base64
import hashlib
import json
import re
import socket
import ssl
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest
from flows import Recorder, World, task, world
from listener import Listener

REQUEST = "io.kestra.plugin.core.http.Request"
DOWNLOAD = "io.kestra.plugin.core.http.Download"
EVENTS = "io.kestra.plugin.core.http.SseRequest"


class Raw:
    """A server that answers each connection with what `answer(connection)` sends."""

    def __init__(self, answer, context=None):
        def one(connection):
            try:
                if context:
                    connection = context.wrap_socket(connection, server_side=True)
                connection.recv(65536)
                answer(connection)
            except OSError:
                pass
            finally:
                connection.close()

        self.listener = Listener(one)
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.listener.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def fails(it, kind, url, *words, **properties):
    """Runs the task; it fails, with one line that has the words."""
    it.run(task("t", kind, uri=url, **properties), status=1)
    text = it.execution["reason"]["message"]
    assert "\n" not in text and len(text) < 700, text
    for word in words:
        assert word in text, (word, text)
    left = [path for path in (it.state / "files").rglob("*") if path.is_file()]
    assert not left, left
    return text


def test_an_answer_of_ten_gigabytes_is_not_read():
    def huge(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    def endless(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    with world() as folder, Raw(huge) as one, Raw(endless) as two:
        it = World(folder)
        begin = time.monotonic()
        for server in (one, two):
            fails(it, REQUEST, server.url, "bytes")
            fails(it, REQUEST, server.url, "bytes", options={"maxContentLength": 1000})
            fails(it, DOWNLOAD, server.url, "bytes", options={"maxContentLength": 1000000})
        assert time.monotonic() - begin < 60


def test_a_server_that_stops_in_the_middle():
    def short(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")

    def head(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")

    def nothing(connection):
        pass

    def nonsense(connection):
        connection.sendall(b"\x00\x01\x02 this is no HTTP at all\r\n\r\n")

    def stall(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")
        time.sleep(30)

    with world() as folder:
        it = World(folder)
        for answer in (short, head, nothing, nonsense):
            with Raw(answer) as server:
                for kind in (REQUEST, DOWNLOAD):
                    fails(it, kind, server.url, "127.0.0.1")
        with Raw(stall) as server:
            for kind in (REQUEST, DOWNLOAD):
                begin = time.monotonic()
                fails(it, kind, server.url, options={"timeout": {"readIdleTimeout": "PT1S"}})
                assert time.monotonic() - begin < 10
            fails(it, REQUEST, server.url, options={"readTimeout": "PT1S"})


def expired(folder):
    """A context with a certificate that ended long ago, and the certificate as Base64."""
    folder = Path(folder)
    (folder / "index.txt").write_text("")
    (folder / "serial").write_text("01\n")
    (folder / "ca.cnf").write_text(f"""[ca]
default_ca = d
[d]
dir = {folder}
database = {folder}/index.txt
serial = {folder}/serial
new_certs_dir = {folder}
default_md = sha256
policy = p
x509_extensions = e
[p]
commonName = supplied
[e]
subjectAltName = IP:127.0.0.1
basicConstraints = critical, CA:true
[req]
distinguished_name = n
[n]
""")
    key, cert = folder / "key.pem", folder / "cert.pem"
    flowtest.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", folder / "csr.pem",
                  "-subj", "/CN=127.0.0.1", "-config", folder / "ca.cnf"], check=0)
    flowtest.run(["openssl", "ca", "-batch", "-notext", "-selfsign", "-config", folder / "ca.cnf", "-keyfile", key, "-in", folder / "csr.pem", "-out", cert,
                  "-startdate", "20200101000000Z", "-enddate", "20200102000000Z"], check=0)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context, base64.b64encode(cert.read_bytes()).decode()


def test_a_certificate_that_has_expired():
    with world() as folder:
        it = World(folder)
        (it.folder / "tls").mkdir()
        context, authority = expired(it.folder / "tls")
        with Recorder(context=context) as server:
            fails(it, REQUEST, server.url, "certificate")
            # With the authority known, the reason is the date alone.
            it.run(task("k", "io.kestra.plugin.kubernetes.kubectl.Get", resourceType="pods", namespace="default",
                        connection={"masterUrl": server.url, "caCertData": authority, "oauthToken": "t"}), status=1)
            text = it.execution["reason"]["message"]
            assert "expired" in text and "\n" not in text, text
            assert not server.requests


def test_a_redirect_to_an_address_of_metadata():
    places = ["http://169.254.169.254/latest/meta-data/iam/", "http://[fd00:ec2::254]/", "http://169.254.170.2/v2/credentials", "http://2852039166/"]
    with world() as folder, Recorder({f"/{i}": [(302, {"Location": place}, b"")] for i, place in enumerate(places)}) as server:
        it = World(folder)
        for i in range(len(places)):
            for kind in (REQUEST, DOWNLOAD):
                fails(it, kind, f"{server.url}/{i}", "metadata")
        fails(it, REQUEST, places[0], "metadata")


def test_redirects_without_end_and_to_other_schemes():
    with world() as folder, Recorder({"/a": [(302, {"Location": "/a"}, b"")], "/file": [(302, {"Location": "file:///etc/passwd"}, b"")],
                                      "/gopher": [(302, {"Location": "gopher://127.0.0.1/x"}, b"")]}) as server:
        it = World(folder)
        assert len(server.requests) == 0
        fails(it, REQUEST, server.url + "/a", "redirect")
        assert len(server.requests) < 15
        for path in ("/file", "/gopher"):
            fails(it, REQUEST, server.url + path)


def test_a_credential_does_not_follow_to_another_host():
    with world() as folder, Recorder() as other, Recorder() as server:
        server.answers["/"] = [(302, {"Location": other.url.replace("127.0.0.1", "localhost") + "/taken"}, b"")]
        it = World(folder)
        it.run(task("t", REQUEST, uri=server.url + "/", options={"auth": {"type": "BEARER", "token": "secret-token"}}))
        assert "authorization" in server.requests[0]["headers"] and "authorization" not in other.requests[0]["headers"]


def test_no_server_at_all():
    with socket.socket() as probe, world() as folder:
        probe.bind(("127.0.0.1", 0))
        it = World(folder)
        fails(it, REQUEST, f"http://127.0.0.1:{probe.getsockname()[1]}/", "127.0.0.1")
        fails(it, REQUEST, "http://name.invalid/", "name.invalid")
        fails(it, REQUEST, "ftp://127.0.0.1/", "ftp")
        fails(it, EVENTS, f"http://127.0.0.1:{probe.getsockname()[1]}/", "127.0.0.1")


def test_digest_is_answered():
    """The challenge of RFC 7616, checked by the server's own arithmetic."""
    def md5(text):
        return hashlib.md5(text.encode()).hexdigest()

    def answer(request):
        given = dict(re.findall(r'(\w+)="?([^",]*)"?', request["headers"].get("authorization", "")))
        if "response" not in given:
            return 401, {"WWW-Authenticate": 'Digest realm="r", nonce="n0nce", qop="auth"'}, b""
        want = md5(":".join([md5("u:r:p\"w"), "n0nce", given["nc"], given["cnonce"], "auth", md5("GET:" + given["uri"])]))
        return (200 if given["response"] == want else 403), {}, b"in"

    with world() as folder, Recorder({"/d": answer}) as server:
        it = World(folder)
        auth = {"type": "DIGEST", "username": "u", "password": 'p"w'}
        out = it.run(task("t", REQUEST, uri=server.url + "/d", options={"auth": auth}))
        assert out["t"]["body"] == "in"
        fails(it, REQUEST, server.url + "/d", "403", options={"auth": {**auth, "password": "wrong"}})


def test_headers_without_end():
    def many(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X-A: " + b"y" * 8000 + b"\r\n")

    with world() as folder, Raw(many) as server:
        fails(World(folder), REQUEST, server.url)


if __name__ == "__main__":
    flowtest.main()
