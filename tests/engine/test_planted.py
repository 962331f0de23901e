"""test_planted.py - bugs planted into the engine, each of which the simulation has to find.

A bug is one place of one file, as it is and as it is when broken. The file is copied, broken, compiled as the build
compiles it and linked into the simulation in place of the real one; then the simulation must fail within its 20,000
runs. A place that is no longer there once is an error of this table. A sample is tried in the ordinary run, all of them
where FLOW_TEST_MODE=long.
"""

import json
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support import flowtest  # noqa: E402

RUNS = 20000
SAMPLE = 8  # every so manyth in the ordinary run

# what is wrong, file, as it is, as it is when broken
BUGS = [
    ("a killed level runs its errors", "level.c", "        if (is_killed) return CHOICE_END;\n", ""),
    ("Parallel and Dag start one too many", "level.c", "tally->created - tally->terminal < level->limit;",
     "tally->created - tally->terminal <= level->limit;"),
    ("one warning is not noticed", "level.c", "tasks->warning > 0", "tasks->warning > 1"),
    ("errors begin while siblings run", "level.c",
     "        if (tasks->terminal < tasks->created) return CHOICE_NOTHING;\n        if (is_killed)",
     "        if (is_killed)"),
    ("a Dag waits for its first dependency only", "level.c", "for (uint32_t d = 0; d < child->dep_count; d++) {",
     "for (uint32_t d = 0; d < child->dep_count && d < 1; d++) {"),
    ("one attempt too many", "task.c", "attempts >= retry->max_attempts", "attempts > retry->max_attempts"),
    ("maxDuration counts from the last attempt", "task.c", "int64_t first = run->attempts.items[0].started_ms;",
     "int64_t first = run_last_attempt(run)->started_ms;"),
    ("warningOnRetry from the third attempt on", "task.c", "run->attempts.count > 1 && node->own_retry",
     "run->attempts.count > 2 && node->own_retry"),
    ("a loop keeps duplicates", "loop.c", "bool drops = node_of(engine, run)->kind == NODE_FOREACH;",
     "bool drops = node_of(engine, run)->kind == NODE_COUNT_OF_NOTHING;"),
    ("LoopUntil makes one pass too many", "loop.c", "run->level->passes >= frequency.passes",
     "run->level->passes > frequency.passes"),
    ("after a crash iterations are forgotten", "loop.c",
     "        if (frame->tally.terminal == frame->tally.created) make_ready(engine, level, frame);\n", ""),
    ("an old timer fires for a new one", "fold_attempt.c",
     "if (!run->timer_is_set || run->timer_count != (uint64_t)count_of_key) return;",
     "if (!run->timer_is_set) return;"),
    ("a child's warning is lost", "fold_attempt.c",
     "child->state == STATE_FAILED || child->state == STATE_KILLED ||\n                  child->state == STATE_WARNING;",
     "child->state == STATE_FAILED || child->state == STATE_KILLED;"),
    ("an answer of an earlier attempt counts", "fold_attempt.c",
     "return event->attempt == 0 || event->attempt == count_now ? number : NO_RUN;",
     "return number;"),
    ("a resolved outcome is retried, not taken", "fold_attempt.c",
     "        last->is_decided = false;\n        if (event->text.len > 0)", "        if (event->text.len > 0)"),
    ("a Pause does not wait for onPause", "wait.c",
     "        if (!level_sequence(engine, number, ROLE_EXTRA)) return;\n        if (run->timer_fired)",
     "        level_sequence(engine, number, ROLE_EXTRA);\n        if (run->timer_fired)"),
    ("a dropped run leaves its place taken", "state.c", "    count_created(engine, run, -1);\n    count_shown",
     "    count_shown"),
    ("a slot of a loop is not given back", "state.c", "        if (!was_over) release_waiting(engine, run);\n", ""),
    ("a restart keeps errors", "command.c", "bool follows = run->role == ROLE_ERRORS || run->role == ROLE_FINALLY ||",
     "bool follows = run->role == ROLE_FINALLY ||"),
    ("a restart forgets agreements", "fold_restart.c", "        engine->watched_ms = event->time_ms;\n", ""),
    ("a restart leaves an iteration ended", "fold_restart.c",
     "            fold_end_frame(engine, frame, STATE_NONE);\n            frame->slot = NULL;\n            frame->is_asked = false;\n        }\n    }\n}\n\n// Batches",
     "            frame->slot = NULL;\n            frame->is_asked = false;\n        }\n    }\n}\n\n// Batches"),
    ("allowWarning comes before allowFailure", "turn.c",
     "    if (state == STATE_FAILED && (node->flags & NODE_ALLOW_FAILURE) != 0) state = STATE_WARNING;\n"
     "    if (state == STATE_WARNING && (node->flags & NODE_ALLOW_WARNING) != 0) state = STATE_SUCCESS;\n",
     "    if (state == STATE_WARNING && (node->flags & NODE_ALLOW_WARNING) != 0) state = STATE_SUCCESS;\n"
     "    if (state == STATE_FAILED && (node->flags & NODE_ALLOW_FAILURE) != 0) state = STATE_WARNING;\n"),
    ("a restart leaves pages in the store", "fold_restart.c", "    page_take_back(engine);\n", ""),
    ("a dropped run stays in its page", "state.c", "    run->is_dropped = true;\n    fold_change_run(engine, number);\n",
     "    run->is_dropped = true;\n"),
    ("an iteration is given to the store too early", "page.c",
     "    return tally->terminal == tally->created && tally->created == count_body(engine, loop);",
     "    return tally->terminal == tally->created;"),
    ("a snapshot forgets how often a timer was set", "snapshot.c", "    code_u32(codec, &run->timer_count);\n", ""),
    ("the parts of ForEachItem are not taken over", "task.c",
     "last->state == STATE_NONE && run->child == NULL;\n        if (!is_under_way",
     "last->state == STATE_NONE && run->part == PART_WHOLE;\n        if (!is_under_way"),
    ("the behaviour of a Pause is for its timeout, too", "wait.c", "    if (rule.duration == 0) {\n        fail_level",
     "    if (rule.duration < 0) {\n        fail_level"),
    ("two iterations have the same task run", "table.c",
     "    add_part(&hasher, bytes_of(&frame_of(engine, frame)->id));\n    return end_id(&hasher);\n}\n\nRunId id_of_frame",
     "    return end_id(&hasher);\n}\n\nRunId id_of_frame"),
    ("outputs are rendered after a kill", "root.c", "engine->plan->output_count > 0 && state != STATE_KILLED",
     "engine->plan->output_count > 0"),
    ("an Exit does not reach its ancestors", "turn.c",
     "    while (inner != ROOT && inner != number) inner = run_of(engine, inner)->parent;\n", ""),
    ("a new execution of a child has the id of the old", "child.c",
     "child_id(engine, run, NULL, attempt), attempt);", "child_id(engine, run, NULL, 1), attempt);"),
]


def build_command():
    """The command that links the simulation, as the build runs it."""
    if not (flowtest.BUILD / "build.ninja").exists():
        flowtest.skip("the build is not made by Ninja")
    commands = subprocess.run(["ninja", "-C", str(flowtest.BUILD), "-t", "commands", "tests/engine_simulation_test"],
                              capture_output=True, text=True, check=True).stdout.splitlines()
    return commands[-1]


def find_compile_commands():
    commands = {}
    for entry in json.loads((flowtest.BUILD / "compile_commands.json").read_text()):
        path = Path(entry["file"])
        is_ours = "ENGINE_PAGE=" in entry["command"]  # compiled as the simulation has it
        if is_ours and path.parent.name == "engine" and path.parent.parent.name == "runtime":
            commands[path.name] = entry["command"]
    return commands


def plant(bug, folder, compile_command):
    """The object file of the broken source."""
    what, name, whole, broken = bug
    source = flowtest.SOURCE / "runtime" / "engine" / name
    text = source.read_text()
    assert text.count(whole) == 1, f"'{what}' is to be planted at one place of {name}, found {text.count(whole)}"
    broken = broken.replace("NODE_COUNT_OF_NOTHING", "NODE_KIND_COUNT")
    copy, result = folder / name, folder / (name + ".o")
    copy.write_text(text.replace(whole, broken))
    arguments = shlex.split(compile_command)
    arguments[arguments.index("-o") + 1] = str(result)
    arguments[arguments.index("-c") + 1] = str(copy)
    arguments = [a for a in arguments if a != "-Werror"] + ["-w"]
    subprocess.run(arguments, check=True, cwd=flowtest.BUILD)
    return result


def find(bug, folder, compile_command, link_command):
    """Runs the simulation with the bug; what it says, None where it finds nothing."""
    result = plant(bug, folder, compile_command)
    program = folder / "simulation"
    link = re.sub(r"-o tests/engine_simulation_test\b", f"{shlex.quote(str(result))} -o {shlex.quote(str(program))}",
                  link_command)
    subprocess.run(link, shell=True, check=True, cwd=flowtest.BUILD)
    try:
        done = subprocess.run([str(program), str(RUNS), "1"], capture_output=True, text=True, errors="replace",
                              timeout=240)
    except subprocess.TimeoutExpired:
        return "it hangs"
    if done.returncode == 0:
        return None
    said = [line for line in done.stderr.splitlines() if re.search(r"seed \d+|replay of|fault:|ssert", line)]
    return said[0] if said else f"it ends with {done.returncode}"


def test_the_simulation_finds_every_planted_bug():
    link_command = build_command()
    compile_commands = find_compile_commands()
    bugs = BUGS if flowtest.MODE == "long" else BUGS[::SAMPLE]
    missed, begin = [], time.monotonic()
    for bug in bugs:
        with tempfile.TemporaryDirectory() as folder:
            said = find(bug, Path(folder), compile_commands[bug[1]], link_command)
        print(f"    {bug[0]}: {said or 'NOT FOUND'}"[:150])
        if said is None:
            missed.append(bug[0])
    assert not missed, f"not found: {missed}"
    print(f"    {len(bugs)} of {len(BUGS)} planted, all found, {time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    flowtest.main()
