"""Models of Docker's Model Runner against a server that records what it is asked."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest
from flows import Recorder, World, task, world

MODEL = "io.kestra.plugin.docker.model."


def test_models_are_listed_pulled_and_deleted():
    models = b'[{"id":"sha256:1","tags":["ai/small:1"],"created":7,"config":{"format":"gguf","size":"99 MiB"},"more":1}]'
    pulled = b'{"type":"progress","message":"1 MB"}\n{"type":"success","message":"pulled"}\n'
    answers = {"/models": [(200, {}, models)], "/models/create": [(200, {}, pulled)], "/models/ai/small": [(200, {}, b"")]}
    with world() as folder, Recorder(answers) as server:
        it = World(folder)
        out = it.run(task("list", MODEL + "List", host=server.url), task("pull", MODEL + "Pull", host=server.url, model="ai/small"),
                     task("delete", MODEL + "Delete", host=server.url, model="ai/small"))
        assert out["list"]["models"] == [{"id": "sha256:1", "tags": ["ai/small:1"], "created": 7,
                                          "config": {"format": "gguf", "size": "99 MiB"}}], out
        assert [(r["method"], r["path"]) for r in server.requests] == [
            ("GET", "/models"), ("POST", "/models/create"), ("DELETE", "/models/ai/small")], server.requests
        assert server.json(1) == {"from": "ai/small"}


def test_what_goes_wrong_with_a_model_is_told():
    answers = {"/models/create": [(200, {}, b'{"type":"error","message":"no such model"}\n'), (500, {}, b"disk full\n")],
               "/models/gone": [(404, {}, b"model not found\n")]}
    with world() as folder, Recorder(answers) as server:
        it = World(folder)
        it.run(task("pull", MODEL + "Pull", host=server.url, model="ai/none"), status=1)
        assert "'ai/none' cannot be pulled: no such model" in it.execution["reason"]["message"]
        it.run(task("pull", MODEL + "Pull", host=server.url, model="ai/none"), status=1)
        assert "the model runner says" in it.execution["reason"]["message"], it.execution["reason"]
        it.run(task("delete", MODEL + "Delete", host=server.url, model="gone"), status=1)
        assert "model not found" in it.execution["reason"]["message"]
        it.run(task("list", MODEL + "List", host="http://127.0.0.1:1"), status=1)
        assert "does not answer" in it.execution["reason"]["message"]


if __name__ == "__main__":
    flowtest.main()
