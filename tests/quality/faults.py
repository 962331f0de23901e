"""faults.py - the classes of seeded faults. Each class is a generator of faults for one flow; a fault is a list of edits.

A class yields only where the mistake is certain: the names are declared in the flow, the catalog entry rests on a source, the text is
not a fault already. `classes.yaml` says which codes answer for a class.
"""

import ast
import collections
import os
import re
import textwrap

import yaml

from model import INPUT_TYPES, TOP, end, is_scalar, start

CLASSES = {}


class Fault:
    """Edits are (start, end, text) in the unbroken flow. `also` are places where the registry puts the finding."""

    def __init__(self, *edits, also=(), spans=None, repaired=None):
        self.edits = sorted(edits)
        self.also = list(also)
        self.spans = spans
        self.repaired = repaired  # what a repair puts in place of the first edit where that is not what stood there

    def apply(self, text):
        """The broken text and the spans of its mutated bytes: (start, end, is a deletion)."""
        out, at, spans, shift = [], 0, [], 0
        for first, last, new in self.edits:
            out += [text[at:first], new]
            spans.append((first + shift, first + shift + len(new), not new))
            shift += len(new) - (last - first)
            at = last
        broken = "".join(out) + text[at:]
        if self.spans is not None:  # a pattern: what is wrong now stands there
            spans = [(m.start(), m.end(), False) for m in re.finditer(self.spans, broken)] + spans[:0]
        for first, last in self.also:
            spans.append((self.map(first), self.map(last), False))
        return broken, spans

    def map(self, at):
        shift = 0
        for first, last, new in self.edits:
            if last <= at:
                shift += len(new) - (last - first)
        return at + shift


def fault_class(name):
    def add(function):
        CLASSES[name] = function
        return function
    return add


# Typos.

def distance(a, b):
    """Damerau-Levenshtein, neighbours swapped at cost 1."""
    before, row = None, list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        older, before, row = before, row, [i] + [0] * len(b)
        for j, y in enumerate(b, 1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if older and i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                row[j] = min(row[j], older[j - 2] + 1)
    return row[-1]


def typo(random, name, valid):
    """A slip of the finger that is nearer to the name than to any other valid one."""
    if len(name) < 4:
        return None
    for _ in range(8):
        at = random.randrange(1, len(name) - 1)
        kind = random.choice(("swap", "drop", "double", "other"))
        if kind == "swap":
            made = name[:at] + name[at + 1] + name[at] + name[at + 2:]
        elif kind == "drop":
            made = name[:at] + name[at + 1:]
        elif kind == "double":
            made = name[:at] + name[at] + name[at:]
        else:
            made = name[:at] + random.choice("aeiorstn") + name[at + 1:]
        if made == name or not re.fullmatch(r"[A-Za-z_][\w.-]*", made) and re.fullmatch(r"[A-Za-z_][\w.-]*", name):
            continue
        if any(v != name and distance(made.lower(), v.lower()) <= distance(made.lower(), name.lower()) for v in valid):
            continue
        if made.lower() in {v.lower() for v in valid}:
            continue
        return made
    return None


def other_case(random, name, valid):
    made = random.choice([name.upper(), name.lower(), name[0].swapcase() + name[1:], re.sub(r"_(\w)", lambda m: m.group(1).upper(), name)])
    return made if made != name and made.lower() == name.lower() and made not in valid else None


def renamed(flow, random, sites, change=typo):
    """Sites are (start, end, name, valid names)."""
    for first, last, name, valid in sites:
        made = change(random, name, valid)
        if made:
            yield Fault((first, last, made))


def key_sites(flow, kinds):
    for prop in flow.props:
        if prop.owner.kind in kinds and prop.type != "unknown" and prop.owner.is_certain and prop.name in prop.owner.known:
            if prop.name == "extend":
                continue
            yield start(prop.key), end(prop.key), prop.name, prop.owner.known.keys()


def inner(flow, node):
    """A scalar's text without its quotes, where it stands in the flow as it is."""
    first, last = start(node), end(node)
    if node.style in ("'", '"'):
        first, last = first + 1, last - 1
    elif node.style is not None:
        return None
    return (first, last) if flow.text[first:last] == node.value and node.value else None


def value_sites(flow, accept):
    for prop in flow.props:
        if prop.owner.is_certain and is_scalar(prop.value) and accept(prop):
            place = inner(flow, prop.value)
            if place:
                yield prop, place


# YAML.

def indented_keys(flow):
    for prop in flow.props:
        lines = flow.entry(prop)
        if lines and flow.column(start(prop.key)) >= 2:
            yield prop, lines


@fault_class("tab")
def tab(flow, random):
    for prop, (first, _) in indented_keys(flow):
        yield Fault((first, start(prop.key), "\t" * (flow.column(start(prop.key)) // 2)))


def before_line(flow, at):
    """The line before, without its break; blank lines and comments are passed."""
    while at > 0:
        first = flow.line_start(at - 1)
        line = flow.text[first:at - 1]
        if line.strip() and not line.strip().startswith("#"):
            return line
        at = first
    return ""


def previous_sibling(prop):
    names = list(prop.owner.props)
    at = names.index(prop.name)
    return prop.owner.props[names[at - 1]] if at else None


def parses_the_same_or_not_at_all(text):
    try:
        yaml.compose(text, yaml.CSafeLoader)
    except yaml.YAMLError:
        return "error"
    return "parses"


def shifted(flow, by):
    for prop, (first, _) in indented_keys(flow):
        sibling = previous_sibling(prop)
        if sibling is None:
            continue
        edit = (first, first + 1, "") if by < 0 else (first, first, " " * by)
        made = Fault(edit, also=[(first, end(prop.key))])
        # Where it becomes a line of the text above, or of its siblings, it is no mistake of YAML.
        if parses_the_same_or_not_at_all(made.apply(flow.text)[0]) == "error":
            yield made


@fault_class("key-left-1")
def key_left(flow, random):
    return shifted(flow, -1)


@fault_class("key-right-1")
def key_right(flow, random):
    return shifted(flow, 1)


@fault_class("key-right-2")
def key_right_two(flow, random):
    return shifted(flow, 2)


def colon_after(flow, prop):
    at = end(prop.key)
    return at if flow.text[at:at + 1] == ":" else None


@fault_class("colon-deleted")
def colon_deleted(flow, random):
    for prop in flow.props:
        at = colon_after(flow, prop)
        if at is not None and prop.owner.node.flow_style is False:
            made = Fault((at, at + 1, ""), also=[(start(prop.key), end(prop.key))])
            if parses_the_same_or_not_at_all(made.apply(flow.text)[0]) == "error":
                yield made


@fault_class("space-after-colon-deleted")
def space_deleted(flow, random):
    for prop in flow.props:
        at = colon_after(flow, prop)
        if at is not None and flow.text[at + 1:at + 2] == " " and flow.text[at + 2:at + 3] not in " \n#" and is_scalar(prop.value):
            if prop.value.style in (None, "'", '"') and prop.owner.node.flow_style is False:
                made = Fault((at + 1, at + 2, ""), also=[(start(prop.key), end(prop.value))])
                if parses_the_same_or_not_at_all(made.apply(flow.text)[0]) == "error":
                    yield made


def scalars(flow, accept):
    """Scalars of values, lists in values included."""
    def walk(node):
        if is_scalar(node):
            if accept(node):
                yield node
        else:
            for item in node.value:
                for part in item[1:] if isinstance(item, tuple) else (item,):
                    yield from walk(part)
    seen = set()
    for node in walk(flow.root.node):
        if start(node) not in seen:
            seen.add(start(node))
            yield node


@fault_class("closing-quote-deleted")
def quote_deleted(flow, random):
    for node in scalars(flow, lambda n: n.style in ("'", '"')):
        if "\n" not in flow.text[start(node):end(node)]:
            yield Fault((end(node) - 1, end(node), ""), also=[(start(node), end(node) - 1)])


@fault_class("closing-bracket-deleted")
def bracket_deleted(flow, random):
    def walk(node):
        if is_scalar(node):
            return
        if node.flow_style and flow.text[end(node) - 1] in "]}":
            yield Fault((end(node) - 1, end(node), ""), also=[(start(node), end(node) - 1)])
        for item in node.value:
            for part in item[1:] if isinstance(item, tuple) else (item,):
                yield from walk(part)
    yield from walk(flow.root.node)


def unquoted(flow, accept):
    for node in scalars(flow, lambda n: n.style in ("'", '"') and accept(n.value)):
        if "\\" not in flow.text[start(node):end(node)] and "\n" not in node.value and "''" not in flow.text[start(node):end(node)]:
            yield Fault((start(node), end(node), node.value))


@fault_class("quotes-taken-from-expression")
def quotes_from_expression(flow, random):
    for made in unquoted(flow, lambda v: v.startswith("{{") and " #" not in v):
        yield made


@fault_class("quotes-taken-from-colon")
def quotes_from_colon(flow, random):
    for made in unquoted(flow, lambda v: re.match(r"[A-Za-z]", v) and ": " in v and "{{" not in v and " #" not in v):
        yield made


@fault_class("key-duplicated")
def key_duplicated(flow, random):
    for prop in flow.props:
        lines = flow.entry(prop)
        if lines and prop.owner.node.flow_style is False and prop.type != "unknown" and flow.text[lines[1] - 1] == "\n":
            text = flow.text[lines[0]:lines[1]]
            if len(text) < 400:
                yield Fault((lines[1], lines[1], text), also=[lines])


@fault_class("dash-deleted")
def dash_deleted(flow, random):
    def walk(node):
        if is_scalar(node):
            return
        if isinstance(node, yaml.SequenceNode) and not node.flow_style:
            for item in node.value:
                at = start(item)
                if isinstance(item, yaml.MappingNode) and not item.flow_style and flow.text[at - 2:at] == "- ":
                    # A lost dash makes the item part of the one before, or of what holds the list.
                    yield Fault((at - 2, at - 1, " "), also=[flow.item(item) or (at, at)])
        for item in node.value:
            for part in item[1:] if isinstance(item, tuple) else (item,):
                yield from walk(part)
    yield from walk(flow.root.node)


# Names of the catalog.

@fault_class("typo-top-key")
def typo_top(flow, random):
    return renamed(flow, random, key_sites(flow, ("flow",)))


@fault_class("typo-task-property")
def typo_property(flow, random):
    return renamed(flow, random, key_sites(flow, ("task", "trigger", "input", "output", "runner", "concurrency")))


@fault_class("case-of-key")
def case_key(flow, random):
    return renamed(flow, random, key_sites(flow, ("flow", "task", "trigger", "input")), other_case)


def types(flow):
    for made in flow.objects:
        if made.kind in ("task", "trigger", "runner", "condition") and made.type in flow.catalog.types and "type" in made.props:
            place = inner(flow, made.props["type"].value)
            if place and not flow.catalog.types[made.type].get("is_alias"):
                yield made, place


def may_be_near(a, b):
    """Whether what two names share at both ends leaves at most four letters; cheaper than a distance."""
    if abs(len(a) - len(b)) > 2:
        return False
    shared = len(os.path.commonprefix((a, b)))
    return shared + len(os.path.commonprefix((a[shared:][::-1], b[shared:][::-1]))) >= len(a) - 4


@fault_class("typo-type")
def typo_type(flow, random):
    for made, (first, last) in types(flow):
        last_part = made.type.rsplit(".", 1)[1]
        slip = typo(random, last_part, [])
        if slip:
            name = made.type[:-len(last_part)] + slip
            if not any(t != made.type and may_be_near(name, t) and distance(name, t) <= distance(name, made.type) for t in flow.catalog.types):
                yield Fault((first, last, name))


@fault_class("case-of-type")
def case_type(flow, random):
    for made, (first, last) in types(flow):
        last_part = made.type.rsplit(".", 1)[1]
        slip = last_part[0].lower() + last_part[1:] if random.random() < 0.6 else last_part.upper()
        if slip != last_part:
            yield Fault((first, last, made.type[:-len(last_part)] + slip))


@fault_class("wrong-package")
def wrong_package(flow, random):
    ends = collections.Counter(name.rsplit(".", 1)[1] for name in flow.catalog.types)
    for made, (first, last) in types(flow):
        parts = made.type.split(".")
        if len(parts) < 5 or ends[parts[-1]] > 1:
            continue
        which = random.choice(("drop", "double", "tasks"))
        if which == "drop":
            wrong = parts[:-2] + parts[-1:]
        elif which == "double":
            wrong = parts[:-1] + [parts[-2] + "s"] + parts[-1:] if random.random() < 0.5 else parts[:-2] + [parts[-2] + "s"] + parts[-1:]
        else:
            wrong = parts[:3] + ["tasks"] + parts[-2:]
        if ".".join(wrong) not in flow.catalog.types:
            yield Fault((first, last, ".".join(wrong)))


def enum_of(flow, prop):
    if not prop.type.startswith("$"):
        return None
    body = flow.catalog.definition(prop.type[1:], prop.owner.file)
    values = (body or {}).get("enum")
    if not values or body.get("loose") or body.get("from_sdk"):
        return None
    return [str(v) for v in values]


def enum_sites(flow):
    for prop, place in value_sites(flow, lambda p: p.type.startswith("$")):
        values = enum_of(flow, prop)
        if values and prop.value.value in values and prop.owner.kind != "output":
            yield place[0], place[1], prop.value.value, values


@fault_class("typo-enum")
def typo_enum(flow, random):
    return renamed(flow, random, enum_sites(flow))


@fault_class("case-of-enum")
def case_enum(flow, random):
    return renamed(flow, random, enum_sites(flow), other_case)


@fault_class("required-deleted")
def required_deleted(flow, random):
    for prop in flow.props:
        if not isinstance(prop.schema, dict) or not prop.schema.get("required") or prop.schema.get("default") is not None or not prop.owner.is_certain:
            continue
        if prop.owner.kind not in ("task", "trigger", "input", "output") or prop.name in ("id", "type"):
            continue
        lines = flow.entry(prop)
        if lines and len(prop.owner.props) > 1 and "version" not in prop.owner.props and not flow_has_defaults(flow):
            names = [p for n, p in prop.owner.props.items() if n in ("type", "id")]
            if re.search(r"\b(id|type):", flow.text[lines[0]:lines[1]]) and prop.owner.kind == "task":
                continue  # the ids that go with it would be missed elsewhere
            yield Fault((lines[0], lines[1], ""), also=[(start(p.key), end(p.value)) for p in names])


def flow_has_defaults(flow):
    return "pluginDefaults" in flow.root.props or "taskDefaults" in flow.root.props


# Values.

def literal(flow, kinds):
    return value_sites(flow, lambda p: p.type in kinds and "{{" not in p.value.value and p.value.style is None)


@fault_class("word-for-integer")
def word_integer(flow, random):
    for prop, (first, last) in literal(flow, ("int", "number")):
        yield Fault((first, last, random.choice(("many", "ten", "none", "abc"))))


@fault_class("word-for-boolean")
def word_boolean(flow, random):
    for prop, (first, last) in literal(flow, ("bool",)):
        if prop.value.value in ("true", "false"):
            slip = "ture" if prop.value.value == "true" else "flase"
            yield Fault((first, last, random.choice((slip, slip, "maybe", "enabled"))))


@fault_class("list-for-scalar")
def list_for_scalar(flow, random):
    for prop, (first, last) in literal(flow, ("int", "number", "bool", "duration", "string")):
        if prop.type == "string" and prop.is_dynamic or prop.schema.get("custom_parser") or prop.name in ("type",):
            continue
        if prop.name == "id" and prop.owner.kind in ("task", "input"):
            continue  # what refers to it would miss it
        value = flow.text[start(prop.value):end(prop.value)]
        if not set(value) & set("[]{},:"):
            yield Fault((start(prop.value), end(prop.value), f"[{value}]"))


@fault_class("scalar-for-list")
def scalar_for_list(flow, random):
    for prop in flow.props:
        if prop.owner.is_certain and prop.type.startswith("list<") and not prop.is_dynamic and isinstance(prop.value, (yaml.SequenceNode,)):
            if prop.type in ("list<string>", "list<int>") or not isinstance(prop.schema, dict) or prop.schema.get("custom_parser"):
                continue  # Jackson takes one value for a list of one
            lines = flow.entry(prop)
            inside = flow.text[start(prop.value):flow.last(prop.value)]
            if lines and prop.owner.kind != "flow" and len(inside) < 300 and "id:" not in inside:
                yield Fault((end(prop.key) + 1, lines[1] - 1, " some text"), also=[lines])


@fault_class("property-moved")
def property_moved(flow, random):
    for prop in flow.props:
        owner = prop.owner
        if owner.kind != "task" or not owner.is_certain or prop.type == "unknown" or prop.name in ("id", "type"):
            continue
        lines = flow.entry(prop)
        parent = owner.parent
        if not lines or parent is None or parent.kind not in ("task", "flow") or flow.text[lines[1] - 1:lines[1]] != "\n":
            continue
        text = flow.text[lines[0]:lines[1]]
        if len(text) > 500 or "id:" in text:
            continue
        if prop.name in parent.known or not is_scalar(prop.value) or prop.value.style in ("|", ">") or "\n" in text[:-1]:
            continue
        # The last key of the item goes to the level of the list that holds it.
        if parent.kind == "flow":
            target = len(flow.text)
            if not flow.text.endswith("\n"):
                continue
            column = 0
        else:
            last = flow.entry(next(reversed(parent.props.values())))
            if not last or flow.text[last[1] - 1:last[1]] != "\n":
                continue
            target, column = last[1], flow.column(start(next(iter(parent.props.values())).key))
        if target < lines[1]:
            continue
        moved = " " * column + text.lstrip(" ")
        if target == lines[1]:
            yield Fault((lines[0], lines[1], moved))
        else:
            yield Fault((lines[0], lines[1], ""), (target, target, moved))


@fault_class("illegal-id")
def illegal_id(flow, random):
    for made in flow.objects:
        if made.kind in ("task", "input", "trigger", "flow") and "id" in made.props:
            place = inner(flow, made.props["id"].value)
            if not place or made.kind == "task" and re.search(r"outputs\W{1,2}" + re.escape(made.id) + r"\b", flow.text):
                continue
            if made.kind == "input" and re.search(r"inputs\W{1,2}" + re.escape(made.id) + r"\b", flow.text):
                continue
            if made.kind == "task" and in_dag(made):
                continue
            yield Fault((place[0], place[1], random.choice((made.id[:2] + " " + made.id[2:], "-" + made.id, made.id + "!", "_" + made.id))))


def in_dag(task):
    return task.parent is not None and task.parent.kind == "object"


@fault_class("duplicate-id")
def duplicate_id(flow, random):
    for kind in ("task", "input", "trigger", "output"):
        group = [o for o in flow.objects if o.kind == kind and o.id and not (kind == "task" and in_dag(o))]
        group = [o for o in group if not (kind == "input" and o.parent.kind != "flow")]
        for a, b in zip(group, group[1:]):
            if not inner(flow, b.props["id"].value) or a.id == b.id:
                continue
            word = {"task": "outputs", "input": "inputs"}.get(kind, "####")
            if re.search(word + r"\W{1,2}" + re.escape(b.id) + r"\b", flow.text) or re.search(r"^\s*- " + re.escape(b.id) + r"$", flow.text, re.M):
                continue
            place = inner(flow, b.props["id"].value)
            other = inner(flow, a.props["id"].value)
            yield Fault((place[0], place[1], a.id), also=[other] if other else [])


@fault_class("bad-duration")
def bad_duration(flow, random):
    for prop, (first, last) in literal(flow, ("duration",)):
        if prop.value.value.startswith("P"):
            found = re.fullmatch(r"PT(\d+)([HMS])", prop.value.value)
            words = ["P" + prop.value.value[2:] if prop.value.value.startswith("PT") and not prop.value.value.endswith("M") else "PTT5S", "soon", "five minutes"]
            if found:
                words += [found.group(1) + found.group(2).lower()] * 2
            yield Fault((first, last, random.choice(words)))


def cron_sites(flow):
    for prop, place in value_sites(flow, lambda p: p.name == "cron" and p.owner.kind == "trigger"):
        if len(prop.value.value.split()) == 5 and "{{" not in prop.value.value:
            yield prop, place


@fault_class("bad-cron")
def bad_cron(flow, random):
    for prop, (first, last) in cron_sites(flow):
        fields = prop.value.value.split()
        which = random.choice(("few", "range", "word", "many"))
        if which == "few":
            fields = fields[:4]
        elif which == "range":
            fields[0] = "61"
        elif which == "word":
            fields[random.choice((1, 2))] = "noon"
        else:
            fields += ["*", "*", "*"]
        yield Fault((first, last, " ".join(fields)))


@fault_class("cron-never")
def cron_never(flow, random):
    for prop, (first, last) in cron_sites(flow):
        fields = prop.value.value.split()
        yield Fault((first, last, " ".join(fields[:2] + random.choice((["30", "2"], ["31", "4"], ["31", "2"])) + ["*"])))


@fault_class("bad-zone")
def bad_zone(flow, random):
    for prop, (first, last) in value_sites(flow, lambda p: p.name in ("timezone", "timeZone") and p.owner.kind == "trigger"):
        if "/" in prop.value.value:
            area, city = prop.value.value.rsplit("/", 1)
            slip = typo(random, city, [])
            if slip:
                yield Fault((first, last, area + "/" + slip))


@fault_class("bad-regex")
def bad_regex(flow, random):
    for prop, (first, last) in value_sites(flow, lambda p: p.name == "validator" and p.owner.kind == "input"):
        text = flow.text[first:last]
        if "[" in text or "(" in text:
            at = first + max(text.rfind("]"), text.rfind(")"))
            if at >= first and not (text.count("[") > 1 and flow.text[at] == "]"):
                yield Fault((at, at + 1, ""), also=[(first, last)])


def input_sites(flow, kinds):
    for made in flow.inputs.values():
        if "type" in made.props and made.props["type"].value.value in kinds and "defaults" in made.props:
            value = made.props["defaults"].value
            if is_scalar(value) and "{{" not in value.value and value.style in (None, "'", '"'):
                yield made, made.props["type"].value.value, value


@fault_class("default-type")
def default_type(flow, random):
    wrong = {"INT": "many", "FLOAT": "half", "DATE": "tomorrow", "DURATION": "soon", "DATETIME": "today"}
    for made, kind, value in input_sites(flow, wrong):
        yield Fault((start(value), end(value), wrong[kind]))


@fault_class("default-range")
def default_range(flow, random):
    for made, kind, value in input_sites(flow, ("INT", "SELECT")):
        custom = made.props.get("allowCustomValue") or made.props.get("required") or made.props.get("expression")
        if kind == "SELECT" and not custom and isinstance(getattr(made.props.get("values"), "value", None), yaml.SequenceNode):
            yield Fault((start(value), end(value), "elsewhere"))
        elif kind == "INT" and "max" in made.props:
            yield Fault((start(value), end(value), str(int(made.props["max"].value.value) + 5)))
        elif kind == "INT" and "min" in made.props:
            yield Fault((start(value), end(value), str(int(made.props["min"].value.value) - 5)))


@fault_class("zero-concurrency")
def zero_concurrency(flow, random):
    for prop, (first, last) in value_sites(flow, lambda p: p.name == "limit" and p.owner.kind == "concurrency"):
        yield Fault((first, last, random.choice(("0", "-1"))))
    for prop, (first, last) in value_sites(flow, lambda p: p.name == "maxAttempts" and p.value.value.isdigit()):
        yield Fault((first, last, "0"))


# Expressions.

def references(flow, root, declared, is_guarded_too=True):
    for template in flow.templates:
        if not is_guarded_too and template.is_guarded:
            continue
        for first, last, name in template.find(r"(?<![\w.'])" + root + r"\.([A-Za-z_]\w*)"):
            if name in declared:
                yield first, last, name, declared


@fault_class("typo-input")
def typo_input(flow, random):
    return renamed(flow, random, references(flow, "inputs", flow.inputs.keys()))


@fault_class("case-of-input")
def case_input(flow, random):
    return renamed(flow, random, references(flow, "inputs", flow.inputs.keys()), other_case)


@fault_class("typo-task-id")
def typo_task(flow, random):
    return renamed(flow, random, references(flow, "outputs", flow.tasks.keys()))


@fault_class("typo-variable")
def typo_variable(flow, random):
    if "SetVariables" in flow.text:
        return []
    return renamed(flow, random, references(flow, "vars", flow.variables))


def in_loop(flow, task):
    return any(re.search(r"\.(ForEach|EachSequential|EachParallel|Loop)$", o.type) for o in flow.ancestors(task.parent))


@fault_class("typo-output")
def typo_output(flow, random):
    for template in flow.templates:
        for match in re.finditer(r"(?<![\w.'])outputs\.([A-Za-z_]\w*)\.([A-Za-z]\w*)", template.bare):
            task = flow.tasks.get(match.group(1))
            if task is None or not task.is_certain or in_loop(flow, task):
                continue  # the outputs of a loop's task stand under its values
            row = flow.catalog.types.get(task.type, {})
            outputs = row.get("outputs") or {}
            if row.get("outputs_open") or match.group(2) not in outputs:
                continue
            slip = typo(random, match.group(2), outputs.keys())
            if slip:
                yield Fault((template.at + match.start(2), template.at + match.end(2), slip))


ROOTS = "inputs outputs vars flow execution taskrun task trigger labels envs globals namespace kestra parent parents".split()


@fault_class("typo-root")
def typo_root(flow, random):
    for template in flow.templates:
        for first, last, name in template.find(r"(?<![\w.'|])(inputs|outputs|vars|flow|execution|taskrun|trigger|labels)(?=[.\[])"):
            slip = random.choice([name[:-1], typo(random, name, ROOTS) or name[:-1]])
            if slip not in ROOTS and slip:
                yield Fault((first, last, slip))


@fault_class("typo-member")
def typo_member(flow, random):
    members = {"flow": ["id", "namespace", "revision", "tenantId"], "execution": ["id", "startDate", "originalId", "state", "outputs"],
               "taskrun": ["id", "startDate", "value", "iteration", "parentId", "attemptsCount"]}
    for root, names in members.items():
        yield from renamed(flow, random, references(flow, root, names))


def builtin_sites(flow, kind, names):
    pattern = r"\|\s*([A-Za-z]\w*)" if kind == "filter" else r"(?<![\w.|\0])(?<!\| )([A-Za-z]\w*)(?=\()"
    for template in flow.templates:
        for first, last, name in template.find(pattern):
            if name in names:
                yield first, last, name, names


@fault_class("typo-filter")
def typo_filter(flow, random):
    return renamed(flow, random, builtin_sites(flow, "filter", flow.builtins["filter"]))


@fault_class("case-of-filter")
def case_filter(flow, random):
    return renamed(flow, random, builtin_sites(flow, "filter", flow.builtins["filter"]), other_case)


@fault_class("typo-function")
def typo_function(flow, random):
    return renamed(flow, random, builtin_sites(flow, "function", flow.builtins["function"]))


@fault_class("end-braces-deleted")
def end_braces(flow, random):
    for template in flow.templates:
        last = template.at + len(template.text)
        yield Fault((last - 2, last, ""), also=[(template.at, last - 2)])


@fault_class("start-braces-deleted")
def start_braces(flow, random):
    for template in flow.templates:
        rest = flow.text[template.at + len(template.text):end(template.node)]
        yield Fault((template.at, template.at + 2, ""), also=[(template.at, template.at + len(template.text))])


@fault_class("one-brace")
def one_brace(flow, random):
    for template in flow.templates:
        if random.random() < 0.5:
            yield Fault((template.at, template.at + 1, ""), also=[(template.at + 1, template.at + len(template.text))])
        else:
            last = template.at + len(template.text)
            yield Fault((last - 1, last, ""), also=[(template.at, last - 1)])


@fault_class("parenthesis-deleted")
def parenthesis(flow, random):
    for template in flow.templates:
        for first, last, _ in template.find(r"(\))"):
            yield Fault((first, last, ""), also=[(template.at, template.at + len(template.text))])


@fault_class("string-unbalanced")
def string_unbalanced(flow, random):
    for template in flow.templates:
        if template.node.style == "'":
            continue
        quotes = [m.start() for m in re.finditer("'", template.text)]
        if len(quotes) == 2:
            at = template.at + quotes[1]
            yield Fault((at, at + 1, ""), also=[(template.at, template.at + len(template.text))])


@fault_class("double-dot")
def double_dot(flow, random):
    for template in flow.templates:
        for first, last, _ in template.find(r"(?<![\w.'])(?:inputs|outputs|vars|flow|execution)(\.)(?=[a-z])"):
            yield Fault((first, last, ".."))


@fault_class("block-without-end")
def block_without_end(flow, random):
    for prop in flow.props:
        if is_scalar(prop.value) and prop.is_dynamic and prop.owner.is_certain:
            text = flow.text[start(prop.value):end(prop.value)]
            for match in re.finditer(r"\{%-?\s*end(?:if|for)\s*-?%\}", text):
                at = start(prop.value)
                opening = [m for m in re.finditer(r"\{%-?\s*(?:if|for)\b.*?%\}", text)]
                yield Fault((at + match.start(), at + match.end(), ""), also=[(at + m.start(), at + m.end()) for m in opening])


@fault_class("braces-dropped")
def braces_dropped(flow, random):
    for template in flow.templates:
        value = template.node.value.strip()
        content = template.text[2:-2].strip()
        if value == template.text and re.fullmatch(r"(inputs|outputs|vars|execution|flow)(\.\w+)+", content) and template.node.style in ("'", '"'):
            yield Fault((template.at, template.at + len(template.text), content))


@fault_class("argument-dropped")
def argument_dropped(flow, random):
    for template in flow.templates:
        for name in ("date", "split", "replace", "join", "jq", "substringAfter", "substringBefore", "dateAdd", "secret", "kv", "fromJson", "read"):
            for match in re.finditer(r"(?<![\w.])" + name + r"\(([^()]*)\)", template.bare):
                is_filter = "|" in template.bare[:match.start()][-3:]
                if name in ("date", "join") or name in ("split", "replace", "jq", "substringAfter", "substringBefore", "dateAdd") and not is_filter:
                    continue
                if not match.group(1).strip("\0 ") and not match.group(1):
                    continue
                if is_filter != (name in ("split", "replace", "jq", "substringAfter", "substringBefore", "dateAdd")):
                    continue
                yield Fault((template.at + match.start(1), template.at + match.end(1), ""),
                            also=[(template.at + match.start(), template.at + match.end())])


@fault_class("argument-added")
def argument_added(flow, random):
    for template in flow.templates:
        for match in re.finditer(r"\|\s*(upper|lower|trim|length|first|last|keys|toJson|capitalize|reverse)(?![\w(])", template.bare):
            if match.group(1) in flow.builtins["filter"]:
                at = template.at + match.end(1)
                yield Fault((at, at, "(1, 2, 3)"), also=[(template.at + match.start(1), at)])
        for match in re.finditer(r"(?<![\w.|])(fromJson|fileURI)\(([^()]*)(\))", template.bare):
            at = template.at + match.start(3)
            yield Fault((at, at, ", 1, 2, 3, 4"), also=[(template.at + match.start(), at)])


@fault_class("dash-id-with-dot")
def dash_with_dot(flow, random):
    for template in flow.templates:
        for match in re.finditer(r"outputs\[(['\"])([\w]+-[\w-]+)\1\]", template.text):
            if template.node.style == match.group(1):
                continue
            yield Fault((template.at + match.start() + 7, template.at + match.end(), "." + match.group(2)),
                        also=[(template.at + match.start(), template.at + match.end())])


@fault_class("filter-on-wrong-type")
def filter_wrong_type(flow, random):
    texts = [n for n, o in flow.inputs.items() if "type" in o.props and o.props["type"].value.value in ("STRING", "SELECT", "URI")]
    for template in flow.templates:
        for match in re.finditer(r"(?<![\w.'])inputs\.([A-Za-z_]\w*)(?=\s*\}\})", template.bare):
            kind = flow.inputs[match.group(1)].props.get("type") if match.group(1) in flow.inputs else None
            if kind is None or flow.inputs[match.group(1)].props.get("required"):
                continue
            wrong = {"INT": "keys", "FLOAT": "keys", "STRING": random.choice(("keys", "abs")), "ARRAY": "abs", "SELECT": "abs",
                     "BOOL": random.choice(("abs", "keys"))}.get(kind.value.value)
            if wrong:
                at = template.at + match.end()
                yield Fault((at, at, " | " + wrong), also=[(template.at + match.start(), at)])


@fault_class("text-into-boolean")
def text_into_boolean(flow, random):
    for prop in flow.props:
        if prop.type == "bool" and prop.is_dynamic and prop.owner.is_certain and is_scalar(prop.value) and flow._in_flow(prop.owner):
            first, last = start(prop.value), end(prop.value)
            yield Fault((first, last, '"{{ flow.id }}"'))


@fault_class("unknown-trigger-field")
def trigger_field(flow, random):
    for template in flow.templates:
        for match in re.finditer(r"(?<![\w.'])trigger\.([A-Za-z_]\w*)", template.bare):
            if flow.triggers and all(t.is_certain for t in flow.triggers):
                yield Fault((template.at + match.start(1), template.at + match.end(1), "nowhere"))
    kinds = {t.type for t in flow.triggers}
    if kinds and kinds <= {"io.kestra.plugin.core.trigger.Schedule"}:
        for template in flow.templates:
            for first, last, name in template.find(r"(?<![\w.'])(execution\.id)\b"):
                yield Fault((first, last, "trigger.body"))


@fault_class("loop-variable-outside")
def loop_outside(flow, random):
    for template in flow.templates:
        around = [o for o in flow.ancestors(template.prop.owner)]
        if any("ForEach" in o.type or "EachSequential" in o.type or "EachParallel" in o.type or "Loop" in o.type for o in around):
            continue
        if template.prop.owner.kind == "output" or any(o.kind in ("flow",) and template.task is None for o in around):
            continue
        for first, last, name in template.find(r"(?<![\w.'])(inputs\.\w+|execution\.id|flow\.id)(?=\s*\}\})"):
            if name.startswith("inputs.") and flow.text.count(name) < 2:
                continue
            yield Fault((first, last, random.choice(("taskrun.value", "taskrun.iteration"))))


# Order.

def sequences(flow):
    """Lists of tasks that run one after the other: [(list of tasks)]."""
    lists = {}
    for made in flow.objects:
        if made.kind == "task" and made.parent is not None and not in_dag(made):
            if "Parallel" in made.parent.type and made.place == "tasks" or "EachParallel" in made.parent.type:
                continue
            lists.setdefault((id(made.parent), made.place), []).append(made)
    return lists.values()


def reads(flow, task, other):
    """Whether a task refers to the outputs of another without a guard."""
    lines = flow.item(task.node)
    if not lines:
        return False
    for template in flow.templates:
        if lines[0] <= template.at < lines[1] and not template.is_guarded:
            if re.search(r"(?<![\w.'])outputs\." + re.escape(other.id) + r"\.\w", template.bare):
                return True
    return False


def asks_for(flow, task, other):
    """Whether a task, or a condition of it, has thought of what it does without the outputs of another."""
    lines = flow.item(task.node)
    return lines is not None and any(
        lines[0] <= t.at < lines[1] and t.is_guarded and re.search(r"(?<![\w.'])outputs\." + re.escape(other.id) + r"\b", t.bare)
        for t in flow.templates)


def mentions(flow, task, other):
    lines = flow.item(task.node)
    return lines is None or re.search(r"outputs\W{1,2}" + re.escape(other.id) + r"\b", flow.text[lines[0]:lines[1]]) is not None


def neighbours(flow):
    for tasks in sequences(flow):
        for a, b in zip(tasks, tasks[1:]):
            la, lb = flow.item(a.node), flow.item(b.node)
            if la and lb and la[1] <= lb[0] and flow.text[lb[1] - 1:lb[1]] == "\n" and flow.column(start(a.node)) == flow.column(start(b.node)):
                if a.is_certain or True:
                    yield a, b, la, lb


@fault_class("dependent-swapped")
def dependent_swapped(flow, random):
    for a, b, la, lb in neighbours(flow):
        if reads(flow, b, a) and flow.catalog.types.get(a.type):
            text = flow.text
            yield Fault((la[0], lb[1], text[lb[0]:lb[1]] + text[la[1]:lb[0]] + text[la[0]:la[1]]),
                        spans=r"outputs\." + re.escape(a.id) + r"\b")


@fault_class("both-in-parallel")
def both_in_parallel(flow, random):
    for a, b, la, lb in neighbours(flow):
        if reads(flow, b, a) and flow.catalog.types.get(a.type):
            indent = " " * flow.column(flow.text.index("-", la[0]))
            body = "".join("    " + line if line.strip() else line for line in flow.text[la[0]:lb[1]].splitlines(True))
            yield Fault((la[0], lb[1], f"{indent}- id: both_at_once\n{indent}  type: io.kestra.plugin.core.flow.Parallel\n{indent}  tasks:\n{body}"),
                        spans=r"outputs\." + re.escape(a.id) + r"\b")


@fault_class("producer-behind-run-if")
def behind_run_if(flow, random):
    for a, b, la, lb in neighbours(flow):
        if reads(flow, b, a) and not asks_for(flow, b, a) and "runIf" not in a.props and "runIf" not in b.props and a.is_certain and "type" in a.props:
            lines = flow.entry(a.props["type"])
            outputs = flow.catalog.types.get(a.type, {}).get("outputs")
            if lines and outputs:
                indent = " " * flow.column(start(a.props["type"].key))
                yield Fault((lines[1], lines[1], f"{indent}runIf: \"{{{{ execution.startDate | date('d') == '1' }}}}\"\n"),
                            spans=r"outputs\." + re.escape(a.id) + r"\b|runIf: .*")


@fault_class("dag-cycle")
def dag_cycle(flow, random):
    for made in flow.objects:
        if made.kind != "task" or not made.type.endswith("core.flow.Dag"):
            continue
        entries = [o for o in flow.objects if o.parent is made and o.kind == "object" and "task" in o.props]
        named = {}
        for entry in entries:
            task = next((o for o in flow.objects if o.parent is entry and o.kind == "task"), None)
            if task:
                named[task.id] = entry
        for name, entry in named.items():
            on = entry.props.get("dependsOn")
            for item in on.value.value if on and isinstance(on.value, yaml.SequenceNode) else []:
                target = named.get(item.value)
                if target is not None and "dependsOn" not in target.props:
                    lines = flow.item(target.node)
                    if lines:
                        indent = " " * flow.column(start(target.node))
                        yield Fault((lines[1], lines[1], f"{indent}dependsOn:\n{indent}  - {name}\n"), also=[(start(item), end(item))])


@fault_class("input-cycle")
def input_cycle(flow, random):
    for made in flow.inputs.values():
        on = made.props.get("dependsOn")
        if not on or not isinstance(on.value, yaml.MappingNode):
            continue
        for key, value in on.value.value:
            if key.value == "inputs" and isinstance(value, yaml.SequenceNode):
                for item in value.value:
                    target = flow.inputs.get(item.value)
                    if target and "dependsOn" not in target.props and flow.item(target.node):
                        lines = flow.item(target.node)
                        indent = " " * flow.column(start(target.node))
                        yield Fault((lines[1], lines[1], f"{indent}dependsOn:\n{indent}  inputs:\n{indent}    - {made.id}\n"), also=[(start(item), end(item))])


@fault_class("input-unused")
def input_unused(flow, random):
    inputs = flow.root.props.get("inputs")
    if inputs and isinstance(inputs.value, yaml.SequenceNode) and inputs.value.value and not inputs.value.flow_style:
        lines = flow.item(inputs.value.value[-1])
        if lines and flow.text[lines[1] - 1] == "\n" and "printContext" not in flow.text and "inputs[" not in flow.text and not re.search(r"\binputs\s*(\||\}\})", flow.text):
            indent = flow.text[lines[0]:flow.text.index("-", lines[0])]
            yield Fault((lines[1], lines[1], f"{indent}- id: nobody_reads_me\n{indent}  type: STRING\n{indent}  defaults: x\n"))


@fault_class("condition-constant")
def condition_constant(flow, random):
    for prop in flow.props:
        if prop.name == "condition" and prop.owner.kind == "task" and prop.owner.type.endswith("flow.If") and is_scalar(prop.value) and prop.value.style in (None, "'", '"'):
            yield Fault((start(prop.value), end(prop.value), random.choice(('"{{ 1 == 2 }}"', '"{{ true }}"', '"true"'))))


# Secrets and safety.

@fault_class("secret-literal")
def secret_literal(flow, random):
    for prop in flow.props:
        if not is_scalar(prop.value) or prop.value.style not in (None, "'", '"') or "secret(" not in prop.value.value or not prop.owner.is_certain:
            continue
        is_secret = isinstance(prop.schema, dict) and prop.schema.get("secret")
        if is_secret or re.fullmatch(r"(?i).*(password|secret(Key)?|token|apiKey)", prop.name):
            if not re.search(r"(?i)user|url|email|keyid|file", prop.name):
                yield Fault((start(prop.value), end(prop.value), random.choice(("ghp_16C7e42F292c6912E7710c838347Ae178B4a", '"hunter2-Sommer!"', "xoxb-1234567890-abcdefghijklmnop"))))


@fault_class("secret-in-log")
def secret_in_log(flow, random):
    for prop in flow.props:
        if prop.name == "message" and prop.owner.type == "io.kestra.plugin.core.log.Log" and is_scalar(prop.value) and prop.value.style in (None, '"'):
            if "\n" not in flow.text[start(prop.value):end(prop.value)]:
                at = end(prop.value) - (1 if prop.value.style else 0)
                if prop.value.style or "#" not in prop.value.value and ": " not in prop.value.value:
                    yield Fault((at, at, " {{ secret('API_TOKEN') }}"))


SHELLS = ("io.kestra.plugin.scripts.shell.Commands", "io.kestra.plugin.scripts.shell.Script")


def shell_texts(flow):
    """(first, last, indent) of a place where a line of shell can be put in."""
    for made in flow.objects:
        if made.type not in SHELLS:
            continue
        commands = made.props.get("commands")
        if commands and isinstance(commands.value, yaml.SequenceNode) and not commands.value.flow_style:
            lines = flow.item(commands.value.value[-1]) if commands.value.value else None
            if lines and flow.text[lines[1] - 1] == "\n":
                indent = flow.text[lines[0]:flow.text.index("-", lines[0])]
                yield made, lines[1], indent + "- "
        script = made.props.get("script")
        if script and is_scalar(script.value) and script.value.style == "|":
            at = flow.line_end(flow.last(script.value))
            line = before_line(flow, at)
            if flow.text[at - 1] == "\n":
                yield made, at, None


@fault_class("secret-in-command")
def secret_in_command(flow, random):
    for made, at, prefix in shell_texts(flow):
        if prefix:
            yield Fault((at, at, prefix + "curl -su user:{{ secret('API_TOKEN') }} https://example.com\n"))


@fault_class("input-in-script")
def input_in_script(flow, random):
    texts = [n for n, o in flow.inputs.items() if re.fullmatch(r"\w+", n) and "type" in o.props and o.props["type"].value.value == "STRING" and "validator" not in o.props]
    for made, at, prefix in shell_texts(flow):
        if prefix and texts:
            yield Fault((at, at, prefix + "test -d /srv/{{ inputs." + random.choice(texts) + " }}\n"))


@fault_class("http-with-credentials")
def http_credentials(flow, random):
    for prop in flow.props:
        if prop.name == "uri" and prop.owner.type.startswith("io.kestra.plugin.core.http.") and is_scalar(prop.value):
            place = inner(flow, prop.value)
            if place and flow.text[place[0]:place[1]].startswith("https://"):
                yield Fault((place[0], place[0] + 8, "http://admin:s3cr3t-pass@"), also=[place], repaired="https://admin:s3cr3t-pass@")


@fault_class("image-without-tag")
def image_without_tag(flow, random):
    for prop, (first, last) in value_sites(flow, lambda p: p.name == "containerImage" and "{{" not in p.value.value):
        name, _, tag = prop.value.value.rpartition(":")
        if name and "/" not in tag and "@" not in prop.value.value and tag != "latest":
            yield Fault((first, last, random.choice((name, name + ":latest"))))


@fault_class("fi-deleted")
def fi_deleted(flow, random):
    for made in flow.objects:
        script = made.props.get("script") if made.type in SHELLS else None
        if script and is_scalar(script.value) and script.value.style == "|" and "{%" not in script.value.value:
            text = flow.text[start(script.value):end(script.value)]
            for match in re.finditer(r"^\s*(fi|done)\n", text, re.M):
                at = start(script.value)
                yield Fault((at + match.start(1), at + match.end(1), "true"), also=[(at, end(script.value))])


def is_python(text):
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def without_templates(text):
    """Python with a name of the same length in place of each expression, so that offsets stay."""
    return re.sub(r"\{\{.*?\}\}", lambda m: re.sub(r"[^\n]", "_", m.group(0)), text, flags=re.S)


@fault_class("python-bracket-deleted")
def python_bracket(flow, random):
    """A closing bracket that python3 itself misses: a script that it reads, and no more without the bracket."""
    for made in flow.objects:
        script = made.props.get("script") if made.type == "io.kestra.plugin.scripts.python.Script" else None
        if script and is_scalar(script.value) and script.value.style == "|" and "{%" not in script.value.value:
            at = start(script.value)
            block = flow.text[at:end(script.value)]
            first = block.index("\n") + 1
            text = without_templates(block[first:])
            if not is_python(textwrap.dedent(text)):
                continue
            for match in re.finditer(r"[\w'\"]([)\]])$", text, re.M):
                if not is_python(textwrap.dedent(text[:match.start(1)] + text[match.end(1):])):
                    yield Fault((at + first + match.start(1), at + first + match.end(1), ""), also=[(at, end(script.value))])


@fault_class("subflow-wrong")
def subflow_wrong(flow, random):
    for prop, (first, last) in value_sites(flow, lambda p: p.name == "flowId" and p.owner.type.endswith("core.flow.Subflow")):
        slip = typo(random, prop.value.value, [])
        if slip:
            yield Fault((first, last, slip))


@fault_class("subflow-input-wrong")
def subflow_input(flow, random):
    for prop in flow.props:
        if prop.name == "inputs" and prop.owner.type.endswith("core.flow.Subflow") and isinstance(prop.value, yaml.MappingNode):
            names = [k.value for k, _ in prop.value.value]
            for key, _ in prop.value.value:
                slip = typo(random, key.value, names)
                if slip:
                    yield Fault((start(key), end(key), slip))


# Near misses: what the same operators do where nothing breaks.

NEAR = {}


def near_miss(name):
    def add(function):
        NEAR[name] = function
        return function
    return add


@near_miss("independent tasks swapped")
def independent_swapped(flow, random):
    for a, b, la, lb in neighbours(flow):
        if not mentions(flow, b, a) and not mentions(flow, a, b) and "outputs" not in flow.text[la[0]:lb[1]] and "inputFiles" not in flow.text[la[0]:lb[1]]:
            text = flow.text
            yield Fault((la[0], lb[1], text[lb[0]:lb[1]] + text[la[1]:lb[0]] + text[la[0]:la[1]]))


@near_miss("input renamed everywhere")
def input_renamed(flow, random):
    for name, made in flow.inputs.items():
        if len(name) > 3 and len(re.findall(r"\b" + re.escape(name) + r"\b", flow.text)) == 1 + len(re.findall(r"(?<![\w.'])inputs\." + re.escape(name) + r"\b", flow.text)):
            yield Fault(*[(m.start(), m.end(), name + "_now") for m in re.finditer(r"\b" + re.escape(name) + r"\b", flow.text)])


@near_miss("task renamed everywhere")
def task_renamed(flow, random):
    for name, made in flow.tasks.items():
        if len(name) > 3 and len(re.findall(r"(?<![\w-])" + re.escape(name) + r"(?![\w-])", flow.text)) == 1 + len(re.findall(r"(?<![\w.'])outputs\." + re.escape(name) + r"(?![\w-])", flow.text)):
            yield Fault(*[(m.start(), m.end(), name + "_now") for m in re.finditer(r"(?<![\w-])" + re.escape(name) + r"(?![\w-])", flow.text)])


@near_miss("?? added")
def guarded(flow, random):
    for template in flow.templates:
        content = template.text[2:-2]
        if re.fullmatch(r"\s*(inputs|outputs|vars)(\.\w+)+\s*", content) and template.node.style != "'" and not template.prop.name in ("condition",):
            yield Fault((template.at + 2, template.at + len(template.text) - 2, f"{content.rstrip()} ?? 'none' "))


@near_miss("dependent swapped but guarded")
def swapped_guarded(flow, random):
    for a, b, la, lb in neighbours(flow):
        if not reads(flow, b, a):
            continue
        body = flow.text[lb[0]:lb[1]]
        made = re.sub(r"\{\{\s*(outputs\." + re.escape(a.id) + r"(?:\.\w+)+)\s*\}\}", r"{{ \1 ?? 'none' }}", body)
        if not re.search(r"outputs\." + re.escape(a.id) + r"(?:\.\w+)+(?! \?\?)(?![\w.])", made) and "'{{" not in made:
            yield Fault((lb[0], lb[1], made))


@near_miss("comment and blank lines added")
def comments(flow, random):
    for prop, lines in indented_keys(flow):
        if previous_sibling(prop):
            yield Fault((lines[0], lines[0], "\n# a comment: with [ and 'quotes\n"))
