"""AWS tasks against moto, which checks their signatures: objects, queues, topics, tables, streams, functions, jobs, stacks."""

import base64
import contextlib
import json
import os
import sys
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import flowtest
from components import MOTO, moto, need
from flows import World, task, world

AWS = "io.kestra.plugin.aws."
WRITE = "io.kestra.plugin.core.storage.Write"


class Cloud:
    """A moto server, and tasks that go there."""

    def __init__(self, folder, url):
        self.it, self.url = World(folder), url
        self.keys = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretKeyId": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}

    def task(self, name, kind, **properties):
        return task(name, AWS + kind, region="eu-west-1", endpointOverride=self.url, **self.keys, **properties)

    def run(self, *tasks, **more):
        return self.it.run(*tasks, **more)

    def message(self):
        return self.it.execution["reason"]["message"]

    def post(self, path, data):
        request = urllib.request.Request(self.url + path, data=data if isinstance(data, bytes) else json.dumps(data).encode(), method="POST",
                                         headers={"Content-Type": "application/octet-stream" if isinstance(data, bytes) else "application/json"})
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.read()

    def python(self, code):
        """A client of the real SDK, which the server's environment has."""
        program = (f"import boto3, json\ndef client(name):\n    return boto3.client(name, endpoint_url={self.url!r}, region_name='eu-west-1', "
                   f"aws_access_key_id='AKIAIOSFODNN7EXAMPLE', aws_secret_access_key='x')\n{code}")
        done = flowtest.run([MOTO.parent / "python", "-c", program], check=0)
        return json.loads(done.stdout) if done.stdout.strip() else None


@contextlib.contextmanager
def cloud(*buckets):
    need(MOTO, "moto")
    with world() as folder:
        (Path(folder) / "moto").mkdir()
        with moto(Path(folder) / "moto", buckets) as url:
            yield Cloud(folder, url)


def test_objects_go_up_and_down_and_are_listed_copied_and_deleted():
    with cloud("data") as it:
        out = it.run(task("a", WRITE, content="first", extension=".txt"), task("b", WRITE, content="second", extension=".txt"),
                     it.task("make", "s3.CreateBucket", bucket="other"),
                     it.task("up", "s3.Upload", bucket="data", key="in/ü é+&.txt", contentType="text/plain", metadata={"Who": "me"}, tagging={"k": "a b"},
                             **{"from": "{{ outputs.a.uri }}"}),
                     it.task("many", "s3.Upload", bucket="data", key="many", **{"from": {"x.txt": "{{ outputs.a.uri }}", "deep/y.txt": "{{ outputs.b.uri }}"}}),
                     it.task("down", "s3.Download", bucket="data", key="in/ü é+&.txt"),
                     it.task("all", "s3.Download", bucket="data", prefix="many/"),
                     it.task("list", "s3.List", bucket="data", prefix="many/", regexp=".*y.txt"),
                     it.task("copy", "s3.Copy", **{"from": {"bucket": "data", "key": "in/ü é+&.txt"}, "to": {"bucket": "other", "key": "c.txt"}}, delete=True),
                     it.task("moved", "s3.Downloads", bucket="data", prefix="many/", action="MOVE", moveTo={"bucket": "other", "key": "m"}),
                     it.task("left", "s3.List", bucket="data"), it.task("others", "s3.List", bucket="other"),
                     it.task("one", "s3.Delete", bucket="other", key="c.txt"), it.task("rest", "s3.DeleteList", bucket="other", prefix="m/"),
                     it.task("empty", "s3.List", bucket="other"))
        assert out["make"] == {"bucket": "other", "region": "eu-west-1"}
        assert it.it.text(out["down"]["uri"]) == "first" and out["down"]["contentLength"] == 5
        assert out["down"]["contentType"] == "text/plain" and out["down"]["metadata"] == {"who": "me"}
        assert out["up"]["eTag"] == out["down"]["eTag"] and out["up"]["key"] == "in/ü é+&.txt"
        assert {key: it.it.text(file["uri"]) for key, file in out["all"]["files"].items()} == {"many/x.txt": "first", "many/deep/y.txt": "second"}
        assert [(o["key"], o["size"]) for o in out["list"]["objects"]] == [("many/deep/y.txt", 6)]
        assert out["copy"]["key"] == "c.txt"
        assert set(out["moved"]["outputFiles"]) == {"many/x.txt", "many/deep/y.txt"}
        assert out["left"]["objects"] == [] and {o["key"] for o in out["others"]["objects"]} == {"c.txt", "m/x.txt", "m/y.txt"}
        assert out["rest"]["count"] == 2 and out["empty"]["objects"] == []


def test_many_objects_are_listed_in_pages():
    with cloud("data") as it:
        it.python("s3 = client('s3')\nfor i in range(1203): s3.put_object(Bucket='data', Key=f'k{i:05d}', Body=b'x')")
        out = it.run(it.task("l", "s3.List", bucket="data", maxKeys=2000, maxFiles=2000), it.task("few", "s3.List", bucket="data"))
        assert len(out["l"]["objects"]) == 1203 and len(out["few"]["objects"]) == 25


def test_a_wrong_key_and_a_missing_object_are_said():
    with cloud("data") as it:
        it.run(it.task("d", "s3.Download", bucket="data", key="nothing"), status=1)
        assert "NoSuchKey" in it.message(), it.message()
        it.keys = {}
        it.it.env = {"HOME": str(it.it.folder), "AWS_ACCESS_KEY_ID": "", "AWS_PROFILE": ""}
        it.run(it.task("d", "s3.List", bucket="data"), status=1)
        assert "no AWS credentials" in it.message()


def test_the_server_takes_our_signatures_and_no_wrong_one():
    with cloud("data") as it:
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
        made = it.python(f"""
iam, sqs = client('iam'), client('sqs')
iam.create_user(UserName='u')
iam.put_user_policy(UserName='u', PolicyName='p', PolicyDocument={json.dumps(json.dumps(policy))})
key = iam.create_access_key(UserName='u')['AccessKey']
role = iam.create_role(RoleName='r', AssumeRolePolicyDocument={json.dumps(json.dumps(trust))})['Role']['Arn']
iam.put_role_policy(RoleName='r', PolicyName='p', PolicyDocument={json.dumps(json.dumps(policy))})
print(json.dumps([key['AccessKeyId'], key['SecretAccessKey'], role, sqs.create_queue(QueueName='q')['QueueUrl']]))""")
        it.post("/moto-api/reset-auth", b"0")
        it.keys = {"accessKeyId": made[0], "secretKeyId": made[1]}
        both = [task("w", WRITE, content="x"), it.task("up", "s3.Upload", bucket="data", key="a b/ü.txt", **{"from": "{{ outputs.w.uri }}"}),
                it.task("list", "s3.List", bucket="data", prefix="a b/"), it.task("q", "sqs.Publish", queueUrl=made[3], **{"from": {"data": "hello"}}),
                it.task("m", "cloudwatch.Push", namespace="N s", metrics=[{"metricName": "m", "value": 1}])]
        out = it.run(*both)
        assert [o["key"] for o in out["list"]["objects"]] == ["a b/ü.txt"]
        it.run(*[{**each, "stsRoleArn": made[2]} if each["id"] != "w" else each for each in both])
        profile = it.it.folder / "credentials"
        profile.write_text(f"[default]\naws_access_key_id = no\n[mine]\naws_access_key_id = {made[0]}\naws_secret_access_key={made[1]}\n")
        it.keys = {}
        it.it.env = {"AWS_SHARED_CREDENTIALS_FILE": str(profile), "AWS_PROFILE": "mine"}
        it.run(it.task("l", "s3.List", bucket="data"))
        it.it.env = {"AWS_ACCESS_KEY_ID": made[0], "AWS_SECRET_ACCESS_KEY": made[1]}
        it.run(it.task("l", "s3.List", bucket="data"))
        it.keys = {"accessKeyId": made[0], "secretKeyId": "wrong-key"}
        it.run(it.task("l", "s3.List", bucket="data"), status=1)
        assert "SignatureDoesNotMatch" in it.message()
        it.run(it.task("l", "sqs.Publish", queueUrl=made[3], **{"from": {"data": "x"}}), status=1)
        assert "SignatureDoesNotMatch" in it.message(), it.message()


def test_a_secret_key_is_nowhere():
    with cloud("data") as it:
        secret = "wJalrXUtnFEMI/K7MDENG/secret"
        it.keys = {"accessKeyId": "{{ secret('ID') }}", "secretKeyId": "{{ secret('KEY') }}"}
        os.environ["SECRET_KEY"] = base64.b64encode(secret.encode()).decode()
        os.environ["SECRET_ID"] = base64.b64encode(b"AKIA-TEST-ID").decode()
        try:
            it.run(it.task("l", "s3.List", bucket="data"))
        finally:
            del os.environ["SECRET_KEY"], os.environ["SECRET_ID"]
        for path in it.it.state.rglob("*"):
            assert not path.is_file() or secret.encode() not in path.read_bytes(), path


def test_messages_go_to_queues_and_topics_and_come_back():
    with cloud() as it:
        url, topic = it.python("""
sqs, sns = client('sqs'), client('sns')
url = sqs.create_queue(QueueName='q')['QueueUrl']
topic = sns.create_topic(Name='t')['TopicArn']
sns.subscribe(TopicArn=topic, Protocol='sqs', Endpoint='arn:aws:sqs:eu-west-1:123456789012:q', Attributes={'RawMessageDelivery': 'true'})
print(json.dumps([url, topic]))""")
        rows = "".join(json.dumps({"data": f"row {i}"}) + "\n" for i in range(3))
        out = it.run(task("w", WRITE, content=rows, extension=".ion"),
                     it.task("one", "sqs.Publish", queueUrl=url, **{"from": {"data": {"a": "ü & <b>"}, "delaySeconds": 0}}),
                     it.task("list", "sqs.Publish", queueUrl=url, **{"from": [{"data": "x"}, {"data": "y"}]}),
                     it.task("file", "sqs.Publish", queueUrl=url, **{"from": "{{ outputs.w.uri }}"}),
                     it.task("topic", "sns.Publish", topicArn=topic, **{"from": [{"data": "by topic & +", "subject": "s"}]}),
                     it.task("get", "sqs.Consume", queueUrl=url, maxRecords=7, maxDuration="PT10S"))
        assert [out[name]["messagesCount"] for name in ("one", "list", "file", "topic")] == [1, 2, 3, 1]
        got = [json.loads(line) for line in it.it.text(out["get"]["uri"]).splitlines()]
        assert out["get"]["count"] == 7 and set(got) == {'{"a":"ü & <b>"}', "x", "y", "row 0", "row 1", "row 2", "by topic & +"}, got


def test_rows_of_a_table():
    with cloud() as it:
        it.python("client('dynamodb').create_table(TableName='t', KeySchema=[{'AttributeName':'id','KeyType':'HASH'}], "
                  "AttributeDefinitions=[{'AttributeName':'id','AttributeType':'N'}], BillingMode='PAY_PER_REQUEST')")
        item = {"id": 1, "name": "ü", "price": 1.5, "deep": {"list": [1, "a", True, None]}}
        out = it.run(it.task("put", "dynamodb.PutItem", tableName="t", item=item), it.task("put2", "dynamodb.PutItem", tableName="t", item='{"id": 2, "name": "b"}'),
                     it.task("get", "dynamodb.GetItem", tableName="t", key={"id": 1}), it.task("none", "dynamodb.GetItem", tableName="t", key={"id": 9}),
                     it.task("scan", "dynamodb.Scan", tableName="t"), it.task("fetch", "dynamodb.Scan", tableName="t", fetchType="FETCH", limit=1),
                     it.task("query", "dynamodb.Query", tableName="t", fetchType="FETCH_ONE", keyConditionExpression="id = :i", expressionAttributeValues={":i": 2}),
                     it.task("gone", "dynamodb.DeleteItem", tableName="t", key={"id": 1}), it.task("left", "dynamodb.Scan", tableName="t", fetchType="FETCH"))
        assert out["get"]["row"] == item and not out["none"].get("row")
        assert out["scan"]["size"] == 2 and len(it.it.text(out["scan"]["uri"]).splitlines()) == 2
        assert out["fetch"]["size"] == 1 and out["query"]["row"] == {"id": 2, "name": "b"}
        assert out["left"]["rows"] == [{"id": 2, "name": "b"}]
        it.run(it.task("x", "dynamodb.Scan", tableName="nothing"), status=1)
        assert "ResourceNotFoundException" in it.message()


def test_streams_events_metrics():
    with cloud() as it:
        it.python("client('kinesis').create_stream(StreamName='s', ShardCount=1)")
        out = it.run(it.task("k", "kinesis.PutRecords", streamName="s", records=[{"partitionKey": "p", "data": "ü1"}, {"partitionKey": "p", "data": "2"}]),
                     it.task("e", "eventbridge.PutEvents", entries=[{"eventBusName": "default", "source": "me", "detailType": "t", "detail": {"a": 1}}]),
                     it.task("m", "cloudwatch.Push", namespace="N", metrics=[{"metricName": "m", "value": 2.5, "unit": "Count", "dimensions": {"d": "x"}}]),
                     task("wait", "io.kestra.plugin.core.flow.Sleep", duration="PT1.1S"),  # the second under way is not yet told
                     it.task("q", "cloudwatch.Query", namespace="N", metricName="m", statistic="Sum", dimensions=[{"name": "d", "value": "x"}]))
        assert (out["k"]["recordCount"], out["k"]["failedRecordsCount"]) == (2, 0)
        assert (out["e"]["entryCount"], out["e"]["failedEntryCount"]) == (1, 0)
        assert out["m"]["count"] == 1 and out["q"]["count"] == 1 and out["q"]["series"][0]["value"] == 2.5
        seen = it.python("""
k = client('kinesis')
it = k.get_shard_iterator(StreamName='s', ShardId=k.describe_stream(StreamName='s')['StreamDescription']['Shards'][0]['ShardId'], ShardIteratorType='TRIM_HORIZON')
print(json.dumps([r['Data'].decode() for r in k.get_records(ShardIterator=it['ShardIterator'])['Records']]))""")
        assert seen == ["ü1", "2"]


def test_functions_jobs_and_queries():
    with cloud("out") as it:
        it.post("/moto-api/config", {"lambda": {"use_docker": False}})
        it.python("""
import io, zipfile
buffer = io.BytesIO()
with zipfile.ZipFile(buffer, 'w') as z: z.writestr('f.py', 'def h(e, c): return e')
role = client('iam').create_role(RoleName='r', AssumeRolePolicyDocument='{}')['Role']['Arn']
client('lambda').create_function(FunctionName='f', Runtime='python3.11', Role=role, Handler='f.h', Code={'ZipFile': buffer.getvalue()})
client('glue').create_job(Name='j', Role='r', Command={'Name': 'x'})""")
        it.post("/moto-api/static/lambda-simple/response", {"results": ['{"v": 7}'], "region": "eu-west-1"})
        it.post("/moto-api/static/athena/query-results", {"region": "eu-west-1", "results": [{
            "rows": [{"Data": [{"VarCharValue": "id"}, {"VarCharValue": "name"}]}, {"Data": [{"VarCharValue": "1"}, {"VarCharValue": "a"}]}],
            "column_info": [{"Name": "id", "Type": "integer"}, {"Name": "name", "Type": "varchar"}]}]})
        out = it.run(it.task("f", "lambda.Invoke", functionArn="arn:aws:lambda:eu-west-1:123456789012:function:f", functionPayload={"a": 1}),
                     it.task("j", "glue.StartJobRun", jobName="j", interval="PT0.1S", arguments={"--a": "b"}), it.task("g", "glue.GetJobRun", jobName="j"),
                     it.task("q", "athena.Query", database="d", outputLocation="s3://out/", query="select 1", fetchType="FETCH"))
        assert json.loads(it.it.text(out["f"]["uri"])) == {"v": 7}
        assert out["j"]["state"] == out["g"]["state"] == "SUCCEEDED" and out["j"]["jobRunId"]
        assert out["q"]["rows"] == [{"id": 1, "name": "a"}] and out["q"]["queryExecutionId"]


TEMPLATE = json.dumps({"Parameters": {"Name": {"Type": "String"}}, "Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "Name"}}}},
                       "Outputs": {"Url": {"Value": {"Ref": "Q"}}}})


def test_a_stack_is_made_and_deleted():
    with cloud() as it:
        create = it.task("c", "cloudformation.Create", stackName="s", templateBody=TEMPLATE, parameters={"Name": "made"})
        out = it.run(create)
        assert out["c"]["stackOutputs"]["Url"].endswith("/made") and out["c"]["stackId"].startswith("arn:")
        it.run(it.task("d", "cloudformation.Delete", stackName="s"))
        assert it.python("print(json.dumps(client('sqs').list_queues().get('QueueUrls', [])))") == []


def test_tokens_are_secrets():
    with cloud() as it:
        out = it.run(it.task("ecr", "ecr.GetAuthToken"), it.task("eks", "auth.EksToken", clusterName="c"),
                     task("length", "io.kestra.plugin.core.log.Log", message="{{ outputs.ecr.token }}"))
        assert out["ecr"]["token"] == "******" and out["eks"]["token"]["tokenValue"] == "******", out


if __name__ == "__main__":
    flowtest.main()
