"""Engines that are elsewhere, want certificates, stop answering or come back; registries that ask who it is; what tries to escape."""

import json
import os
import random
import signal
import ssl
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import components
import engine as engines
import escapes
import flowtest
from engine import IMAGE, OFFLINE, SECRET, SHELL, Front, Registry, compiled, engine, logged, run_flow, start, wait_for

IS_LONG = flowtest.MODE == "long"
KILLED = 130  # what flowrun ends with


def one_task(folder, *commands, runner=OFFLINE, **more):
    return compiled(folder, [{"id": "a", "type": SHELL + "Commands", "containerImage": IMAGE, "taskRunner": runner,
                              "commands": list(commands), **more}])


def test_an_engine_is_reached_by_tcp():
    with Front() as front, flowtest.temporary() as name:
        folder = Path(name)
        artifact = one_task(folder, "cat i > o", "cat o", inputFiles={"i": "in\n"}, outputFiles=["o"],
                            runner={**OFFLINE, "host": f"tcp://127.0.0.1:{front.port}"})
        runs, done = run_flow(folder, artifact, env={"DOCKER_HOST": "unix:///nowhere.sock"})
        assert "a: in" in done.stderr and list(runs["a"]["outputs"]["outputFiles"]) == ["o"], done.stderr
        assert any("/logs" in line for line in front.requests) and not engine().containers()


def test_an_engine_with_tls_knows_us_by_our_certificate():
    with flowtest.temporary() as name:
        folder = Path(name)
        components.make_authority(folder)
        components.make_certificate(folder, "engine", "/CN=engine", "IP:127.0.0.1")
        components.make_certificate(folder, "client", "/CN=flowrun")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "engine.crt", folder / "engine.key")
        context.load_verify_locations(folder / "ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
        certificates = folder / "certificates"
        certificates.mkdir()
        for source, target in (("ca.crt", "ca.pem"), ("client.crt", "cert.pem"), ("client.key", "key.pem")):
            (certificates / target).write_bytes((folder / source).read_bytes())
        with Front(context) as front:
            env = {"DOCKER_HOST": f"tcp://127.0.0.1:{front.port}", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(certificates)}
            artifact = one_task(folder, "echo sealed")
            _, done = run_flow(folder, artifact, env=env)
            assert "a: sealed" in done.stderr, done.stderr
            (certificates / "cert.pem").unlink()
            _, done = run_flow(folder, artifact, env=env)
            assert done.returncode == 1 and "does not answer" in done.stderr, done.stderr
            (certificates / "ca.pem").write_bytes((folder / "client.crt").read_bytes())
            _, done = run_flow(folder, artifact, env=env)
            assert done.returncode == 1 and "certificate" in done.stderr, done.stderr


def through(front):
    return {"DOCKER_HOST": f"tcp://127.0.0.1:{front.port}"}


def test_a_log_that_never_ends_does_not_hold_up_the_task():
    with Front() as front, flowtest.temporary() as name:
        folder = Path(name)
        front.holds_logs = True
        artifact = one_task(folder, "seq 1 500", "echo bad >&2", "printf 'no end'")
        begin = time.monotonic()
        _, done = run_flow(folder, artifact, env=through(front))
        held = time.monotonic() - begin
        front.holds_logs = False
        begin = time.monotonic()
        run_flow(folder, artifact, env=through(front))
        assert held - (time.monotonic() - begin) < 2, held
        lines = [line.split(" a: ", 1)[1] for line in done.stderr.splitlines() if " a: " in line]
        assert sorted(lines) == sorted([str(i) for i in range(1, 501)] + ["bad", "no end"]), lines


def test_an_engine_that_answers_no_wait_is_asked_for_the_state():
    if not IS_LONG:
        flowtest.skip("takes half a minute (FLOW_TEST_MODE=long)")
    with Front() as front, flowtest.temporary() as name:
        folder = Path(name)
        front.mutes_wait = True
        runs, done = run_flow(folder, one_task(folder, "echo up", "exit 7", outputFiles=["*"]), env=through(front))
        assert runs["a"]["outputs"]["exitCode"] == 7 and done.stderr.count("a: up") == 1, done.stderr


def test_an_engine_that_comes_back_is_gone_on_with():
    with Front() as front, flowtest.temporary() as name:
        folder = Path(name)
        artifact = one_task(folder, "echo one", "sleep 5", "echo two", "echo three > o", outputFiles=["o"])

        def outage():
            wait_for(lambda: "a: one" in logged(folder, "x"))
            front.is_out = True
            front.cut()
            time.sleep(2)
            front.is_out = False

        breaker = threading.Thread(target=outage)
        breaker.start()
        runs, done = run_flow(folder, artifact, "--id", "x", env=through(front))
        breaker.join()
        assert done.returncode == 0 and list(runs["a"]["outputs"]["outputFiles"]) == ["o"], done.stderr
        assert done.stderr.count("a: one") == 1 and done.stderr.count("a: two") == 1, done.stderr
        assert not engine().containers()


def test_a_registry_is_told_who_asks():
    with Registry(("robot", SECRET)) as registry, flowtest.temporary() as name:
        folder = Path(name)
        image = f"127.0.0.1:{registry.port}/t/bb:1"
        whole = {"auths": {f"http://127.0.0.1:{registry.port}/v2/": {"username": "robot", "password": "{{ secret('PW') }}"}}}

        def pull(env=None, **runner):
            artifact = compiled(folder, [{"id": "a", "type": SHELL + "Commands", "containerImage": image, "commands": ["echo from $FROM_IMAGE"],
                                          "taskRunner": {**OFFLINE, "pullPolicy": "ALWAYS", **runner}}])
            _, done = run_flow(folder, artifact, env={"DOCKER_CONFIG": str(folder), **engines.environment(), **(env or {})})
            assert SECRET not in done.stderr + done.stdout
            return done

        done = pull()
        assert done.returncode == 1 and "cannot be pulled" in done.stderr and "give 'credentials' or 'config'" in done.stderr, done.stderr
        done = pull(credentials={"username": "robot", "password": "wrong"})
        assert done.returncode == 1 and "cannot be pulled" in done.stderr, done.stderr
        assert "a: from yes" in pull(credentials={"username": "robot", "password": "{{ secret('PW') }}"}).stderr
        assert "a: from yes" in pull(config=whole).stderr
        assert "a: from yes" in pull(config=json.dumps(whole)).stderr
        (folder / "config.json").write_text(json.dumps(
            {"auths": {f"127.0.0.1:{registry.port}": {"auth": registry.authorization.removeprefix("Basic ")}}}))
        assert "a: from yes" in pull().stderr  # as `docker login` leaves it


def test_images_are_pushed_with_credentials():
    cli = "io.kestra.plugin.docker.cli."
    with Registry(("robot", SECRET)) as registry, flowtest.temporary() as name:
        folder = Path(name)
        image = f"127.0.0.1:{registry.port}/t/mine:2"
        tasks = [{"id": "tag", "type": cli + "Tag", "sourceImage": IMAGE, "targetImage": image},
                 {"id": "push", "type": cli + "Push", "tags": [image], "credentials": {"username": "robot", "password": "{{ secret('PW') }}"}}]
        _, done = run_flow(folder, compiled(folder, tasks))
        assert done.returncode == 0 and list(registry.pushed) == ["t/mine:2"], done.stderr
        del tasks[1]["credentials"]
        _, done = run_flow(folder, compiled(folder, tasks), env={"DOCKER_CONFIG": str(folder), **engines.environment()})
        assert done.returncode == 1 and "cannot be pushed" in done.stderr and "give 'credentials'" in done.stderr, done.stderr


# --- what tries to escape -----------------------------------------------------------------------

def ways():
    return [name for name in escapes.ESCAPES if name != "ptraced" or engine().tracer]


def new_mark():
    return f"1{random.randrange(10**6):06d}.{random.randrange(10**9):09d}"


def escaping(folder, mark, end, names, **more):
    """A flow with a container for each way; `end` is the last command of each."""
    tasks = [{"id": each, "type": SHELL + "Commands", "containerImage": IMAGE, "taskRunner": OFFLINE, "allowFailure": True, "failFast": False,
              "commands": [escapes.commands(each, mark, 500 if IS_LONG else 100, True), "echo up", end.replace("MARK", mark)], **more}
             for each in names]
    return compiled(folder, [{"id": "all", "type": "io.kestra.plugin.core.flow.Parallel", "tasks": tasks}])


def all_up(folder, count):
    wait_for(lambda: logged(folder).count(": up") == count, 60)


def test_nothing_escapes_a_container():
    names = ways()
    for end, more in (("exit 0", {}), ("sleep MARK", {"timeout": "PT6S"})):
        mark = new_mark()
        with flowtest.temporary() as name:
            folder = Path(name)
            _, done = run_flow(folder, escaping(folder, mark, end, names, **more))
            assert done.stderr.count(": up") == len(names), done.stderr
            assert not escapes.survivors(mark), escapes.survivors(mark)
            assert not engine().containers()


def test_nothing_escapes_a_container_whose_execution_is_killed():
    # Alone in the long run, where a second is what each has; else all at once.
    for names in [[each] for each in ways()] if IS_LONG else [ways()]:
        mark = new_mark()
        with flowtest.temporary() as name:
            folder = Path(name)
            process = start(folder, escaping(folder, mark, "sleep MARK", names), "x")
            all_up(folder, len(names))
            flowtest.run([flowtest.FLOWRUN, "kill", "x", "--state-dir", folder / "state"], check=0)
            left = escapes.wait_for_none(mark, 1 if len(names) == 1 and not flowtest.IS_SANITIZED else 8)
            assert not left, left
            assert process.wait(20) == KILLED
            assert not engine().containers()


def test_what_a_killed_runtime_leaves_is_gone_on_with_or_ended():
    mark = new_mark()
    with flowtest.temporary() as name:
        folder = Path(name)
        names = ["background", "own_session_with_pipe", "term_ignored"]
        for following in ("resume", "kill"):
            process = start(folder, escaping(folder, mark, "sleep 4" if following == "resume" else "sleep MARK", names), following)
            wait_for(lambda: logged(folder, following).count(": up") == len(names), 60)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            assert escapes.survivors(mark)  # a container is meant to outlive the runtime
            done = flowtest.run([flowtest.FLOWRUN, following, following, "--state-dir", folder / "state"], env=engines.environment())
            assert done.returncode == 0, (following, done.stdout + done.stderr)
            assert not escapes.wait_for_none(mark, 1), escapes.survivors(mark)
            assert not engine().containers()


if __name__ == "__main__":
    try:
        flowtest.main()
    finally:
        engines.close()
