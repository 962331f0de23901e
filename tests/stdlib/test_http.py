"""HTTP tasks and what is built on them (notifications, Cloudflare) against servers that record what they are asked."""

import base64
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from flows import Recorder, World, self_signed, task, world
import flowtest

REQUEST = "io.kestra.plugin.core.http.Request"
DOWNLOAD = "io.kestra.plugin.core.http.Download"
SSE = "io.kestra.plugin.core.http.SseRequest"


def secrets(folder, **values):
    path = Path(folder) / "secrets.yaml"
    path.write_text("".join(f"{name}: {json.dumps(value)}\n" for name, value in values.items()))
    path.chmod(0o600)
    return ["--secrets", path]


# --- requests -----------------------------------------------------------------------------------


def test_a_request_is_what_its_properties_say():
    with world() as folder, Recorder() as server:
        it = World(folder)
        out = it.run(
            task("get", REQUEST, uri=server.url + "/a b", params={"q": ["1", "2"], "n": "x y"}, headers={"X-A": "1"}),
            task("form", REQUEST, method="POST", uri=server.url + "/form", contentType="application/x-www-form-urlencoded",
                 formData={"a": "1 2", "b": "ü"}),
            task("body", REQUEST, method="PUT", uri=server.url + "/body", body='{"a":1}'),
            task("auth", REQUEST, uri=server.url + "/auth", options={"auth": {"type": "BASIC", "username": "u", "password": "p"}}),
            task("bearer", REQUEST, uri=server.url + "/bearer", options={"auth": {"type": "BEARER", "token": "t0ken"}}),
            task("old", REQUEST, uri=server.url + "/old", options={"basicAuthUser": "u", "basicAuthPassword": "q"}))
        got = {r["path"].strip("/").split("%")[0]: r for r in server.requests}
        assert server.requests[0]["path"] == "/a%20b" and server.requests[0]["query"] == {"q": ["1", "2"], "n": ["x y"]}
        assert server.requests[0]["headers"]["x-a"] == "1" and server.requests[0]["headers"]["user-agent"] == "Kestra"
        assert got["form"]["body"] == b"a=1%202&b=%C3%BC"
        assert got["body"]["body"] == b'{"a":1}' and got["body"]["headers"]["content-type"] == "application/json"
        assert got["auth"]["headers"]["authorization"] == "Basic " + base64.b64encode(b"u:p").decode()
        assert got["bearer"]["headers"]["authorization"] == "Bearer t0ken"
        assert got["old"]["headers"]["authorization"] == "Basic " + base64.b64encode(b"u:q").decode()
        assert out["get"]["code"] == 200 and out["get"]["body"] == "ok"
        assert out["get"]["headers"]["content-length"] == ["2"]


def test_files_go_as_parts_with_their_names():
    with world() as folder, Recorder() as server:
        it = World(folder)
        it.run(task("w", "io.kestra.plugin.core.storage.Write", content="file content", extension=".txt"),
               task("up", REQUEST, method="POST", uri=server.url, contentType="multipart/form-data",
                    formData={"hello": "world", "file": {"content": "{{ outputs.w.uri }}", "name": "test.yml"}}))
        body = server.requests[0]["body"]
        assert b'name="hello"' in body and b"world" in body
        assert b'name="file"; filename="test.yml"' in body and b"file content" in body


def test_statuses_that_are_accepted():
    answers = {"/417": [(417, {}, b'{ "hello": "world" }')], "/500": [(500, {}, b"Internal Server Error")], "/204": [(204, {}, b"")]}
    with world() as folder, Recorder(answers) as server:
        it = World(folder)
        out = it.run(task("old", REQUEST, uri=server.url + "/417", allowFailed=True),
                     task("new", REQUEST, uri=server.url + "/417", options={"allowFailed": True}),
                     task("codes", REQUEST, uri=server.url + "/417", options={"allowedResponseCodes": [417]}))
        assert [out[name]["code"] for name in ("old", "new", "codes")] == [417] * 3
        assert out["old"]["body"] == '{ "hello": "world" }'
        it.run(task("x", REQUEST, uri=server.url + "/", options={"allowedResponseCodes": [201]}), status=1)
        assert "200" in it.execution["reason"]["message"]
        it.run(task("d", DOWNLOAD, uri=server.url + "/500"), status=1)
        assert "500" in it.execution["reason"]["message"]
        it.run(task("d", DOWNLOAD, uri=server.url + "/204"), status=1)
        assert "empty" in it.execution["reason"]["message"]


def test_a_charset_that_is_not_ours_is_said():
    with world() as folder, Recorder() as server:
        it = World(folder)
        it.run(task("t", REQUEST, uri=server.url, options={"defaultCharset": "utf-8"}))
        it.run(task("t", REQUEST, uri=server.url, options={"defaultCharset": "ISO-8859-1"}), status=1)
        assert "ISO-8859-1" in it.execution["reason"]["message"] and len(server.requests) == 1


def test_redirects_are_followed_unless_told_otherwise():
    answers = {"/from": [(302, {"Location": "/to"}, b"moved")], "/to": [(200, {}, b"there")]}
    with world() as folder, Recorder(answers) as server:
        it = World(folder)
        out = it.run(task("yes", REQUEST, uri=server.url + "/from"),
                     task("no", REQUEST, uri=server.url + "/from", options={"followRedirects": False}))
        assert (out["yes"]["body"], out["no"]["code"], out["no"]["body"]) == ("there", 302, "moved")


def test_a_certificate_nobody_signed_is_refused_unless_told_otherwise():
    with world() as folder, Recorder(context=self_signed(folder)) as server:
        it = World(folder)
        out = it.run(task("new", REQUEST, uri=server.url, options={"ssl": {"insecureTrustAllCertificates": True}}),
                     task("old", REQUEST, uri=server.url, sslOptions={"insecureTrustAllCertificates": True}))
        assert out["new"]["code"] == out["old"]["code"] == 200
        it.run(task("x", REQUEST, uri=server.url), status=1)
        assert "certificate" in it.execution["reason"]["message"].lower()


def test_a_proxy_is_asked_instead():
    with world() as folder, Recorder() as proxy:
        it = World(folder)
        host, port = proxy.url.split("//")[1].split(":")
        it.run(task("new", REQUEST, uri="http://far.invalid/x",
                    options={"proxy": {"type": "HTTP", "address": host, "port": int(port), "username": "u", "password": "p"}}),
               task("old", REQUEST, uri="http://far.invalid/y", options={"proxyAddress": host, "proxyPort": int(port)}))
        assert [r["url"] for r in proxy.requests] == ["http://far.invalid/x", "http://far.invalid/y"]
        assert proxy.requests[0]["headers"]["proxy-authorization"] == "Basic " + base64.b64encode(b"u:p").decode()


def test_a_task_s_retry_waits_as_long_as_the_answer_asks():
    answers = {"/": [(429, {"Retry-After": "1"}, b"later"), (200, {}, b"now")]}
    with world() as folder, Recorder(answers) as server:
        it = World(folder)
        start = time.monotonic()
        out = it.run(task("r", REQUEST, uri=server.url + "/",
                          retry={"type": "constant", "interval": "PT0.05S", "maxAttempts": 3}))
        assert out["r"]["body"] == "now" and len(server.requests) == 2
        assert time.monotonic() - start >= 1


def test_what_is_logged_holds_no_secret():
    with world() as folder, Recorder() as server:
        it = World(folder)
        it.run(task("r", REQUEST, method="POST", uri=server.url, headers={"X-Key": "{{ secret('KEY') }}"}, body="{{ secret('KEY') }}",
                    options={"logs": ["REQUEST_HEADERS", "REQUEST_BODY", "RESPONSE_HEADERS", "RESPONSE_BODY"]}),
               options=secrets(folder, KEY="s3cret-value"))
        logs = flowtest.run([flowtest.FLOWRUN, "logs", it.execution["id"], "--state-dir", it.state]).stdout
        assert "request header X-Key: ******" in logs and "response body: ok" in logs and "s3cret" not in logs
        assert server.requests[0]["headers"]["x-key"] == "s3cret-value"


def test_download_names_its_file():
    answers = {"/a": [(200, {"Content-Disposition": 'attachment; filename="../data.csv"'}, b"a,b\n")]}
    with world() as folder, Recorder(answers) as server:
        it = World(folder)
        out = it.run(task("d", DOWNLOAD, uri=server.url + "/a"), task("s", DOWNLOAD, uri=server.url + "/a", saveAs="own.txt"))
        assert out["d"]["uri"].endswith("data.csv") and out["s"]["uri"].endswith("own.txt")
        assert it.text(out["d"]["uri"]) == "a,b\n" and out["d"]["length"] == 4


EVENTS = (b": hello\n\nid: 1\nevent: add\nretry: 1500\ndata: {\"t\": {\"x\": [\"He\"]}}\n\n"
          b"data: {\"t\": {\"x\": [\"llo\"]}}\r\n\r\ndata: two\rdata: lines")


def test_server_sent_events_are_read_and_joined():
    with world() as folder, Recorder({"/": [(200, {"Content-Type": "text/event-stream"}, EVENTS)]}) as server:
        it = World(folder)
        out = it.run(task("s", SSE, uri=server.url + "/", concatJqExpression=".t.x[0]", failedOnMissingJq=False))["s"]
        assert out["size"] == 4 and out["result"] == "Hello"
        assert out["events"][1] == {"id": "1", "name": "add", "retry": "PT1.5S", "data": {"t": {"x": ["He"]}}}
        assert out["events"][3]["data"] == "two\nlines"
        assert len(it.text(out["uri"]).splitlines()) == 4
        it.run(task("s", SSE, uri=server.url + "/", concatJqExpression=".t.x[0]"), status=1)
        assert "event 1" in it.execution["reason"]["message"]


# --- notifications ------------------------------------------------------------------------------


PLUGIN = "io.kestra.plugin."
HOOKS = ["notifications.slack.SlackIncomingWebhook", "discord.DiscordIncomingWebhook",
         "microsoft365.teams.TeamsIncomingWebhook", "googleworkspace.chat.GoogleChatIncomingWebhook",
         "zulip.ZulipIncomingWebhook", "pagerduty.PagerDutyAlert", "opsgenie.OpsgenieAlert", "zenduty.ZendutyAlert",
         "notifications.squadcast.SquadcastIncomingWebhook", "meta.whatsapp.WhatsAppIncomingWebhook"]


def test_webhooks_get_their_payload_as_it_is():
    with world() as folder, Recorder() as server:
        it = World(folder)
        it.run(*[task(f"t{i}", PLUGIN + name, url=f"{server.url}/{i}", payload='{"text": {{ "a\\"b" | toJson }}}')
                 for i, name in enumerate(HOOKS)])
        assert [r["path"] for r in server.requests] == [f"/{i}" for i in range(len(HOOKS))]
        for request in server.requests:
            assert request["method"] == "POST" and request["headers"]["content-type"] == "application/json"
            assert json.loads(request["body"]) == {"text": 'a"b'}


def test_a_payload_may_hold_a_secret():
    with world() as folder, Recorder() as server:
        it = World(folder)
        for name in ("slack.notifications.SlackIncomingWebhook", "pagerduty.PagerDutyAlert"):
            it.run(task("t", PLUGIN + name, url="{{ secret('URL') }}", payload='{"key": "{{ secret(\'KEY\') }}"}'),
                   options=secrets(folder, KEY="value-1234", URL=server.url))
            assert server.json() == {"key": "value-1234"}


def test_a_payload_that_is_no_json_is_not_sent():
    with world() as folder, Recorder() as server:
        it = World(folder)
        it.run(task("t", PLUGIN + "discord.DiscordIncomingWebhook", url=server.url, payload='{"content": "{{ flow.id }}" x}'),
               status=1)
        assert "toJson" in it.execution["reason"]["message"] and not server.requests


def test_executions_are_summed_up():
    with world() as folder, Recorder() as server:
        it = World(folder)
        more = {"customFields": {"Where": "here"}, "customMessage": "look"}
        it.run(task("slack", PLUGIN + "slack.notifications.SlackExecution", url=server.url, channel="#c", **more),
               task("discord", PLUGIN + "discord.DiscordExecution", url=server.url, username="bot",
                    embedList=[{"title": "T", "color": [255, 0, 1], "footer": "f"}], **more),
               task("teams", PLUGIN + "microsoft365.teams.TeamsExecution", url=server.url, themeColor="FF0000", **more),
               task("chat", PLUGIN + "googleworkspace.chat.GoogleChatExecution", url=server.url, **more),
               task("pager", PLUGIN + "pagerduty.PagerDutyExecution", url=server.url, routingKey="{{ secret('KEY') }}", **more),
               task("genie", PLUGIN + "opsgenie.OpsgenieExecution", url=server.url, authorizationToken="{{ secret('KEY') }}",
                    responders={"ops": "team"}, priority="P1", **more),
               task("zen", PLUGIN + "zenduty.ZendutyExecution", url=server.url, alertType="CRITICAL", urls=["http://x"], **more),
               task("zulip", PLUGIN + "zulip.ZulipExecution", url=server.url, **more),
               task("squad", PLUGIN + "notifications.squadcast.SquadcastExecution", url=server.url, priority="P2", message="m company.team.flow", **more),
               task("line", PLUGIN + "line.LineExecution", url=server.url, channelAccessToken="{{ secret('KEY') }}", **more),
               options=secrets(folder, KEY='k"ey-1234'))
        sent = [json.loads(r["body"]) for r in server.requests]
        for body in server.requests:
            text = body["body"].decode()
            assert it.execution["id"] in text and "company.team.flow" in text and "look" in text, text
        slack, discord, teams, chat, pager, genie, zen, zulip, squad, line = sent
        assert slack["channel"] == "#c" and "Where: here" in slack["text"]
        assert discord["username"] == "bot"
        assert discord["embeds"] == [{"title": "T", "color": 0xFF0001, "footer": {"text": "f"}}]
        assert teams["@type"] == "MessageCard" and teams["themeColor"] == "FF0000"
        assert list(chat) == ["text"] and list(zulip) == ["text"]
        assert pager["routing_key"] == 'k"ey-1234' and pager["event_action"] == "trigger"
        assert pager["payload"]["custom_details"]["Where"] == "here"
        assert genie["responders"] == [{"name": "ops", "type": "team"}] and genie["priority"] == "P1"
        assert server.requests[5]["headers"]["authorization"] == 'GenieKey k"ey-1234'
        assert zen["alert_type"] == "critical" and zen["urls"][0]["link_url"] == "http://x"
        assert squad["priority"] == "P2" and line["messages"][0]["type"] == "text"


def test_an_execution_that_failed_tells_its_error():
    with world() as folder, Recorder() as server:
        it = World(folder)
        source = it.folder / "failing.yaml"
        source.write_text(f"""id: failing
namespace: company.team
tasks:
  - {{id: bad, type: io.kestra.plugin.core.execution.Fail, errorMessage: "the disk is full"}}
errors:
  - {{id: tell, type: io.kestra.plugin.slack.notifications.SlackExecution, url: "{server.url}"}}
""")
        flowtest.run([flowtest.FLOWC, "compile", source, "-o", it.folder / "f.flowc"], check=0)
        flowtest.run([flowtest.FLOWRUN, "run", it.folder / "f.flowc", "--state-dir", it.state], check=1)
        assert "the disk is full" in server.json()["text"]


def test_telegram_gets_a_text():
    with world() as folder, Recorder() as server:
        it = World(folder)
        for name in ("telegram.TelegramSend", "notifications.telegram.TelegramSend"):
            it.run(task("t", PLUGIN + name, token="{{ secret('KEY') }}", channel="42", payload='say "hi"', parseMode="MARKDOWNV2",
                        endpointOverride=server.url), options=secrets(folder, KEY="123:abc"))
            assert server.requests[-1]["path"] == "/bot123:abc/sendMessage"
            assert server.json() == {"chat_id": "42", "text": 'say "hi"', "parse_mode": "MarkdownV2"}
        it.run(task("t", PLUGIN + "telegram.TelegramExecution", token="t0ken", channel="42", endpointOverride=server.url))
        assert it.execution["id"] in server.json()["text"]


def test_a_service_that_asks_to_wait_is_asked_again_and_its_refusal_is_told():
    answers = {"/wait": [(429, {"Retry-After": "0"}, b"slow down"), (200, {}, b"ok")], "/no": [(404, {}, b"no_service")]}
    with world() as folder, Recorder(answers) as server:
        it = World(folder)
        hook = PLUGIN + "slack.notifications.SlackIncomingWebhook"
        it.run(task("t", hook, url=server.url + "/wait", messageText="x"))
        assert len(server.requests) == 2
        it.run(task("t", hook, url=server.url + "/no", messageText="x", options={"headers": {"X-Own": "1"}}), status=1)
        assert "404: no_service" in it.execution["reason"]["message"]
        assert server.requests[-1]["headers"]["x-own"] == "1" and len(server.requests) == 3


# --- Cloudflare ---------------------------------------------------------------------------------


def good(result, **more):
    return {"success": True, "errors": [], "result": result, **more}


RECORD = {"id": "r1", "type": "CNAME", "name": "a.example.com", "content": "b.example.com", "ttl": 1, "proxied": False}


def cloudflare(server, task_id, kind, **properties):
    return task(task_id, PLUGIN + "cloudflare." + kind, apiToken="t0ken", baseUrl=server.url + "/v4", **properties)


def test_dns_records_are_made_changed_and_listed():
    path = "/v4/zones/z1/dns_records"

    def records(request):
        if request["method"] == "POST":
            return 200, {}, good({**RECORD, **json.loads(request["body"])})
        page = int(request["query"]["page"][0])
        return 200, {}, good([{**RECORD, "id": f"r{page}"}], result_info={"total_pages": 2})

    def one(request):
        if request["method"] == "PATCH":
            return 200, {}, good({**RECORD, **json.loads(request["body"])})
        return 200, {}, good(RECORD)

    with world() as folder, Recorder({path: records, path + "/r1": one, path + "/batch": [(200, {}, good({}))]}) as server:
        it = World(folder)
        record = {"zoneId": "z1", "recordType": "CNAME", "name": "a.example.com", "content": "b.example.com"}
        out = it.run(cloudflare(server, "create", "dns.records.Create", **record),
                     cloudflare(server, "get", "dns.records.Get", zoneId="z1", recordId="r1"),
                     cloudflare(server, "update", "dns.records.Update", zoneId="z1", recordId="r1", ttl=300),
                     cloudflare(server, "list", "dns.records.List", zoneId="z1"),
                     cloudflare(server, "delete", "dns.records.Delete", zoneId="z1", recordId="r1"),
                     cloudflare(server, "batch", "dns.records.Batch", zoneId="z1", posts=[{"type": "A", "name": "n", "content": "1.2.3.4"}],
                                deletes=[{"id": "r9"}]))
        assert out["create"]["recordId"] == "r1" and json.loads(server.requests[0]["body"])["ttl"] == 1
        assert server.requests[0]["headers"]["authorization"] == "Bearer t0ken"
        assert json.loads(server.requests[2]["body"]) == {"ttl": 300}
        assert [r["id"] for r in out["list"]["records"]] == ["r1", "r2"]
        assert out["delete"]["deletedId"] == "r1" and out["batch"]["success"] is True
        assert server.json() == {"deletes": [{"id": "r9"}], "posts": [{"type": "A", "name": "n", "content": "1.2.3.4"}]}


def test_upsert_creates_changes_or_leaves_alone():
    path = "/v4/zones/z1/dns_records"
    there = []

    def records(request):
        if request["method"] == "POST":
            return 200, {}, good({**RECORD, **json.loads(request["body"])})
        assert request["query"]["name"] == ["a.example.com"] and request["query"]["type"] == ["CNAME"]
        return 200, {}, good(list(there), result_info={"total_pages": 1})

    def changed(request):
        return 200, {}, good({**RECORD, **json.loads(request["body"])})

    with world() as folder, Recorder({path: records, path + "/r1": changed}) as server:
        it = World(folder)

        def upsert(content, status=0):
            return it.run(cloudflare(server, "u", "dns.records.Upsert", zoneId="z1", recordType="CNAME", name="a.example.com",
                                     content=content), status=status)["u"]

        assert upsert("b.example.com")["action"] == "created"
        there.append(RECORD)
        assert upsert("b.example.com")["action"] == "unchanged"
        assert upsert("c.example.com")["action"] == "updated" and server.requests[-1]["method"] == "PATCH"
        there.append({**RECORD, "id": "r2", "content": "d.example.com"})
        upsert("c.example.com", status=1)
        assert "2 records" in it.execution["reason"]["message"]
        assert upsert("b.example.com")["action"] == "unchanged"


def test_zones_caches_and_access_rules():
    rule = {"id": "x1", "mode": "block", "configuration": {"target": "ip", "value": "1.2.3.4"}}
    rules = "/v4/zones/z1/firewall/access_rules/rules"

    def rules_answer(request):
        return 200, {}, good(rule if request["method"] == "POST" else [rule], result_info={"total_pages": 1})

    answers = {"/v4/zones": [(200, {}, good([{"id": "z1", "name": "example.com", "status": "active"}], result_info={"total_pages": 1}))],
               "/v4/zones/z1": [(200, {}, good({"id": "z1", "name": "example.com", "status": "active"}))],
               "/v4/zones/z1/purge_cache": [(200, {}, good({"id": "p1"}))], rules: rules_answer,
               "/v4/accounts/a1/firewall/access_rules/rules/x1": [(200, {}, good({"id": "x1"}))],
               "/v4/zones/no": [(403, {}, {"success": False, "errors": [{"code": 9109, "message": "Invalid access token"}]})]}
    with world() as folder, Recorder(answers) as server:
        it = World(folder)
        out = it.run(cloudflare(server, "id", "zones.Get", zoneId="z1"), cloudflare(server, "name", "zones.Get", hostname="example.com"),
                     cloudflare(server, "zones", "zones.List"), cloudflare(server, "all", "cache.Purge", zoneId="z1", purgeAll=True),
                     cloudflare(server, "some", "cache.Purge", zoneId="z1", files=["http://example.com/a"]),
                     cloudflare(server, "rule", "waf.accessrules.Create", zoneId="z1", mode="block", target="ip", value="1.2.3.4"),
                     cloudflare(server, "rules", "waf.accessrules.List", zoneId="z1"),
                     cloudflare(server, "gone", "waf.accessrules.Delete", accountId="a1", ruleId="x1"))
        assert out["id"]["status"] == out["name"]["status"] == "active" and len(out["zones"]["zones"]) == 1
        assert out["all"]["requestId"] == "p1"
        assert [json.loads(r["body"]) for r in server.requests if "purge" in r["path"]] == [
            {"purge_everything": True}, {"files": ["http://example.com/a"]}]
        assert out["rule"] == {"ruleId": "x1", "mode": "block", "target": "ip", "value": "1.2.3.4"}
        assert out["rules"]["rules"] == [rule] and out["gone"]["deleted"] is True
        it.run(cloudflare(server, "no", "zones.Get", zoneId="no"), status=1)
        assert "9109 Invalid access token" in it.execution["reason"]["message"]
        it.run(cloudflare(server, "none", "cache.Purge", zoneId="z1"), status=1)
        assert "'purgeAll'" in it.execution["reason"]["message"]


if __name__ == "__main__":
    flowtest.main()
