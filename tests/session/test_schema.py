"""flowc schema: a validator that is not ours takes the flows that the checker takes, and refuses what it refuses.

Mutants are made here, on the data of a flow; those count in which `flowc check` finds an error of structure (E01xx).
FLOW_TEST_MODE=long looks at all of them.
"""

import copy
import json
import random
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

try:
    import jsonschema
    import yaml
except ImportError:
    jsonschema = yaml = None

SAMPLES = sorted(flowtest.SOURCE.glob("samples/*/flow.yaml"))
BLUEPRINTS = sorted((flowtest.SHARED / "corpus" / "blueprints").glob("*.yaml"))
IS_LONG = flowtest.MODE == "long"
REFUSED_AT_LEAST = 0.9


def flowc(*arguments, **options):
    if not Path(flowtest.FLOWC).exists():
        flowtest.skip(f"{flowtest.FLOWC} is not built")
    return flowtest.run([flowtest.FLOWC, *arguments], **options)


def read(text):
    """YAML as flows are read: dates are text, and of booleans there are two."""

    class Loader(yaml.SafeLoader):
        pass

    kept = ("int", "float", "null", "merge")
    Loader.yaml_implicit_resolvers = {
        first: [(tag, form) for tag, form in rows if tag.rsplit(":", 1)[1] in kept]
        for first, rows in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    form = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
    Loader.add_implicit_resolver("tag:yaml.org,2002:bool", form, list("tTfF"))
    return yaml.load(text, Loader)


def validator(*arguments, cwd=None):
    if jsonschema is None:
        flowtest.skip("python3-jsonschema or python3-yaml is not installed", is_installable=True)
    schema = json.loads(flowc("schema", *arguments, cwd=cwd, check=0).stdout)
    return jsonschema.Draft7Validator(schema)


def errors_of(folder, paths):
    """Codes of errors by file."""
    found = {str(path): set() for path in paths}
    for diag in json.loads(flowc("check", "--format", "json", *paths, cwd=folder).stdout)["diagnostics"]:
        if diag["severity"] == "error":
            found[diag["file"]].add(diag["code"])
    return found


def chosen(paths, count):
    return paths if IS_LONG else random.Random(7).sample(paths, min(count, len(paths)))


def test_the_schema_is_one():
    if not IS_LONG:
        flowtest.skip("takes seconds: FLOW_TEST_MODE=long")
    jsonschema.Draft7Validator.check_schema(validator().schema)


def test_flows_without_an_error_are_taken():
    private = sorted(flowtest.SOURCE.glob("samples/*/catalog.yaml"))
    check = validator(*(word for path in private for word in ("--catalog", path)))
    paths = SAMPLES + chosen(BLUEPRINTS, 12)
    codes = errors_of(None, paths)
    assert len(SAMPLES) >= 3 and not any(codes[str(path)] for path in SAMPLES)
    refused = {}
    for path in paths:
        if codes[str(path)]:
            continue
        found = [f"{list(e.absolute_path)}: {e.message[:200]}" for e in check.iter_errors(read(path.read_text()))]
        if found:
            refused[path.name] = found
    assert not refused, refused


# --- mutants ------------------------------------------------------------------------------------


def misspelt(word, chance):
    at = chance.randrange(1, max(2, len(word) - 1))
    return word[:at] + word[at + 1 :] if chance.random() < 0.5 else word[: at + 1] + word[at:]


def maps(node):
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from maps(child)


def rename(holder, old, new):
    rows = [(new if key == old else key, value) for key, value in holder.items()]
    holder.clear()
    holder.update(rows)


def of_type(flow, *classes):
    """(map, key) of values of these classes."""
    return [(m, k) for m in maps(flow) for k, v in m.items() if type(v) in classes]


def mutate_top_key(flow, chance):
    key = chance.choice(sorted(flow))
    rename(flow, key, misspelt(key, chance))


def mutate_key(flow, chance):
    holder = chance.choice([m for m in maps(flow) if m])
    key = chance.choice([str(k) for k in holder])
    rename(holder, key, misspelt(key, chance))


def mutate_type(flow, chance):
    holder = chance.choice([m for m in maps(flow) if isinstance(m.get("type"), str)])
    holder["type"] = misspelt(holder["type"], chance)


def mutate_package(flow, chance):
    holder = chance.choice([m for m in maps(flow) if str(m.get("type")).count(".") > 3])
    parts = holder["type"].split(".")
    del parts[-2]
    holder["type"] = ".".join(parts)


def mutate_case(flow, chance):
    holder = chance.choice([m for m in maps(flow) if isinstance(m.get("type"), str)])
    holder["type"] = holder["type"].lower() if holder["type"] != holder["type"].lower() else holder["type"].upper()


def mutate_away(flow, chance):
    holder = chance.choice([m for m in maps(flow) if m])
    del holder[chance.choice(list(holder))]


def mutate_word_for_number(flow, chance):
    holder, key = chance.choice(of_type(flow, int, bool, float))
    holder[key] = "many"


def mutate_list_for_text(flow, chance):
    holder, key = chance.choice(of_type(flow, str))
    holder[key] = [holder[key]]


def mutate_text_for_list(flow, chance):
    holder, key = chance.choice(of_type(flow, list, dict))
    holder[key] = "text"


def mutate_level(flow, chance):
    holder = chance.choice([m for m in flow.get("tasks", []) if isinstance(m, dict) and len(m) > 2])
    key = chance.choice([k for k in holder if k not in ("id", "type")])
    flow[key] = holder.pop(key)


def mutate_id(flow, chance):
    holder = chance.choice([m for m in maps(flow) if isinstance(m.get("id"), str)])
    holder["id"] = chance.choice(["-" + holder["id"], holder["id"] + " x", holder["id"] + "!", ""])


def mutate_kind(flow, chance):
    holder = chance.choice(flow["tasks"])
    holder["type"] = chance.choice(["io.kestra.plugin.core.trigger.Schedule", "io.kestra.plugin.core.runner.Process"])


def mutate_empty(flow, chance):
    holder = chance.choice([m for m in maps(flow) if isinstance(m.get("tasks"), list)])
    holder["tasks"] = []


OPERATORS = [function for name, function in sorted(globals().items()) if name.startswith("mutate_")]


def mutants(path, count, chance):
    flow = read(path.read_text())
    for _ in range(count):
        operator = chance.choice(OPERATORS)
        changed = copy.deepcopy(flow)
        try:
            operator(changed, chance)
        except IndexError:  # nothing of that kind in this flow
            continue
        yield operator.__name__, changed


def test_mutants_with_an_error_of_structure_are_refused():
    check = validator()
    chance = random.Random(11)
    sources = SAMPLES + chosen(BLUEPRINTS, 6)
    clean = {path for path, codes in errors_of(None, sources).items() if not codes}
    made = []
    for path in sources:
        if str(path) in clean:
            made += mutants(path, 30 if IS_LONG else 6, chance)
    with flowtest.temporary() as folder:
        for number, (_, flow) in enumerate(made):
            (Path(folder) / f"{number}.yaml").write_text(yaml.safe_dump(flow, sort_keys=False))
        codes = errors_of(folder, [f"{number}.yaml" for number in range(len(made))])
    counts, taken = {}, []
    for number, (name, flow) in enumerate(made):
        structural = sorted(code for code in codes[f"{number}.yaml"] if code.startswith("E01"))
        if not structural:
            continue
        is_refused = next(check.iter_errors(flow), None) is not None
        found, all_of_it = counts.get(name, (0, 0))
        counts[name] = (found + is_refused, all_of_it + 1)
        if not is_refused:
            taken.append((name, structural, codes[f"{number}.yaml"], flow.get("id")))
    refused, total = (sum(row[i] for row in counts.values()) for i in (0, 1))
    print(f"{refused} of {total} mutants refused; by operator: {counts}")
    assert total >= (500 if IS_LONG else 20)
    assert refused >= REFUSED_AT_LEAST * total, taken


# --- options ------------------------------------------------------------------------------------

PRIVATE = """group: acme
types:
- type: com.acme.Ping
  kind: task
  properties:
    host: {type: string, required: true}
    times: {type: int}
"""


def flow_of(task):
    return {"id": "a", "namespace": "b.c", "tasks": [{"id": "t", **task}]}


def test_private_types_externals_and_targets_are_in_it():
    with flowtest.temporary() as folder:
        (Path(folder) / "acme.yaml").write_text(PRIVATE)
        check = validator("--catalog", "acme.yaml", cwd=folder)
        assert check.is_valid(flow_of({"type": "com.acme.Ping", "host": "x"}))
        assert not check.is_valid(flow_of({"type": "com.acme.Ping"}))
        assert not check.is_valid(flow_of({"type": "com.acme.Ping", "host": "x", "times": "many"}))
        (Path(folder) / ".flowc.yaml").write_text("external: [com.other.]\nunknownTypes: error\n")
        check = validator(cwd=folder)
        assert check.is_valid(flow_of({"type": "com.other.Any", "x": 1}))
        assert not check.is_valid(flow_of({"type": "com.acme.Ping", "host": "x"}))
        assert validator("--unknown-types", "warn", cwd=folder).is_valid(flow_of({"type": "com.acme.Ping"}))
        later = flow_of({"type": "io.kestra.plugin.core.log.Log", "message": "m", "when": "{{ true }}"})
        assert not validator("--target", "1.3", cwd=folder).is_valid(later)
        assert validator("--target", "2.0", cwd=folder).is_valid(later)


def test_it_is_written_to_a_file_and_always_the_same():
    with flowtest.temporary() as folder:
        flowc("schema", "-o", "a.json", cwd=folder, check=0)
        text = (Path(folder) / "a.json").read_text()
        assert text == flowc("schema", cwd=folder, check=0).stdout
        assert len(text) < 4 * 1024 * 1024 and '"http://json-schema.org/draft-07/schema#"' in text
        flowc("schema", "x", cwd=folder, check=2)


flowtest.main()
