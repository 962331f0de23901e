"""Tasks that are requests to services (issues, alerts, runs elsewhere, searches), against servers that record what they are asked."""

import base64
import json
import socket
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest
from flows import Recorder, World, self_signed, task, world
from listener import Listener

PLUGIN = "io.kestra.plugin."
WRITE = "io.kestra.plugin.core.storage.Write"


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def secrets(folder, **values):
    path = Path(folder) / "secrets.yaml"
    path.write_text("".join(f"{name}: {json.dumps(value)}\n" for name, value in values.items()))
    path.chmod(0o600)
    return ["--secrets", path]


def asked(server):
    """Method and address of each request, with its JSON body where it has one."""
    out = []
    for request in server.requests:
        try:
            body = json.loads(request["body"]) if request["body"] else None
        except ValueError:
            body = request["body"].decode()
        out.append((request["method"], request["url"], body))
    return out


class Tunnel:
    """A proxy that leads every CONNECT to one server, whatever name was asked for."""

    def __init__(self, server):
        self.names, port = [], int(server.url.rsplit(":", 1)[1])

        def pump(source, target):
            try:
                while data := source.recv(65536):
                    target.sendall(data)
                target.shutdown(socket.SHUT_WR)
            except OSError:
                pass

        def serve(client):
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(4096)
            self.names.append(head.split()[1].decode())
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            upstream = socket.create_connection(("127.0.0.1", port))
            for pair in ((client, upstream), (upstream, client)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

        self.listener = Listener(serve)

    def options(self):
        host, port = self.listener.address
        return {"proxy": {"type": "HTTP", "address": host, "port": port}, "ssl": {"insecureTrustAllCertificates": True}}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def message(it):
    return it.execution["reason"]["message"]


# --- alerts -------------------------------------------------------------------------------------


def test_sentry_gets_events_where_its_address_says():
    with world() as folder, Recorder() as server:
        it = World(folder)
        dsn = server.url.replace("://", "://abc@") + "/42"
        it.run(task("a", PLUGIN + "sentry.SentryAlert", dsn=dsn, endpointType="STORE", payload='{"event_id": "e1", "level": "info"}'),
               task("b", PLUGIN + "sentry.SentryExecution", dsn=dsn, level="FATAL", transaction="t", extra={"k": 1}))
        it.run(task("c", PLUGIN + "sentry.SentryExecution", dsn="{{ secret('DSN') }}", customMessage="look"),
               options=secrets(folder, DSN=server.url.replace("://", "://s3cretkey@") + "/77"))
        store, envelope, hidden = server.requests
        assert store["path"] == "/api/42/store/" and json.loads(store["body"]) == {"event_id": "e1", "level": "info"}
        assert "sentry_key=abc" in store["headers"]["x-sentry-auth"]
        head, kind, event = map(json.loads, envelope["body"].decode().splitlines())
        assert envelope["path"] == "/api/42/envelope/" and kind == {"type": "event"} and head["event_id"] == event["event_id"]
        assert (event["level"], event["transaction"], event["extra"], event["platform"]) == ("fatal", "t", {"k": 1}, "java")
        assert hidden["path"] == "/api/77/envelope/" and "sentry_key=s3cretkey" in hidden["headers"]["x-sentry-auth"]
        assert it.execution["id"] in hidden["body"].decode() and "look" in hidden["body"].decode()
        it.run(task("d", PLUGIN + "sentry.SentryAlert", dsn="no address", payload="{}"), status=1)
        assert "'dsn'" in message(it)


def test_twilio_qq_and_whatsapp():
    with world() as folder, Recorder() as server:
        it = World(folder)
        it.run(task("a", PLUGIN + "twilio.notify.TwilioAlert", url=server.url + "/a", accountSID="AC1", authToken="t", payload='{"body": "x"}'),
               task("b", PLUGIN + "twilio.notify.TwilioExecution", url=server.url + "/b", accountSID="AC1", authToken="t", identity="i", tag="all"),
               task("c", PLUGIN + "tencent.qq.QQIncomingWebhook", url=server.url + "/c", token="t", payload='{"content": "x"}'),
               task("d", PLUGIN + "tencent.qq.QQExecution", url=server.url + "/d", recipientIds=["1"], customMessage="look"),
               task("e", PLUGIN + "meta.whatsapp.WhatsAppExecution", url=server.url + "/e", profileName="p", whatsAppIds=["w"], recipientId="r"))
        a, b, c, d, e = server.requests
        assert a["headers"]["authorization"] == b["headers"]["authorization"] == basic("AC1", "t")
        body = json.loads(b["body"])
        assert body["identity"] == "i" and body["tag"] == "all" and it.execution["id"] in body["body"]
        assert c["headers"]["authorization"] == "t" and json.loads(c["body"]) == {"content": "x"}
        assert json.loads(d["body"])["recipientIds"] == ["1"] and "look" in d["body"].decode()
        sent = json.loads(e["body"])
        assert sent["contacts"] == [{"profile": {"name": "p"}, "wa_id": "w"}] and it.execution["id"] in sent["messages"][0]["text"]["body"]


# --- issues and records -------------------------------------------------------------------------


def github(server, name, kind, **properties):
    return task(name, PLUGIN + "github." + kind, endpoint=server.url, oauthToken="t0ken", **properties)


def test_github_workflows_issues_and_pull_requests():
    answers = {"/repos/o/r/issues": [(201, {}, {"html_url": "https://h/o/r/issues/7", "number": 7})],
               "/repos/o/r/issues/7/comments": [(201, {}, {"html_url": "https://h/o/r/issues/7#c1"})],
               "/repos/o/r/pulls": [(201, {}, {"html_url": "https://h/o/r/pull/8", "issue_url": "https://a/o/r/issues/8", "number": 8})],
               "/repos/o/r/pulls/8/requested_reviewers": [(201, {}, {})],
               "/repos/o/r/actions/workflows/w.yml/dispatches": [(204, {}, b"")], "/repos/o/gone/issues": [(404, {}, {"message": "Not Found"})]}
    with world() as folder, Recorder(answers) as server:
        it = World(folder)
        out = it.run(github(server, "issue", "issues.Create", repository="o/r", title='say "hi"', body="line\nline", labels=["bug"]),
                     github(server, "say", "issues.Comment", repository="o/r", issueNumber=7, body="ü"),
                     github(server, "pull", "pulls.Create", repository="o/r", sourceBranch="a", targetBranch="main", title="t", reviewers=["x"]),
                     github(server, "run", "actions.RunWorkflow", repository="o/r", workflowId="w.yml", ref="main", inputs={"k": "v"}))
        assert out["issue"] == {"issueUrl": "https://h/o/r/issues/7", "issueNumber": 7}
        assert out["say"] == {"issueUrl": "https://h/o/r/issues/7", "commentUrl": "https://h/o/r/issues/7#c1"}
        assert out["pull"]["pullRequestUrl"] == "https://h/o/r/pull/8"
        sent = asked(server)
        assert sent[0] == ("POST", "/repos/o/r/issues", {"title": 'say "hi"', "body": "line\nline", "labels": ["bug"]})
        assert sent[2][2] == {"title": "t", "head": "a", "base": "main", "draft": False, "maintainer_can_modify": False}
        assert sent[3][2] == {"reviewers": ["x"]} and sent[4][2] == {"ref": "main", "inputs": {"k": "v"}}
        assert server.requests[0]["headers"]["authorization"] == "Bearer t0ken"
        it.run(github(server, "issue", "issues.Create", repository="o/gone", title="t"), status=1)
        assert "404" in message(it) and "Not Found" in message(it)


def test_github_searches_read_all_pages():
    def found(request):
        page = int(request["query"]["page"][0])
        return 200, {}, {"total_count": 130, "items": [{"id": i} for i in range(100 * (page - 1), min(130, 100 * page))]}

    kinds = {"code": "code", "commits": "commits", "issues": "issues", "pulls": "issues", "repositories": "repositories", "topics": "topics", "users": "users"}
    with world() as folder, Recorder({"/search/" + path: found for path in set(kinds.values())}) as server:
        it = World(folder)
        out = it.run(github(server, "code", "code.Search", query="q", repository="o/r", extension="c", fork="FORKS_ONLY", fetchType="FETCH"),
                     github(server, "commits", "commits.Search", query="q", authorName="a b", sort="AUTHOR_DATE", fetchType="FETCH"),
                     github(server, "issues", "issues.Search", repository="o/r", open=True, fetchType="FETCH_ONE"),
                     github(server, "pulls", "pulls.Search", reviewRequested="me", merged=True, order="DESC", fetchType="FETCH"),
                     github(server, "repositories", "repositories.Search", query="q", stars=">10", visibility="PUBLIC", sort="STARS", fetchType="FETCH"),
                     github(server, "topics", "topics.Search", query="q", **{"is": "NOT_CURATED"}, fetchType="FETCH"),
                     github(server, "users", "users.Search", query="q", repositories=3, accountType="USER"))
        assert len(out["code"]["rows"]) == out["code"]["total"] == 130 and out["issues"]["row"] == {"id": 0}
        assert len(it.text(out["users"]["uri"]).splitlines()) == 130
        first = [r["query"] for r in server.requests if r["query"]["page"] == ["1"]]
        assert [q["q"][0] for q in first] == ["q repo:o/r extension:c fork:only", 'q author-name:"a b"', "is:issue repo:o/r is:open",
                                              "is:pr review-requested:me is:merged", "q stars:>10 is:public", "q not:curated", "q repos:3 type:user"]
        assert first[1]["sort"] == ["author-date"] and first[3]["order"] == ["desc"] and first[4]["sort"] == ["stars"]


def test_gitlab_jira_zendesk_confluence():
    base = "/api/v4/projects/g%2Fp"
    answers = {base + "/issues": lambda r: (201, {}, {"iid": 3, "web_url": "w"}) if r["method"] == "POST" else (200, {}, [{"iid": 3}]),
               base + "/merge_requests": [(201, {}, {"iid": 4, "web_url": "m"})], "/rest/api/2/issue/": [(201, {}, {"key": "K-1"})],
               "/rest/api/2/issue/K-1/comment": [(201, {}, {})], "/rest/api/2/issue/K-1": [(204, {}, b"")],
               "/api/v2/tickets.json": [(201, {}, {"ticket": {"id": 9, "url": "u"}})], "/wiki/api/v2/pages": [(200, {}, {"id": "1"})],
               "/wiki/api/v2/pages/1": [(200, {}, {"id": "1", "version": 2})]}
    with world() as folder, Recorder(answers) as server:
        it = World(folder)
        lab = {"url": server.url, "token": "glpat", "projectId": "g/p"}
        jira = {"baseUrl": server.url, "username": "u", "password": "p", "projectKey": "K"}
        wiki = {"serverUrl": server.url, "username": "u", "apiToken": "t"}
        out = it.run(task("issue", PLUGIN + "gitlab.issues.Create", title="t", issueDescription="d", labels=["a", "b"], **lab),
                     task("issues", PLUGIN + "gitlab.issues.Search", search="x", **lab),
                     task("merge", PLUGIN + "gitlab.mergerequests.Create", title="t", sourceBranch="s", targetBranch="m", **lab),
                     task("j", PLUGIN + "jira.issues.Create", summary='a "b"', labels=["l"], **jira),
                     task("jc", PLUGIN + "jira.issues.CreateComment", issueIdOrKey="K-1", body="c", **jira),
                     task("ju", PLUGIN + "jira.issues.UpdateFields", issueIdOrKey="K-1", fields={"summary": "n"}, **jira),
                     task("z", PLUGIN + "zendesk.tickets.Create", domain=server.url, username="u", token="t", subject="s", description="d", priority="HIGH",
                          ticketType="TASK", assigneeId=5, tags=["x"]),
                     task("w", PLUGIN + "confluence.pages.Create", spaceId="S", title="T", markdown="# m", rootLevel=True, **wiki),
                     task("wu", PLUGIN + "confluence.pages.Update", pageId="1", status="current", title="T", markdown="m", versionInfo={"number": 2}, **wiki))
        assert out["issue"] == {"issueId": "3", "webUrl": "w", "statusCode": 201} and out["issues"]["count"] == 1
        assert out["merge"]["mergeReqID"] == "4" and out["z"] == {"url": "u", "id": 9} and json.loads(out["wu"]["value"])["version"] == 2
        sent = asked(server)
        assert server.requests[0]["headers"]["private-token"] == "glpat" and sent[0][2] == {"title": "t", "description": "d", "labels": "a,b"}
        assert server.requests[1]["query"] == {"search": ["x"], "state": ["opened"], "per_page": ["100"], "page": ["1"]}
        assert sent[3][2] == {"fields": {"project": {"key": "K"}, "summary": 'a "b"', "labels": ["l"], "issuetype": {"id": "10001"}}}
        assert server.requests[3]["headers"]["authorization"] == basic("u", "p") and sent[5][:2] == ("PUT", "/rest/api/2/issue/K-1")
        assert sent[6][2]["ticket"]["priority"] == "high" and server.requests[6]["headers"]["authorization"] == basic("u/token", "t")
        assert sent[7][1].endswith("?root-level=true") and sent[8][2]["version"] == {"number": 2}


def test_servicenow_rows():
    table = "/api/now/table/incident"
    answers = {table: lambda r: (201, {}, {"result": {"sys_id": "1"}}) if r["method"] == "POST" else (200, {}, {"result": [{"sys_id": "1"}, {"sys_id": "2"}]}),
               table + "/1": lambda r: (204, {}, b"") if r["method"] == "DELETE" else (200, {}, {"result": {"sys_id": "1", "state": "2"}}),
               "/oauth_token.do": [(200, {}, {"access_token": "short-lived-token"})]}
    with world() as folder, Recorder(answers) as server:
        it = World(folder)
        at = {"domain": server.url, "username": "u", "password": "p", "table": "incident"}
        out = it.run(task("post", PLUGIN + "servicenow.Post", data={"short_description": "x"}, **at),
                     task("update", PLUGIN + "servicenow.Update", sysId="1", data={"state": "2"}, **at),
                     task("get", PLUGIN + "servicenow.Get", query="active=true", fields=["sys_id"], limit=5, **at),
                     task("store", PLUGIN + "servicenow.Get", fetchType="STORE", clientId="c", clientSecret="s", **at),
                     task("gone", PLUGIN + "servicenow.Delete", sysId="1", **at))
        assert out["post"]["result"] == {"sys_id": "1"} and out["update"]["result"]["state"] == "2" and out["gone"]["deleted"] is True
        assert out["get"]["size"] == 2 and len(it.text(out["store"]["uri"]).splitlines()) == 2
        assert server.requests[2]["query"] == {"sysparm_query": ["active=true"], "sysparm_limit": ["5"], "sysparm_fields": ["sys_id"]}
        assert server.requests[4]["headers"]["authorization"] == "Bearer short-lived-token"


def test_notion_and_hubspot_and_hightouch():
    def objects(kind):
        return {f"/crm/v3/objects/{kind}": [(201, {}, {"id": "5"})], f"/crm/v3/objects/{kind}/5": lambda r: (204, {}, b"") if r["method"] == "DELETE" else (200, {}, {"id": "5"}),
                f"/crm/v3/objects/{kind}/search": lambda r: (200, {}, {"total": 2, "results": [{"id": "6"}]} if "after" in json.loads(r["body"]) else
                                                             {"total": 2, "results": [{"id": "5"}], "paging": {"next": {"after": "1"}}})}

    page = {"id": "P", "url": "u", "created_time": "2024-01-02T00:00:00Z", "archived": False, "properties": {}}
    answers = {"/v1/pages": [(200, {}, page)], "/v1/pages/P": [(200, {}, page)], "/v1/blocks/P/children": [(200, {}, {})],
               **objects("companies"), **objects("contacts"), **objects("deals"), "/crm/v3/objects/tickets": [(201, {}, {"id": "7"})],
               "/api/v1/syncs/3/trigger": [(200, {}, {"id": 11})],
               "/api/v1/syncs/3/runs": [(200, {}, {"data": [{"id": 11, "status": "querying"}]}), (200, {}, {"data": [{"id": 11, "status": "success"}]})]}
    with world() as folder, Recorder(answers, context=self_signed(folder)) as server, Tunnel(server) as tunnel:
        it = World(folder)
        more = {"options": tunnel.options()}
        hub = {"apiKey": "hub-key", **more}
        out = it.run(task("page", PLUGIN + "notion.page.Create", apiToken="n", title="T", content="a\n\nb", parentPageId="Q", **more),
                     task("edit", PLUGIN + "notion.page.Update", apiToken="n", pageId="P", title="T", content="c", **more),
                     task("company", PLUGIN + "hubspot.companies.Create", name="N", domain="d", companyDescription="x", additionalProperties={"own": 1}, **hub),
                     task("contact", PLUGIN + "hubspot.contacts.Update", contactId="5", firstName="F", **hub),
                     task("deal", PLUGIN + "hubspot.deals.Get", dealId="5", properties=["amount"], **hub),
                     task("ticket", PLUGIN + "hubspot.tickets.Create", subject="s", priority="HIGH", **hub),
                     task("gone", PLUGIN + "hubspot.companies.Delete", companyId="5", **hub),
                     task("all", PLUGIN + "hubspot.contacts.Search", query="q", fetchAllPages=True, **hub),
                     task("sync", PLUGIN + "hightouch.Sync", syncId=3, token="h", **more))
        assert out["page"]["pageId"] == "P" and out["edit"]["url"] == "u" and out["company"]["id"] == 5 and out["ticket"]["id"] == 7
        assert out["all"]["total"] == 2 and len(it.text(out["all"]["uri"]).splitlines()) == 2 and out["sync"]["runId"] == 11
        sent = asked(server)
        assert sent[0][2]["parent"] == {"page_id": "Q"} and len(sent[0][2]["children"]) == 2
        assert sent[3][2] == {"properties": {"name": "N", "domain": "d", "description": "x", "own": 1}}
        assert sent[4][:2] == ("PATCH", "/crm/v3/objects/contacts/5") and server.requests[3]["headers"]["authorization"] == "Bearer hub-key"
        assert {"api.notion.com:443", "api.hubapi.com:443", "api.hightouch.com:443"} == set(tunnel.names)


# --- runs elsewhere -----------------------------------------------------------------------------


def test_jobs_of_jenkins():
    answers = {"/job/folder/job/build/buildWithParameters": [(201, {}, b"")], "/job/build/build": [(201, {}, b"")],
               "/job/build/3/api/json": [(200, {}, {"result": "SUCCESS"})], "/job/none/build": [(404, {}, b"gone")]}
    with world() as folder, Recorder(answers) as server:
        it = World(folder)
        at = {"serverUrl": server.url, "username": "u", "apiToken": "t"}
        out = it.run(task("a", PLUGIN + "jenkins.JobBuild", jobName="folder/build", parameters={"x": "a b", "n": 1}, **at),
                     task("b", PLUGIN + "jenkins.JobBuild", jobName="build", **at), task("c", PLUGIN + "jenkins.JobInfo", jobName="build", buildNumber=3, **at))
        assert out["a"]["status"] == 201 and out["c"]["info"] == {"result": "SUCCESS"}
        assert server.requests[0]["body"] == b"n=1&x=a%20b" and server.requests[0]["headers"]["authorization"] == basic("u", "t")
        it.run(task("a", PLUGIN + "jenkins.JobBuild", jobName="none", **at), status=1)
        assert "404" in message(it)


def test_runs_of_airflow_dagster_and_prefect_are_waited_for():
    def dagster(request):
        if "launchRun" in json.loads(request["body"])["query"]:
            return 200, {}, {"data": {"launchRun": {"run": {"runId": "r1"}}}}
        return 200, {}, {"data": {"runOrError": {"status": states.pop(0) if len(states) > 1 else states[0], "startTime": 1.5}}}

    states = ["STARTED", "SUCCESS"]
    answers = {"/api/v1/dags/d/dagRuns": [(200, {}, {"dag_run_id": "manual__1"})],
               "/api/v1/dags/d/dagRuns/manual__1": [(200, {}, {"state": "running"}), (200, {}, {"state": "success", "end_date": "2024-01-02T00:00:00Z"})],
               "/api/v1/dags/bad/dagRuns": [(200, {}, {"dag_run_id": "x"})], "/api/v1/dags/bad/dagRuns/x": [(200, {}, {"state": "failed"})],
               "/graphql": dagster, "/accounts/a/workspaces/w/deployments/p/create_flow_run": [(201, {}, {"id": "f1"})],
               "/accounts/a/workspaces/w/flow_runs/f1": [(200, {}, {"state_type": "RUNNING"}), (200, {}, {"state_type": "COMPLETED"})]}
    with world() as folder, Recorder(answers) as server:
        it = World(folder)
        quick = {"pollFrequency": "PT0.1S"}
        out = it.run(task("air", PLUGIN + "airflow.dags.TriggerDagRun", baseUrl=server.url, dagId="d", wait=True, body={"conf": {"k": 1}},
                          options={"auth": {"type": "BASIC", "username": "u", "password": "p"}}, **quick),
                     task("dag", PLUGIN + "dagster.TriggerRun", baseUrl=server.url, location="l", repository="r", jobName="j", wait=True, **quick),
                     task("pre", PLUGIN + "prefect.CreateFlowRun", apiUrl=server.url, apiKey="k", accountId="a", workspaceId="w", deploymentId="p",
                          parameters={"x": 1}, **quick))
        assert out["air"] == {"dagId": "d", "dagRunId": "manual__1", "state": "success", "ended": "2024-01-02T00:00:00Z"} or out["air"]["state"] == "success"
        assert out["dag"]["runId"] == "r1" and out["dag"]["status"] == "SUCCESS" and out["pre"]["state"] == "COMPLETED"
        assert server.requests[0]["headers"]["authorization"] == basic("u", "p") and json.loads(server.requests[0]["body"]) == {"conf": {"k": 1}}
        it.run(task("air", PLUGIN + "airflow.dags.TriggerDagRun", baseUrl=server.url, dagId="bad", wait=True, **quick), status=1)
        assert "'x' failed" in message(it)


def test_syncs_of_fivetran_airbyte_and_dbt():
    answers = {"/v1/connectors/c": [(200, {}, {"data": {"succeeded_at": "1"}}), (200, {}, {"data": {"succeeded_at": "1"}}), (200, {}, {"data": {"succeeded_at": "2"}})],
               "/v1/connectors/c/sync": [(200, {}, {"code": "Success"})],
               "/api/v1/connections/sync": lambda r: (409, {}, {"message": "running"}) if b"busy" in r["body"] else (200, {}, {"job": {"id": 8}}),
               "/api/v1/jobs/get": [(200, {}, {"job": {"status": "running"}}), (200, {}, {"job": {"status": "succeeded"}})],
               "/api/v2/accounts/1/jobs/2/run/": [(200, {}, {"data": {"id": 99}})],
               "/api/v2/accounts/1/runs/99/": [(200, {}, {"data": {"status": 3}}), (200, {}, {"data": {"status": 10}})],
               "/api/v2/accounts/1/runs/99/artifacts/run_results.json": [(200, {}, {"results": []})],
               "/api/v2/accounts/1/runs/99/artifacts/manifest.json": [(404, {}, b"none")]}
    with world() as folder, Recorder(answers) as server:
        it = World(folder)
        quick = {"pollFrequency": "PT0.1S"}
        out = it.run(task("five", PLUGIN + "fivetran.connectors.Sync", baseUrl=server.url, apiKey="k", apiSecret="s", connectorId="c", **quick),
                     task("air", PLUGIN + "airbyte.connections.Sync", url=server.url, username="u", password="p", connectionId="i", **quick),
                     task("busy", PLUGIN + "airbyte.connections.Sync", url=server.url, token="t", connectionId="busy", failOnActiveSync=False, **quick),
                     task("check", PLUGIN + "airbyte.connections.CheckStatus", url=server.url, token="t", jobId="8", **quick),
                     task("dbt", PLUGIN + "dbt.cloud.TriggerRun", baseUrl=server.url, accountId="1", token="t", jobId="2", gitBranch="b", **quick),
                     task("seen", PLUGIN + "dbt.cloud.CheckStatus", baseUrl=server.url, accountId="1", token="t", runId="99", parseRunResults=False, **quick))
        assert out["air"] == {"jobId": 8, "alreadyRunning": False} and out["busy"]["alreadyRunning"] is True
        assert len([r for r in server.requests if r["path"] == "/api/v1/jobs/get"]) >= 3  # once while it ran
        assert out["check"]["finalJobStatus"] == "succeeded" and out["dbt"]["runId"] == 99
        assert json.loads(it.text(out["dbt"]["runResults"])) == {"results": []} and "manifest" not in out["dbt"]
        triggered = next(r for r in server.requests if r["path"].endswith("/run/"))
        assert triggered["headers"]["authorization"] == "Token t" and json.loads(triggered["body"]) == {"cause": "Triggered by Kestra.", "git_branch": "b"}


def test_graphql_and_zapier():
    answers = {"/graphql": lambda r: (200, {}, {"data": None, "errors": [{"message": "no field"}]} if b"bad" in r["body"] else {"data": {"a": 1}}),
               "/hook": [(200, {}, {"id": "z1"})], "/no": [(500, {}, b"x")]}
    with world() as folder, Recorder(answers) as server:
        it = World(folder)
        out = it.run(task("g", PLUGIN + "graphql.Request", uri=server.url + "/graphql", query="query { a }", variables={"v": 'a "b"'}),
                     task("e", PLUGIN + "graphql.Request", uri=server.url + "/graphql", query="{ bad }"),
                     task("z", PLUGIN + "zapier.TriggerZap", url=server.url + "/hook", content={"k": 'a "b"'}, headers={"X-A": "1"}),
                     task("q", PLUGIN + "zapier.TriggerZap", url=server.url + "/hook", method="GET", content={"k": "a b"}),
                     task("n", PLUGIN + "zapier.TriggerZap", url=server.url + "/no", allowFailed=True))
        assert out["g"]["body"] == {"a": 1} and out["g"]["code"] == 200 and out["e"]["error"] == [{"message": "no field"}]
        assert json.loads(server.requests[0]["body"]) == {"query": "query { a }", "variables": {"v": 'a "b"'}}
        assert out["z"]["attemptId"] == "z1" and server.requests[3]["query"] == {"k": ["a b"]} and out["n"]["status"] == 500
        it.run(task("e", PLUGIN + "graphql.Request", uri=server.url + "/graphql", query="{ bad }", failOnGraphQLErrors=True), status=1)
        assert "no field" in message(it)


# --- searches -----------------------------------------------------------------------------------


def test_documents_are_put_found_scrolled_and_loaded():
    def scroll(request):
        if request["method"] == "DELETE":
            return 200, {}, {}
        pages.append(1)
        return 200, {}, {"_scroll_id": "s", "hits": {"hits": [{"_source": {"n": 2}}] if len(pages) == 1 else []}}

    def bulk(request):
        lines = request["body"].decode().splitlines()
        bulks.append([json.loads(line) for line in lines])
        bad = any("bad" in line for line in lines)
        return 200, {}, {"errors": bad, "items": [{"index": {"error": {"type": "mapper_parsing"}}}] if bad else []}

    pages, bulks = [], []
    found = {"_scroll_id": "s", "hits": {"total": {"value": 1}, "hits": [{"_source": {"n": 1}}]}}
    answers = {"/p/_cat/x": [(200, {}, {"ok": 1})], "/p/i/_doc/1": lambda r: (200, {}, {"_id": "1", "result": "created", "_version": 1, "_source": {"n": 1}}),
               "/p/i/_doc/none": [(404, {}, {"found": False})], "/p/i/_update/1": [(200, {}, {"_id": "1", "result": "updated", "_version": 2})],
               "/p/i,j/_search": [(200, {}, found)], "/p/_search/scroll": scroll, "/p/_bulk": bulk}
    with world() as folder, Recorder(answers) as server:
        it = World(folder)
        for product in ("elasticsearch", "opensearch"):
            del pages[:], bulks[:], server.requests[:]
            kind = PLUGIN + product + "."
            at = {"connection": {"hosts": [server.url], "pathPrefix": "p", "basicAuth": {"username": "u", "password": "p"}, "headers": ["X-Own: 1"]}}
            rows = "".join(json.dumps({"id": i, "n": i}) + "\n" for i in range(3))
            actions = "".join(json.dumps(row) + "\n" for row in ({"index": {"_index": "i"}}, {"n": 1}, {"delete": {"_index": "i", "_id": "9"}}, {"create": {"_index": "i"}}, {"n": 2}))
            version = {"docVersion": 1} if product == "opensearch" else {}
            out = it.run(task("w", WRITE, content=rows, extension=".ion"), task("a", WRITE, content=actions, extension=".ndjson"),
                         task("req", kind + "Request", endpoint="_cat/x", method="GET", parameters={"v": "true"}, **at),
                         task("put", kind + "Put", index="i", key="1", value='{"n": 1}', refreshPolicy="IMMEDIATE", **at),
                         task("up", kind + "Put", index="i", key="1", opType="UPDATE", value={"n": 2}, **at),
                         task("get", kind + "Get", index="i", key="1", **version, **at),
                         task("search", kind + "Search", indexes=["i", "j"], request={"query": {"match_all": {}}}, **at),
                         task("scroll", kind + "Scroll", indexes=["i", "j"], request={"query": {}}, **at),
                         task("load", kind + "Load", index="i", idKey="id", chunk=2, **{"from": "{{ outputs.w.uri }}"}, **at),
                         task("bulk", kind + "Bulk", chunk=2, **{"from": "{{ outputs.a.uri }}"}, **at))
            assert out["req"] == {"status": 200, "response": {"ok": 1}} and out["put"] == {"id": "1", "result": "CREATED", "version": 1}
            assert out["up"]["result"] == "UPDATED" and out["get"]["row"] == {"n": 1}
            assert out["search"]["rows"] == [{"n": 1}] and out["search"]["total"] == 1 and out["scroll"]["size"] == 2
            assert out["load"]["size"] == 3 and out["bulk"]["size"] == 3
            assert bulks[0] == [{"index": {"_index": "i", "_id": "0"}}, {"n": 0}, {"index": {"_index": "i", "_id": "1"}}, {"n": 1}] and len(bulks[1]) == 2
            assert bulks[2] == [{"index": {"_index": "i"}}, {"n": 1}] and bulks[3][0] == {"delete": {"_index": "i", "_id": "9"}}
            headers = server.requests[0]["headers"]
            assert headers["authorization"] == basic("u", "p") and headers["x-own"] == "1" and server.requests[1]["query"] == {"refresh": ["true"]}
        it.run(task("w", WRITE, content='{"id": 1, "x": "bad"}\n', extension=".ion"), task("l", PLUGIN + "elasticsearch.Load", index="i", **{"from": "{{ outputs.w.uri }}"}, **at), status=1)
        assert "mapper_parsing" in message(it)
        assert not it.run(task("g", PLUGIN + "elasticsearch.Get", index="i", key="none", **at))["g"].get("row")


def test_a_plan_of_services_sends_nothing():
    with world() as folder, Recorder() as server:
        it = World(folder)
        artifact = it.compile([github(server, "a", "issues.Create", repository="o/r", title="t"),
                               task("b", PLUGIN + "airflow.dags.TriggerDagRun", baseUrl=server.url, dagId="d", wait=True),
                               task("c", PLUGIN + "elasticsearch.Search", connection={"hosts": [server.url]}, request={})])
        done = flowtest.run([flowtest.FLOWRUN, "plan", artifact, "--state-dir", it.state], check=0)
        assert not server.requests and f"{server.url}/repos/o/r/issues" in done.stdout and "_search" in done.stdout, done.stdout


if __name__ == "__main__":
    flowtest.main()
