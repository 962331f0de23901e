"""Singer: each tap and target gets the configuration its program wants; rows, states and chosen streams go where they should.

The programs are small ones in Python: they put out what they were given, so that all of it is seen.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest
from flows import World, task, world

PACKAGE = "io.kestra.plugin.singer."
PROCESS = {"type": "io.kestra.plugin.core.runner.Process"}

TAP = r"""#!/usr/bin/python3 -ES
import argparse, json, os, sys
parser = argparse.ArgumentParser()
parser.add_argument("--config"), parser.add_argument("--catalog"), parser.add_argument("--properties"), parser.add_argument("--state")
parser.add_argument("--discover", action="store_true")
given = parser.parse_args()
config = json.load(open(given.config))
if config.get("fail"):
    print("no connection", file=sys.stderr)
    sys.exit(3)
def stream(name):
    properties = {"id": {"type": "integer"}, "name": {"type": "string"}, "other": {"type": "string"}}
    metadata = [{"breadcrumb": [], "metadata": {}}, {"breadcrumb": ["properties", "id"], "metadata": {"inclusion": "automatic"}}]
    metadata += [{"breadcrumb": ["properties", p], "metadata": {"inclusion": "available"}} for p in ("name", "other")]
    return {"stream": name, "tap_stream_id": name, "schema": {"type": "object", "properties": properties}, "metadata": metadata}
if given.discover:
    json.dump({"streams": [stream("users"), stream("orders")]}, sys.stdout)
    sys.exit(0)
chosen = json.load(open(given.catalog or given.properties)) if given.catalog or given.properties else None
state = json.load(open(given.state)) if given.state else {"n": 0}
def put(**message): print(json.dumps(message))
put(type="SCHEMA", stream="users", schema={}, key_properties=["id"])
put(type="RECORD", stream="users", record={"config": config, "catalog": chosen, "how": "properties" if given.properties else "catalog" if given.catalog else None,
    "state": state, "file": os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")})
put(type="RECORD", stream="orders", record={})
put(type="STATE", value={"n": state["n"] + 1})
"""

TARGET = r"""#!/usr/bin/python3 -ES
import json, os, sys
config = json.load(open(sys.argv[2]))
rows = [json.loads(line) for line in sys.stdin]
with open("users-20240102T030405" + config.get("ending", ".csv"), "w") as out:
    out.write(json.dumps({"config": config, "rows": sum(r["type"] == "RECORD" for r in rows)}))
json.dump({"done": len(rows)}, sys.stdout)
print()
"""

STREAMS = [{"stream": "users", "replicationMethod": "INCREMENTAL", "replicationKeys": "id", "propertiesPattern": ["na.*"]}, {"stream": "orders", "selected": False}]
DAY = {"startDate": "2024-01-02"}
DATE = {"start_date": "2024-01-02"}
LOGIN = {"host": "h", "port": 1, "username": "u", "password": "p"}
LOGGED = {"host": "h", "port": 1, "user": "u", "password": "p"}
OAUTH = {"clientId": "i", "clientSecret": "s", "refreshToken": "r"}
AUTHED = {"client_id": "i", "client_secret": "s", "refresh_token": "r"}

# type: properties, the program's configuration
TAPS = {
    "BigQuery": ({"streams": [{"name": "n", "table": "t"}], "limit": 5, "startDateTime": "2024-01-02T00:00:00Z", "serviceAccount": "{}"},
                 {"streams": [{"name": "n", "table": "t"}], "limit": 5, "start_always_inclusive": True, "start_datetime": "2024-01-02T00:00:00Z"}),
    "BingAds": ({"developerToken": "d", "oauthClientId": "i", "oauthClientSecret": "s", "refreshToken": "r", "customerId": "c", "accountIds": ["1", "2"], **DAY},
                {"developer_token": "d", "oauth_client_id": "i", "oauth_client_secret": "s", "refresh_token": "r", "customer_id": "c", "account_ids": "1,2", **DATE}),
    "ChargeBee": ({"apiKey": "k", "site": "s", **DAY}, {"api_key": "k", "site": "s", "product_catalog": "1.0", **DATE}),
    "ExchangeRateHost": (DAY, {"base": "EUR", **DATE}),
    "FacebookAds": ({"accountId": "a", "accessToken": "t", **DAY}, {"account_id": "a", "access_token": "t", "insights_buffer_days": 0, **DATE}),
    "Fastly": ({"apiToken": "t", **DAY}, {"api_token": "t", **DATE}),
    "GenericTap": ({"pipPackages": [], "configs": {"any": 1}}, {"any": 1}),
    "GitHub": ({"accessToken": "t", "repositories": ["a/b", "c/d"], **DAY},
               {"access_token": "t", "repository": "a/b c/d", "request_timeout": 300, **DATE}),
    "Gitlab": ({"private_token": "t", "groups": ["a", "b"], **DAY},
               {"api_url": "https://gitlab.com", "private_token": "t", "groups": "a b", "ultimate_license": False,
                "fetch_merge_request_commits": False, "fetch_pipelines_extended": False, **DATE}),
    "GoogleAdwords": ({"developerToken": "d", "oauthClientId": "i", "oauthClientSecret": "s", "refreshToken": "r", "customerIds": ["1", "2"], **DAY},
                      {"developer_token": "d", "oauth_client_id": "i", "oauth_client_secret": "s", "refresh_token": "r", "customer_ids": "1,2",
                       "conversion_window_days": 0, "user_agent": "tap-adwords via Kestra", **DATE}),
    "GoogleAnalytics": ({"oauthClientId": "i", "oauthClientSecret": "s", "oauthAccessToken": "a", "oauthRefreshToken": "r", "view_id": "v", **DAY},
                        {"oauth_credentials": {"client_id": "i", "client_secret": "s", "access_token": "a", "refresh_token": "r"}, "view_id": "v", **DATE}),
    "GoogleSearchConsole": ({**OAUTH, "siteUrls": ["a", "b"], **DAY}, {**AUTHED, "site_urls": "a,b", "user_agent": "tap-google-search-console via Kestra", **DATE}),
    "HubSpot": ({**OAUTH, "apiKey": "k", "requestTimeout": 9, **DAY},
                {**AUTHED, "redirect_uri": "https://api.hubspot.com/", "hapikey": "k", "request_timeout": 9, **DATE}),
    "Marketo": ({"endpoint": "e", "identity": "n", "clientId": "i", "clientSecret": "s", **DAY},
                {"endpoint": "e", "identity": "n", "client_id": "i", "client_secret": "s", **DATE}),
    "Netsuite": ({"accountId": "a", "consumerKey": "b", "consumerSecret": "c", "tokenKey": "d", "tokenSecret": "e", "selectFieldsByDefault": True,
                  "isSandbox": False, **DAY},
                 {"ns_account": "a", "ns_consumer_key": "b", "ns_consumer_secret": "c", "ns_token_key": "d", "ns_token_secret": "e",
                  "select_fields_by_default": True, "is_sandbox": False, **DATE}),
    "PipelinewiseMongoDb": ({**LOGIN, "database": "d", "authDatabase": "a"},
                            {**LOGGED, "database": "d", "auth_database": "a", "ssl": "false", "verify_mode": "true",
                             "include_schemas_in_destination_stream_name": "false", "update_buffer_size": 1, "await_time_ms": 1000}),
    "PipelinewiseMysql": ({**LOGIN, "filterDbs": ["a", "b"], "sessionSqls": ["SET x"]},
                          {**LOGGED, "filter_dbs": "a,b", "ssl": "false", "export_batch_rows": 50000, "session_sqls": ["SET x"]}),
    "PipelinewiseOracle": ({**LOGIN, "sid": "s", "filterSchemas": "a"}, {**LOGGED, "sid": "s", "filter_schemas": "a"}),
    "PipelinewisePostgres": ({**LOGIN, "dbName": "d"},
                             {**LOGGED, "dbname": "d", "ssl": "false", "logical_poll_total_seconds": 10800, "break_at_end_lsn": True,
                              "max_run_seconds": 43200, "debug_lsn": "false"}),
    "PipelinewiseSqlServer": ({**LOGIN, "database": "d"}, {**LOGGED, "database": "d", "use_date_datatype": True}),
    "Quickbooks": ({**OAUTH, "realmId": "m", **DAY},
                   {**AUTHED, "realmId": "m", "select_fields_by_default": True, "is_sandbox": False, "state_message_threshold": 1000, "max_workers": 8, **DATE}),
    "Recharge": ({"accessToken": "t", **DAY}, {"access_token": "t", **DATE}),
    "SageIntacct": ({"companyId": "a", "senderId": "b", "senderPassword": "c", "userId": "d", "userPassword": "e", **DAY},
                    {"company_id": "a", "sender_id": "b", "sender_password": "c", "user_id": "d", "user_password": "e", **DATE}),
    "Salesforce": ({**OAUTH, **DAY}, {**AUTHED, "api_type": "BULK", "select_fields_by_default": True, "is_sandbox": False, "lookback_window": 10, **DATE}),
    "Shopify": ({"shop": "s", "apiKey": "k", **DAY}, {"shop": "s", "api_key": "k", **DATE}),
    "Slack": ({"apiToken": "t", "channels": ["c"], **DAY},
              {"token": "t", "channels": ["c"], "private_channels": True, "join_public_channels": False, "archived_channels": False,
               "date_window_size": 7, **DATE}),
    "Stripe": ({"accountId": "a", "clientSecret": "s", **DAY}, {"account_id": "a", "client_secret": "s", **DATE}),
    "Zendesk": ({"subdomain": "s", "email": "e", "apiToken": "t", **DAY}, {"subdomain": "s", "email": "e", "api_token": "t", **DATE}),
    "Zoom": ({"jwt": "j"}, {"jwt": "j"}),
}
NO_CATALOG = {"ExchangeRateHost"}
BY_PROPERTIES = {"GenericTap", "FacebookAds", "GoogleAdwords", "HubSpot", "Marketo", "Salesforce"} | {name for name in TAPS if name.startswith("Pipelinewise")}

LOADER = {"batch_size_rows": 100000, "flush_all_streams": False, "parallelism": 0, "add_metadata_columns": False, "hard_delete": False,
          "data_flattening_max_level": 0, "primary_key_required": True, "validate_records": False, "parallelism_max": 16}
TARGETS = {
    "AdswerveBigQuery": ({"projectId": "p", "datasetId": "d"},
                         {"project_id": "p", "dataset_id": "d", "validate_records": False, "add_metadata_columns": False, "replication_method": "append",
                          "max_cache": 50, "merge_state_messages": False}),
    "Csv": ({}, {"delimiter": ",", "quotechar": '"'}),
    "DatamillCoPostgres": ({**LOGIN, "dbName": "d", "afterRunSql": "x"},
                           {"postgres_host": "h", "postgres_port": 1, "postgres_username": "u", "postgres_password": "p", "postgres_database": "d",
                            "postgres_schema": "public", "postgres_sslmode": "prefer", "invalid_records_detect": True, "invalid_records_threshold": 0,
                            "logging_level": "INFO", "persist_empty_tables": False, "max_batch_rows": 200000, "max_buffer_size": 104857600,
                            "add_upsert_indexes": True, "after_run_sql": "x"}),
    "GenericTarget": ({"pipPackages": [], "configs": {"any": 1}}, {"any": 1}),
    "Json": ({}, {}),
    "MeltanoSnowflake": ({"account": "a", "database": "d", "username": "u", "warehouse": "w", "schema": "s"},
                         {"account": "a", "database": "d", "user": "u", "warehouse": "w", "schema": "s", "add_record_metadata": True}),
    "Oracle": ({**LOGIN, "driverName": "x"}, {**LOGGED, "driver_name": "x"}),
    "PipelinewisePostgres": ({**LOGIN, "dbName": "d"}, {**LOGGED, "dbname": "d", **LOADER}),
    "PipelinewiseRedshift": ({**LOGIN, "dbName": "d", "s3Bucket": "b", "defaultTargetSchema": "t", "accessKeyId": "k"},
                             {**LOGGED, "dbname": "d", "s3_bucket": "b", "default_target_schema": "t", "aws_access_key_id": "k", "disable_table_cache": False,
                              "skip_updates": False, "compression": "bzip2", "slices": 1, **LOADER}),
    "PipelinewiseSnowflake": ({"account": "a", "database": "d", "username": "u", "warehouse": "w"},
                              {"account": "a", "dbname": "d", "user": "u", "warehouse": "w", "disable_table_cache": False, "no_compression": False,
                               "archive_load_files": False, **LOADER}),
    "SqlServer": ({**LOGIN, "database": "d"}, {**LOGGED, "database": "d"}),
}


def program(folder, name, text):
    path = Path(folder) / name
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def tap(it, task_id, name, command, **properties):
    return task(task_id, PACKAGE + "taps." + name, taskRunner=PROCESS, command=command, streamsConfigurations=STREAMS, **properties)


def record(it, outputs):
    return next(row["record"] for row in map(json.loads, it.text(outputs["raw"]).splitlines()) if row["type"] == "RECORD")


def test_each_tap_gets_its_configuration_and_its_streams():
    with world() as folder:
        it = World(folder)
        command = program(folder, "fake-tap", TAP)
        out = it.run(*[tap(it, name, name, command, stateName=name, **properties) for name, (properties, _) in TAPS.items()])
        for name, (_, config) in TAPS.items():
            seen = record(it, out[name])
            assert seen["config"] == config, (name, seen["config"], config)
            assert out[name]["count"] == 2 and set(out[name]) == {"raw", "count"}, (name, out[name])
            how = None if name in NO_CATALOG else "properties" if name in BY_PROPERTIES else "catalog"
            assert seen["how"] == how, (name, seen["how"])
            assert bool(seen["file"]) == (name == "BigQuery")
        users, orders = record(it, out["GitHub"])["catalog"]["streams"]
        about = {tuple(entry["breadcrumb"]): entry["metadata"] for entry in users["metadata"]}
        assert about[()] == {"selected": True, "replication-method": "INCREMENTAL", "replication-key": "id"}
        assert about["properties", "name"]["selected"] and not about["properties", "other"]["selected"]
        assert users["schema"]["selected"] and not orders["schema"]["selected"]


def test_each_target_gets_its_configuration_and_the_messages():
    with world() as folder:
        it = World(folder)
        taps, target = program(folder, "fake-tap", TAP), program(folder, "fake-target", TARGET)
        out = it.run(tap(it, "tap", "Zoom", taps, jwt="j"),
                     *[task(name, PACKAGE + "targets." + name, taskRunner=PROCESS, command=target, **{"from": "{{ outputs.tap.raw }}"},
                            stateName=name, **properties) for name, (properties, _) in TARGETS.items()])
        for name, (_, config) in TARGETS.items():
            assert name in out[name]["stateKey"], (name, out[name])
        seen = json.loads(it.text(out["Csv"]["uris"]["users"]))
        assert seen == {"config": TARGETS["Csv"][1], "rows": 2}


def test_the_configuration_of_each_target():
    echo = "#!/bin/sh\n/bin/cat \"$2\"; echo\n"  # its state is its configuration
    with world() as folder:
        it = World(folder)
        target = program(folder, "echo-target", echo)
        out = it.run(task("w", "io.kestra.plugin.core.storage.Write", content="{}\n"),
                     *[task(name, PACKAGE + "targets." + name, taskRunner=PROCESS, command=target, **{"from": "{{ outputs.w.uri }}"},
                            stateName=name, **properties) for name, (properties, _) in TARGETS.items()],
                     *[task("s" + name, "io.kestra.plugin.core.state.Get", name=name) for name in TARGETS])
        for name, (_, config) in TARGETS.items():
            assert out["s" + name]["data"] == config, (name, out["s" + name]["data"], config)


def test_a_state_is_given_back_and_a_secret_stays_one():
    with world() as folder:
        it = World(folder)
        os.environ["SECRET_JWT"] = "anVzdC1hLXNlY3JldA=="
        try:
            command = program(folder, "fake-tap", TAP)
            first = it.run(tap(it, "t", "Zoom", command, jwt="{{ secret('JWT') }}"))["t"]
            second = it.run(tap(it, "t", "Zoom", command, jwt="{{ secret('JWT') }}"))["t"]
        finally:
            del os.environ["SECRET_JWT"]
        assert record(it, first)["config"] == {"jwt": "just-a-secret"}  # the program's own output
        assert [record(it, first)["state"], record(it, second)["state"]] == [{"n": 0}, {"n": 1}]
        left = [path for path in it.state.rglob("*config*") if path.is_file()]
        assert not left, left


def test_a_tap_that_fails_says_how():
    with world() as folder:
        it = World(folder)
        it.run(tap(it, "t", "GenericTap", program(folder, "fake-tap", TAP), pipPackages=[], configs={"fail": True}), status=1)
        assert "exit code 3" in it.execution["reason"]["message"]
        it.run(task("t", PACKAGE + "taps.Fastly", taskRunner=PROCESS, apiToken="t", streamsConfigurations=STREAMS, **DAY), status=1)
        assert "'pipPackages'" in it.execution["reason"]["message"]


if __name__ == "__main__":
    flowtest.main()
