"""Mail by SMTP against a server that keeps what it gets: plain, encrypted, with a login, refused."""

import base64
import email
import email.policy
import socketserver
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from flows import World, self_signed, task, world
import flowtest

SEND = "io.kestra.plugin.email.MailSend"


class Smtp:
    """One SMTP server: `context` makes it SMTPS, `starttls` offers the change."""

    def __init__(self, context=None, starttls=None, refuse=None):
        self.mails, self.logins = [], []
        smtp = self

        class Handler(socketserver.StreamRequestHandler):
            def say(self, text):
                self.wfile.write(text.encode() + b"\r\n")

            def setup(self):
                if context:
                    self.request = context.wrap_socket(self.request, server_side=True)
                super().setup()

            def handle(self):
                envelope = {"to": []}
                encrypted = context is not None
                self.say("220 test")
                while line := self.rfile.readline():
                    text = line.decode().strip()
                    verb = text.upper()
                    if verb.startswith(("EHLO", "HELO")):
                        self.say("250-test")
                        if starttls and not encrypted:
                            self.say("250-STARTTLS")
                        self.say("250 AUTH PLAIN XOAUTH2")
                    elif verb == "STARTTLS":
                        self.say("220 go")
                        self.request = starttls.wrap_socket(self.request, server_side=True)
                        self.rfile, self.wfile = self.request.makefile("rb"), self.request.makefile("wb", 0)
                        encrypted = True
                    elif verb.startswith("AUTH "):
                        words = text.split()
                        if len(words) < 3:
                            self.say("334 ")
                            words.append(self.rfile.readline().decode().strip())
                        login = base64.b64decode(words[2])
                        smtp.logins.append(login)
                        self.say("535 no" if b"wrong" in login else "235 ok")
                    elif verb.startswith("MAIL FROM:"):
                        envelope["from"] = text[10:].split()[0]
                        self.say("250 ok")
                    elif verb.startswith("RCPT TO:"):
                        if refuse and refuse in text:
                            self.say("550 no such user")
                            continue
                        envelope["to"].append(text[8:])
                        self.say("250 ok")
                    elif verb == "DATA":
                        self.say("354 go")
                        lines = []
                        while (data := self.rfile.readline()) not in (b".\r\n", b""):
                            assert data.endswith(b"\r\n"), data
                            lines.append(data[1:] if data.startswith(b"..") else data)
                        message = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
                        smtp.mails.append({**envelope, "message": message, "encrypted": encrypted})
                        self.say("250 kept")
                    elif verb == "QUIT":
                        self.say("221 bye")
                        return

        class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.server.shutdown()
        self.server.server_close()


def mail(server, **properties):
    return task("m", SEND, host="127.0.0.1", port=server.port, **{"from": "Me <me@example.com>", "to": "a@example.com"}, **properties)


def test_a_mail_has_its_parts():
    with world() as folder, Smtp() as server:
        it = World(folder)
        it.run(task("w", "io.kestra.plugin.core.storage.Write", content="a,b\n" * 100),
               {**mail(server, transportStrategy="SMTP", cc="C <c@example.com>, d@example.com", subject="Grüße: " + "ü" * 60,
                       plainTextContent="plain\n.\ntext", htmlTextContent="<b>bold</b>",
                       attachments=[{"uri": "{{ outputs.w.uri }}", "name": "data.csv", "contentType": "text/csv"}],
                       embeddedImages=[{"uri": "{{ outputs.w.uri }}", "name": "logo", "contentType": "image/png"}])})
        [got] = server.mails
        message = got["message"]
        assert got["from"] == "<me@example.com>"
        assert got["to"] == ["<a@example.com>", "<c@example.com>", "<d@example.com>"]
        assert message["Subject"] == "Grüße: " + "ü" * 60 and message["From"] == "Me <me@example.com>"
        assert message["Cc"] == "C <c@example.com>, d@example.com" and message["Date"].datetime is not None
        assert message.get_body(("plain",)).get_content().replace("\r\n", "\n").rstrip("\n") == "plain\n.\ntext"
        assert message.get_body(("html",)).get_content().strip() == "<b>bold</b>"
        [attached] = list(message.iter_attachments())
        assert attached.get_filename() == "data.csv" and attached.get_content().replace("\r\n", "\n") == "a,b\n" * 100
        image = next(part for part in message.walk() if part["Content-ID"] == "<logo>")
        assert image.get_content_type() == "image/png" and image.get_payload(decode=True) == b"a,b\n" * 100


def test_a_mail_is_encrypted_as_its_strategy_says():
    with world() as folder:
        it = World(folder)
        context = self_signed(folder)
        secrets = Path(folder) / "secrets.yaml"
        secrets.write_text("PASSWORD: s3cret-word\n")
        secrets.chmod(0o600)
        options = ["--secrets", secrets]
        more = {"username": "user", "password": "{{ secret('PASSWORD') }}", "plainTextContent": "x"}
        with Smtp(context=context) as server:
            it.run(mail(server, verifyServerIdentity=False, **more), options=options)
            assert server.mails[0]["encrypted"] and server.logins == [b"\0user\0s3cret-word"]
            it.run(mail(server, **more), options=options, status=1)
            assert "certificate" in it.execution["reason"]["message"].lower() and len(server.mails) == 1
        with Smtp(starttls=context) as server:
            it.run(mail(server, transportStrategy="SMTP_TLS", trustedHosts=["127.0.0.1"], **more), options=options)
            assert server.mails[0]["encrypted"]
            it.run(mail(server, transportStrategy="SMTP_OAUTH2", verifyServerIdentity=False, username="user", plainTextContent="x",
                        accessToken="{{ secret('PASSWORD') }}"), options=options)
            assert server.logins[-1] == b"user=user\x01auth=Bearer s3cret-word\x01\x01"
        with Smtp() as server:  # no encryption offered: nothing is said in clear
            it.run(mail(server, transportStrategy="SMTP_TLS", **more), options=options, status=1)
            assert not server.mails and not server.logins


def test_what_a_server_refuses_is_told():
    with world() as folder, Smtp(refuse="b@example.com") as server:
        it = World(folder)
        plain = {"transportStrategy": "SMTP", "plainTextContent": "x"}
        it.run({**mail(server, **plain), "to": "b@example.com"}, status=1)
        assert "550" in it.execution["reason"]["message"], it.execution["reason"]
        it.run(mail(server, username="user", password="wrong", **plain), status=1)
        assert "denied" in it.execution["reason"]["message"].lower(), it.execution["reason"]
        for bad in ("nobody", "a@x\nBcc: y@z", ""):
            it.run({**mail(server, **plain), "to": bad}, status=1)
        it.run({**mail(server, **plain), "subject": "a\nBcc: y@z"}, status=1)
        assert not server.mails


def test_an_execution_is_summed_up_by_mail():
    with world() as folder, Smtp() as server:
        it = World(folder)
        it.run(task("m", "io.kestra.plugin.email.MailExecution", host="127.0.0.1", port=server.port, transportStrategy="SMTP",
                    to="a@example.com", subject="s", customMessage="look", **{"from": "me@example.com"}))
        text = server.mails[0]["message"].get_content()
        assert it.execution["id"] in text and "look" in text and "company.team.flow" in text


if __name__ == "__main__":
    flowtest.main()
