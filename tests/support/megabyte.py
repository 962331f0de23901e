"""A megabyte of each shape of input that something in the checker could take badly: lines, brackets, quotes, templates, ids, repeated."""

SIZE = 1 << 20
HEAD = "id: large\nnamespace: company.team\ntasks:\n  - id: one\n    type: io.kestra.plugin.core.log.Log\n"


def fill(piece, room=SIZE):
    return piece * (room // len(piece))


def numbered(piece, room=SIZE):
    return "".join(piece.replace("#", str(i)) for i in range(room // (len(piece) + 4)))


def quoted(piece):
    return HEAD + "    message: '" + fill(piece) + "'\n"


def block(piece):
    return HEAD + "    message: |\n" + fill("      " + piece + "\n")


TASK = "  - id: t#\n    type: io.kestra.plugin.core.log.Log\n    message: \"{{ flow.id }} # {{ outputs.t0.value ?? 'x' }}\"\n"
SHAPES = {
    "tasks": HEAD + "    message: x\n" + numbered(TASK),
    "tasks of one id": HEAD + "    message: x\n" + fill("  - id: one\n    type: io.kestra.plugin.core.log.Log\n    message: x\n"),
    "tasks of unknown types": HEAD + "    message: x\n" + numbered("  - id: t#\n    type: io.kestra.plugin.core.log.Logg#\n"),
    "unknown properties": HEAD + numbered("    propertie#: x\n"),
    "inputs that nobody reads": "id: a\nnamespace: b\ninputs:\n" + numbered("  - id: i#\n    type: STRING\n") + HEAD[26:] + "    message: x\n",
    "one key": HEAD + fill("    message: x\n"),
    "keys without a colon": HEAD + fill("    message x\n"),
    "keys without a blank": HEAD + fill("    message:x\n"),
    "open brackets": HEAD + "    message: " + fill("["),
    "open braces": HEAD + "    message: " + fill("{a: "),
    "quotes": HEAD + "    message: " + fill("\"'"),
    "lines with one quote": HEAD + fill("    message: \"x\n"),
    "tabs": HEAD + fill("\t\tmessage: x\n"),
    "columns": HEAD + "".join(" " * (i % 40) + "k: v\n" for i in range(SIZE // 25)),
    "dashes": fill("- "),
    "deep lists": "".join(" " * i + "-\n" for i in range(1, int((2 * SIZE) ** 0.5))),
    "aliases": HEAD + "    message: &a x\n" + fill("    m: *a\n"),
    "documents": fill("---\nid: a\n"),
    "comments": fill("# flowc: ignore[E0301] x\n") + HEAD,
    "nulls": HEAD + fill("\0"),
    "one line": "id: " + fill("a"),
    "expressions": block("{{ flow.id | upper }} {{ inputs.x }}"),
    "expressions of one line": quoted("{{ flow.id }}"),
    "unclosed expressions": quoted("{{ a } "),
    "openings": quoted("{{ a "),
    "lost openings": quoted("inputs.a }} "),
    "lost openings behind sums": HEAD + "    message: '" + fill("inputs.a+") + "!}}'\n",
    "single braces": quoted("{ inputs.a }} "),
    "single braces that do not close": HEAD + "    message: '" + fill("{ inputs.a + ") + "! }}'\n",
    "words behind operators": HEAD + "    message: '{{ a " + fill("+ bb ") + "'\n",
    "parentheses": HEAD + "    message: '{{ " + fill("(") + "'\n",
    "filters": HEAD + "    message: '{{ a " + fill("| upper ") + "}}'\n",
    "tags": block("{% if a %}"),
    "ends": block("{% endif %}"),
    "comments in templates": quoted("{# "),
    "scripts": HEAD.replace("core.log.Log", "scripts.shell.Commands") + "    commands:\n" + fill("      - echo {{ inputs.x }}\n"),
    "durations": HEAD + "    message: x\n    timeout: P" + fill("1D"),
    "crons": HEAD + "    message: x\ntriggers:\n  - id: t\n    type: io.kestra.plugin.core.trigger.Schedule\n    cron: '" + fill("1,") + "'\n",
    "Dag": "id: a\nnamespace: b\ntasks:\n  - id: d\n    type: io.kestra.plugin.core.flow.Dag\n    tasks:\n"
           + numbered("      - task: {id: t#, type: io.kestra.plugin.core.log.Log, message: x}\n        dependsOn: [t0]\n"),
}
