"""Services that live at one address each: their names lead to a server of ours, which records what it is asked."""

import base64
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import flowtest
from components import in_namespaces, stand_for
from flows import Recorder, World, task, world

PLUGIN = "io.kestra.plugin."
NAMES = ("api.openai.com", "api.anthropic.com", "api.linear.app", "api.resend.com", "api.twilio.com", "api.sendgrid.com", "api.stripe.com")
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def linear(request):
    query = json.loads(request["body"])["query"]
    if "issueCreate" in query:
        return 200, {}, {"data": {"issueCreate": {"success": True, "issue": {"id": "I1"}}}}
    kind = "teams" if "teams" in query else "issueLabels"
    return 200, {}, {"data": {kind: {"nodes": [{"id": kind + "-id"}]}}}


ANSWERS = {
    "/v1/chat/completions": [(200, {}, {"id": "c1", "object": "chat.completion", "model": "m", "choices": [{"message": {"role": "assistant", "content": "hi"}}], "usage": {"total_tokens": 3}})],
    "/v1/responses": [(200, {}, {"id": "r1", "output": [{"content": [{"type": "output_text", "text": "hi", "annotations": [{"url": "https://x"}]}]}]})],
    "/v1/messages": [(200, {}, {"content": [{"type": "text", "text": "hi"}, {"type": "tool_use", "id": "u", "name": "t", "input": {"a": 1}}], "stop_reason": "end_turn",
                               "usage": {"input_tokens": 2, "output_tokens": 1}})],
    "/graphql": linear,
    "/emails": [(200, {}, {"id": "e1"})],
    "/2010-04-01/Accounts/AC/Messages.json": [(201, {}, {"sid": "SM1", "status": "queued"})],
    "/v3/mail/send": [(202, {"X-Message-Id": "x"}, b"")],
    "/v1/balance": [(200, {}, {"available": [{"amount": 1}], "pending": []})],
    "/v1/customers": lambda r: (200, {}, {"id": "cus_1"} if r["method"] == "POST" else {"data": [{"id": "cus_1"}]}),
    "/v1/customers/cus_1": lambda r: (200, {}, {"id": "cus_1", "deleted": True} if r["method"] == "DELETE" else {"id": "cus_1", "name": "n"}),
}


def inside():
    with world() as name:
        folder = Path(name)
        with Recorder(ANSWERS, context=stand_for(folder, *NAMES), port=443) as server:
            it = World(folder)
            mail = {"from": "a@example.com", "to": ["b@example.com"], "subject": 'say "hi"'}
            money = {"apiKey": "sk_test"}
            out = it.run(
                task("w", PLUGIN + "core.storage.Write", content="file", extension=".txt"),
                task("chat", PLUGIN + "openai.ChatCompletion", apiKey="sk", model="m", prompt='a "b"\nc', temperature=0.5, maxTokens=9, jsonResponseSchema=json.dumps(SCHEMA),
                     functions=[{"name": "f", "description": "d", "parameters": [{"name": "x", "description": "y", "type": "string", "required": True}]}]),
                task("resp", PLUGIN + "openai.Responses", apiKey="sk", model="m", input="q", toolChoice="AUTO", tools=[{"type": "web_search"}]),
                task("claude", PLUGIN + "anthropic.ChatCompletion", apiKey="ak", model="m", messages=[{"type": "USER", "content": "q"}], system="s", promptCaching=True,
                     tools=[{"name": "t", "inputSchema": SCHEMA}]),
                task("issue", PLUGIN + "linear.issues.Create", token="lin", team="T", title='a "b"', labels=["bug"]),
                task("mail", PLUGIN + "resend.email.Send", apiKey="re", html="<b>x</b>", idempotencyKey="k1", attachments=[{"name": "f.txt", "uri": "{{ outputs.w.uri }}"}], **mail),
                task("sms", PLUGIN + "twilio.notify.sms.Send", accountSID="AC", authToken="t", to="+1", body="x & y", **{"from": "+2"}),
                task("grid", PLUGIN + "twilio.sendgrid.SendGridMailSend", sendgridApiKey="SG", htmlContent="<b>x</b>", attachments=[{"name": "f.txt", "uri": "{{ outputs.w.uri }}"}], **mail),
                task("told", PLUGIN + "twilio.sendgrid.SendGridMailExecution", sendgridApiKey="SG", **mail),
                task("balance", PLUGIN + "stripe.balance.Retrieve", **money), task("make", PLUGIN + "stripe.customer.Create", name="n", email="e", metadata={"k": 1}, **money),
                task("get", PLUGIN + "stripe.customer.Get", customerId="cus_1", **money), task("list", PLUGIN + "stripe.customer.List", limit=3, **money),
                task("change", PLUGIN + "stripe.customer.Update", customerId="cus_1", name="m", **money), task("gone", PLUGIN + "stripe.customer.Delete", customerId="cus_1", **money))
            seen = [{"host": r["headers"]["host"], "method": r["method"], "url": r["url"], "body": r["body"].decode(), "headers": r["headers"]} for r in server.requests]
            print(json.dumps([out, seen, it.execution["id"]]))


def test_each_is_asked_as_its_interface_wants():
    out, seen, execution = in_namespaces(__file__)
    chat, resp, claude, team, label, issue, mail, sms, grid, told, balance, make, get, listed, change, gone = seen
    assert [r["host"] for r in (chat, claude, issue, mail, sms, grid, balance)] == list(NAMES)
    body = json.loads(chat["body"])
    assert body["messages"] == [{"role": "user", "content": 'a "b"\nc'}] and body["max_completion_tokens"] == 9 and body["tool_choice"] == "auto"
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA and chat["headers"]["authorization"] == "Bearer sk"
    assert body["tools"][0]["function"]["parameters"] == {"type": "object", "properties": {"x": {"type": "string", "description": "y"}}, "required": ["x"]}
    assert out["chat"]["choices"][0]["message"]["content"] == "hi" and out["resp"]["outputText"] == "hi" and out["resp"]["sources"] == ["https://x"]
    assert json.loads(resp["body"])["tool_choice"] == "auto"
    body = json.loads(claude["body"])
    assert body["messages"] == [{"role": "user", "content": "q"}] and body["system"][0]["cache_control"] and body["max_tokens"] == 1024
    assert claude["headers"]["x-api-key"] == "ak" and out["claude"]["outputText"] == "hi" and out["claude"]["toolUses"] == [{"id": "u", "name": "t", "input": {"a": 1}}]
    assert json.loads(issue["body"])["variables"]["i"] == {"teamId": "teams-id", "title": 'a "b"', "labelIds": ["issueLabels-id"]}
    assert out["issue"] == {"isSuccess": True, "issueId": "I1"} and team["headers"]["authorization"] == "lin" and "issueLabels" in label["body"]
    file = base64.b64encode(b"file").decode()
    assert json.loads(mail["body"])["attachments"] == [{"filename": "f.txt", "content": file}] and mail["headers"]["idempotency-key"] == "k1"
    assert sms["body"] == "Body=x%20%26%20y&From=%2B2&To=%2B1" and out["sms"] == {"sid": "SM1", "status": "queued"}
    body = json.loads(grid["body"])
    assert body["personalizations"] == [{"to": [{"email": "b@example.com"}]}] and body["attachments"][0]["content"] == file
    assert out["grid"]["statusCode"] == 202 and execution in told["body"]
    assert out["balance"]["available"] == [{"amount": 1}] and make["body"] == "email=e&metadata%5Bk%5D=1&name=n" and out["make"]["customerId"] == "cus_1"
    assert out["get"]["customerData"]["name"] == "n" and listed["url"] == "/v1/customers?limit=3" and out["list"]["totalCount"] == 1
    assert change["body"] == "name=m" and gone["method"] == "DELETE" and out["gone"]["deleted"] is True


if __name__ == "__main__":
    if "--inside" in sys.argv:
        inside()
    else:
        flowtest.main()
