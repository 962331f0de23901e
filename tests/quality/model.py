"""model.py - a flow as the seeded faults see it: keys, values, tasks, templates, each with its place in the text.

Reads the catalog files of stdlib/catalog on its own, so that what a fault expects does not rest on the program under test.
Offsets count characters.
"""

import functools
import re
from pathlib import Path

import yaml

CATALOG = Path(__file__).resolve().parents[2] / "stdlib" / "catalog"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

TOP = {
    "id": "string", "namespace": "string", "description": "string", "labels": "labels", "inputs": "list<$input>",
    "variables": "map<any>", "tasks": "list<task>", "errors": "list<task>", "finally": "list<task>",
    "afterExecution": "list<task>", "outputs": "list<$output>", "triggers": "list<trigger>", "disabled": "bool",
    "pluginDefaults": "any", "concurrency": "$concurrency", "retry": "$AbstractRetry", "sla": "any", "checks": "any",
    "taskDefaults": "any", "listeners": "any", "workerGroup": "any", "revision": "int", "extend": "any",
    "workerSelector": "any", "policyRefs": "any", "quotas": "any", "draft": "bool",
}
INPUT_TYPES = ("STRING INT FLOAT BOOL BOOLEAN SELECT ENUM MULTISELECT ARRAY DATETIME DATE TIME DURATION FILE JSON YAML URI "
               "SECRET EMAIL").split()
INPUT = {
    "id": {"type": "string", "required": True}, "type": {"type": "$input-type"}, "description": {"type": "string"},
    "displayName": {"type": "string"}, "required": {"type": "bool"}, "defaults": {"type": "any"}, "prefill": {"type": "any"},
    "dependsOn": {"type": "any"}, "validator": {"type": "string"}, "values": {"type": "list<string>"}, "min": {"type": "any"},
    "max": {"type": "any"}, "itemType": {"type": "$input-type"}, "after": {"type": "any"}, "before": {"type": "any"},
    "expression": {"type": "string", "dynamic": "full"}, "allowCustomValue": {"type": "bool"}, "extension": {"type": "any"},
    "autoSelectFirst": {"type": "bool"}, "options": {"type": "any"}, "inputs": {"type": "any"}, "name": {"type": "string"},
    "isRadio": {"type": "bool"}, "allowedFileExtensions": {"type": "any"}, "acceptedExtensions": {"type": "any"},
}
OWN_DEFS = {
    "input-type": {"enum": INPUT_TYPES},
    "input": {"properties": INPUT},
    "output": {"properties": {"id": {"type": "string", "required": True}, "type": {"type": "$input-type", "required": True},
                              "value": {"type": "any", "dynamic": "full", "required": True}, "description": {"type": "string"},
                              "displayName": {"type": "string"}, "required": {"type": "bool"}}},
    "concurrency": {"properties": {"limit": {"type": "int", "required": True}, "behavior": {"type": "$behavior"}}},
    "behavior": {"enum": ["QUEUE", "CANCEL", "FAIL"]},
}


class Catalog:
    def __init__(self):
        self.files = {p.stem: yaml.load(p.read_text(), LOADER) for p in sorted(CATALOG.glob("*.yaml"))}
        self.base = self.files["_base"]
        self.types = {}
        for name, file in self.files.items():
            for row in file.get("types") or []:
                row["file"] = name
                if row["type"] not in self.types or name != "core-next":
                    self.types[row["type"]] = row
                for alias in row.get("aliases") or []:
                    self.types.setdefault(alias, dict(row, is_alias=True))

    def kind(self, kind):
        return {n: t for n, t in self.types.items() if t.get("kind") == kind and not t.get("is_alias")}

    @functools.lru_cache(maxsize=None)
    def props(self, name):
        row = self.types[name]
        out = dict(self.base["kinds"].get(row.get("kind"), {}))
        self._use(row, row["file"], out)
        return out

    def _use(self, row, file, out):
        for group in row.get("use") or []:
            body = (self.files[file].get("groups") or {}).get(group) or (self.base.get("groups") or {}).get(group)
            if body:
                self._use(body, file, out) if "properties" in body or "use" in body else out.update(body)
        out.update(row.get("properties") or {})

    def definition(self, name, file):
        if name in OWN_DEFS:
            return OWN_DEFS[name]
        return (self.files.get(file, {}).get("defs") or {}).get(name) or (self.base.get("defs") or {}).get(name)

    def is_certain(self, name):
        """Whether a finding about this type may be an error: its entry comes from its source and is closed."""
        row = self.types.get(name)
        return row is not None and not any(row.get(k) for k in ("inferred", "as_of", "open", "ignore_unknown", "open_type", "internal"))


class Prop:
    """One `key: value` of an object the catalog knows."""

    def __init__(self, key, value, schema, owner):
        self.key, self.value, self.schema, self.owner = key, value, schema or {}, owner
        self.name = key.value
        self.type = self.schema.get("type", "any") if isinstance(self.schema, dict) else str(schema)
        self.is_dynamic = isinstance(self.schema, dict) and self.schema.get("dynamic") in ("full", "leaf")


class Object:
    """A mapping: the flow, an input, a task, a trigger, something inside of them."""

    def __init__(self, kind, node, props, parent, type_name="", is_certain=True, file="_base", place=""):
        self.kind, self.node, self.known, self.parent = kind, node, props, parent
        self.type, self.is_certain, self.file, self.place = type_name, is_certain, file, place
        self.props = {}
        self.children = []  # lists of tasks: (name of the property, [Object])

    @property
    def id(self):
        prop = self.props.get("id")
        return prop.value.value if prop and isinstance(prop.value, yaml.ScalarNode) else ""


def plain_style(node):
    """The C reader says '' for a plain scalar, the Python reader None."""
    if isinstance(node, yaml.ScalarNode):
        node.style = node.style or None
    else:
        for item in node.value:
            for part in item if isinstance(item, tuple) else (item,):
                plain_style(part)


def start(node):
    return node.start_mark.index


def end(node):
    return node.end_mark.index


def is_scalar(node):
    return isinstance(node, yaml.ScalarNode)


class Flow:
    def __init__(self, name, text, catalog, origin=""):
        self.name, self.text, self.catalog, self.origin = name, text, catalog, origin
        self.objects, self.props, self.templates = [], [], []
        root = yaml.compose(text, LOADER)
        plain_style(root)
        self.root = self._object("flow", root, {k: {"type": t} for k, t in TOP.items()}, None, is_certain=True)
        self.tasks = {o.id: o for o in self.objects if o.kind == "task" and o.id}
        self.inputs = {o.id: o for o in self.objects if o.kind == "input" and o.id}
        self.triggers = [o for o in self.objects if o.kind == "trigger"]
        variables = self.root.props.get("variables")
        self.variables = [k.value for k, _ in variables.value.value] if variables and isinstance(variables.value, yaml.MappingNode) else []
        self._find_templates()

    # Reading along the schema.

    def _object(self, kind, node, known, parent, type_name="", is_certain=True, file="_base", place=""):
        made = Object(kind, node, known, parent, type_name, is_certain, file, place)
        self.objects.append(made)
        for key, value in node.value:
            if not is_scalar(key):
                continue
            prop = Prop(key, value, known.get(key.value), made)
            if key.value not in known:
                prop.type = "unknown"
            made.props[key.value] = prop
            self.props.append(prop)
            if key.value in known:
                self._value(value, prop.type, made, prop)
        return made

    def _plugin(self, kind, node, parent, place):
        if not isinstance(node, yaml.MappingNode):
            return
        name = next((v.value for k, v in node.value if k.value == "type" and is_scalar(v)), "")
        row = self.catalog.types.get(name)
        has_version = any(k.value == "version" for k, _ in node.value)
        if row is None:
            self._object(kind, node, {}, parent, name, False, place=place)
            return
        made = self._object(kind, node, self.catalog.props(name), parent, name,
                            self.catalog.is_certain(name) and not has_version and parent.is_certain or
                            (self.catalog.is_certain(name) and not has_version and kind == "task"), row["file"], place)
        if kind == "task":
            parent.children.append((place, made))

    def _value(self, node, kind, owner, prop):
        if kind.startswith("list<"):
            if isinstance(node, yaml.SequenceNode):
                for item in node.value:
                    self._value(item, kind[5:-1], owner, prop)
        elif kind.startswith("map<"):
            if isinstance(node, yaml.MappingNode):
                for _, value in node.value:
                    self._value(value, kind[4:-1], owner, prop)
        elif kind in ("task", "trigger", "condition", "runner"):
            self._plugin(kind, node, owner, prop.name)
        elif kind.startswith("$"):
            if not isinstance(node, yaml.MappingNode):
                return
            name = kind[1:]
            body = self.catalog.definition(name, owner.file)
            if not isinstance(body, dict):
                return
            if "properties" in body:
                self._object(name if name in OWN_DEFS else "object", node, body["properties"] or {}, owner, name,
                             owner.is_certain and not body.get("open") and not body.get("external") and not body.get("use"),
                             owner.file, prop.name)
            elif "plugins" in body:
                self._plugin("additional", node, owner, prop.name)
            elif "variants" in body:
                key = body.get("discriminator", "type")
                value = next((v.value for k, v in node.value if k.value == key), None)
                variant = body["variants"].get(value)
                inner = self.catalog.definition(variant.lstrip("$"), owner.file) if isinstance(variant, str) else variant
                if isinstance(inner, dict) and "properties" in inner:
                    known = dict(inner["properties"])
                    known.setdefault(key, {"type": "string"})
                    self._object("object", node, known, owner, name, owner.is_certain, owner.file, prop.name)

    # Templates.

    def _find_templates(self):
        seen = set()

        def scan(node, prop):
            if is_scalar(node):
                if node.style in ("'", '"', "|", ">") or node.style is None:
                    text = self.text[start(node):end(node)]
                    if "{% raw" in text or "{{'" in text and "}}'" in text:
                        return
                    for match in re.finditer(r"\{\{-?(.*?)-?\}\}", text, re.S):
                        at = start(node) + match.start()
                        if at not in seen and len(match.group(0)) < 400:
                            seen.add(at)
                            self.templates.append(Template(self, prop, node, at, match.group(0)))
            else:
                for item in node.value:
                    for part in item if isinstance(item, tuple) else (item,):
                        scan(part, prop)

        for prop in self.props:
            owner = prop.owner
            if not (prop.is_dynamic or owner.kind == "output" and prop.name == "value"):
                continue
            if owner.kind in ("task", "output", "object", "additional", "runner", "trigger") and owner.is_certain and self._in_flow(owner):
                if not any(isinstance(part, str) and part in prop.type for part in ("task", "trigger", "condition", "runner", "$")) or is_scalar(prop.value):
                    scan(prop.value, prop)

    def _in_flow(self, owner):
        while owner is not None:
            if owner.kind == "trigger":
                return False
            owner = owner.parent
        return True

    def task_of(self, owner):
        while owner is not None and owner.kind != "task":
            owner = owner.parent
        return owner

    def ancestors(self, owner):
        while owner is not None:
            yield owner
            owner = owner.parent

    # Lines.

    def line_start(self, at):
        return self.text.rfind("\n", 0, at) + 1

    def line_end(self, at):
        """Behind the line break."""
        found = self.text.find("\n", at)
        return len(self.text) if found < 0 else found + 1

    def last(self, node):
        """Where the text of a node ends, without the blank lines that block nodes take along."""
        if is_scalar(node):
            at = end(node)
            if node.style in ("|", ">"):
                return start(node) + len(self.text[start(node):at].rstrip())
            return at
        if node.flow_style or not node.value:
            return end(node)
        item = node.value[-1]
        return self.last(item[1] if isinstance(item, tuple) else item)

    def entry(self, prop):
        """The lines of `key: value`, or None where the key does not begin its line."""
        first = self.line_start(start(prop.key))
        if self.text[first:start(prop.key)].strip():
            return None
        return first, self.line_end(self.last(prop.value))

    def item(self, node):
        """The lines of an item of a block list."""
        first = self.line_start(start(node))
        if self.text[first:start(node)].strip() != "-":
            return None
        return first, self.line_end(self.last(node))

    def column(self, at):
        return at - self.line_start(at)


class Template:
    """One {{ … }} with its texts blanked, so that names in quotes are no names."""

    def __init__(self, flow, prop, node, at, text):
        self.flow, self.prop, self.node, self.at, self.text = flow, prop, node, at, text
        self.bare = re.sub(r'\\"|"[^"]*"|\'[^\']*\'', lambda m: "\0" * len(m.group(0)), text) if node.style != '"' else \
            re.sub(r"\\\"|'[^']*'", lambda m: "\0" * len(m.group(0)), text)
        self.is_guarded = "??" in self.bare or "default" in self.bare or " is " in self.bare or "?" in self.bare
        self.task = flow.task_of(prop.owner)

    def find(self, pattern):
        """Matches of the pattern: (start, end, text) of group 1 in the flow."""
        for match in re.finditer(pattern, self.bare):
            yield self.at + match.start(1), self.at + match.end(1), match.group(1)
