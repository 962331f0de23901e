"""generator.py - makes templates from the grammar of the language and the table of builtins.

Everything follows from a seed: `Generator(seed, table).case(number)` gives the same case each time. A case is what
`flowc eval --batch` and Kestra take: id, expr, mode, type, vars. Most expressions are well typed, so that most give a
value; one in 25 places holds something of another type, one in twenty templates is damaged in its text.

`table` is what `flowc docs` says of the builtins (see `read_table`): a new row is asked about without a change here. Where
an argument has a language of its own (patterns, units, regular expressions), ARGUMENTS gives good and bad ones.
"""

import json
import random
import re
import subprocess

# --- the context: every kind of value -------------------------------------------------------------

VALUES = {
    "int": {
        "n7": {"$long": 7}, "n0": {"$long": 0}, "neg": {"$long": -13}, "n3": {"$long": 3}, "n2": {"$long": 2},
        "big": {"$long": 4611686018427387904}, "secs": {"$long": 1714979289}, "millis": {"$long": 1714979289123},
        "i5": 5, "i1": 1, "i32": 2147483647, "ineg": -4, "i0": 0,
    },
    "float": {"half": 0.5, "pi": 3.14159, "fneg": -2.75, "whole": 100.0, "tiny": 0.000123, "huge": 123456789012.5, "f25": 2.5, "f35": 3.5},
    "bool": {"yes": True, "no": False},
    "text": {
        "empty": "", "blank": "  ", "hello": "Hello World", "lower": "some words here", "uni": "stra\u00dfe \u00dcn\u00efcode \u01c6",
        "csv": "a,b,,c,,", "t42": "42", "tneg": "-7", "tfloat": "3.14", "lines": "l1\nl2\r\nl3\n", "emoji": "\U0001f600 smile",
        "quotes": "it's \"q\" \\ back", "html": "<b>&amp;</b>", "tnull": "null", "ttrue": "true", "tfalse": "false", "path": "dir/sub/file.tar.gz",
        "b64": "aGVsbG8gdw==", "url": "a%20b+c%2F%C3%BC", "spaced": " \t padded\n", "one": "x", "dashes": "--a__b--C d", "tabs": "a\tb",
        "jtext": "{\"a\":[1,2,{\"b\":null}],\"c\":\"x\",\"f\":1.50}", "jlist": "[3,1,2]", "jnum": "12", "jstr": "\"q\"",
        "ytext": "a: 1\nb: [x, y]\nc:\n  d: true\n  e: 1.5\n", "sub": "lo",
    },
    "date": {
        "d1": "2024-05-06T07:08:09Z", "d2": "2024-02-29", "d3": "2023-12-31T23:59:59.123456+05:30", "d4": "2024-03-31T02:30:00",
        "d5": "2021-01-03T00:00:00Z", "inst": {"$instant": "2024-05-06T07:08:09Z"}, "instf": {"$instant": "2024-05-06T07:08:09.120Z"},
        "d6": "1999-10-31T01:30:00[Europe/Paris]", "d7": "2024-07-01T12:00:00+02:00[Europe/Paris]",
    },
    "list": {
        "nolist": [], "nums": [3, 1, 2], "words": ["b", "a", "c"], "mixed": [1, "a", None, 2.5, [1], {"k": 1}], "nested": [[1, 2], [3], 4],
        "nulls": [None, None], "dup": ["x", "y", "x"], "floats": [2.5, -1.0, 0.25], "recs": [{"k": 1, "v": "p"}, {"k": 2, "v": "q"}],
        "flags": [True, False], "longs": [{"$long": 10}, {"$long": 20}], "tlist": ["10", "9", "b\u00e9"],
    },
    "map": {
        "nomap": {}, "m": {"a": 1, "b": "x", "c": None}, "deep": {"k": {"l": {"m": [10, 20]}}}, "dotted": {"x.y": 1, "my-id": "dash"},
        "people": {"ann": {"age": 31}, "bob": {"age": 27}}, "flat": {"u": "v", "w": "z"},
    },
    "null": {"nil": None},
    "duration": {"dur": {"$duration": "PT1M30S"}},
    "localdate": {"ld": {"$localdate": "2024-05-06"}},
}
VARS = {name: value for group in VALUES.values() for name, value in group.items()}

# Arguments with a language of their own, by builtin and parameter; '*' stands for all builtins. Expressions, not values.
PATTERNS = ["yyyy-MM-dd", "yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd'T'HH:mm:ssXXX", "dd/MM/yyyy", "E", "EEEE", "d MMM yyyy", "MMMM", "HH:mm:ss.SSS", "hh:mm a", "D",
            "Q", "u", "YYYY-'W'ww", "yy", "X", "XX", "Z", "VV", "z", "O", "iso", "iso_milli", "iso_sec", "sql", "sql_milli", "sql_sec", "iso_date", "iso_date_time",
            "iso_local_date", "iso_local_time", "iso_instant", "iso_offset_time", "iso_ordinal_date", "iso_week_date", "rfc_1123_date_time", "k", "K", "A", "n", "N",
            "[HH]", "''", "'at' H", "QQQ", "QQQQ", "e", "ccc", "EEEEE", "MMMMM", "G", "w", "W", "F", "SSSSSSSSS", "x", "xxx", "OOOO", "zzzz", "ZZZZ", "ZZZZZ", "ppH", "y", "yyyyy"]
ZONES = ["UTC", "Europe/Paris", "America/New_York", "+05:30", "-08:00", "Asia/Tokyo", "GMT", "Z", "UTC+3", "Australia/Lord_Howe", "CET"]
UNITS = ["SECONDS", "MINUTES", "HOURS", "DAYS", "WEEKS", "MONTHS", "YEARS", "MILLIS", "MICROS", "NANOS", "HALF_DAYS", "DECADES", "CENTURIES"]
REGEXES = ["a", "[a-c]+", "\\\\s+".replace("\\\\", "\\"), "\\d+", "(\\w)(\\w)", "l+", "^H", "o$", ",", "\\.", "x*", "(?i)HELLO", "[^a-z]", "\\b", "|", " "]
FORMATS = ["%s", "%d", "%05d", "%.2f", "%x", "%10s|", "%-10s|", "%S", "%b", "%,d", "%e", "%+d", "%%", "%o", "%X", "%2$s %1$s", "%c", "%g", "%a", "%h", "%n", "%(d", "% d", "%.3s", "%8.3f", "%#x"]
NUMBER_FORMATS = ["0", "0.00", "#,##0.00", "#", "0.#", "000", "#.###", "0%", "#,###", "0.0;(0.0)", "'n'0", "0.00 EUR", "00.0#", "#,##0.###", "0E0", "##0.0#E0"]
JQ = [".", ".a", ".a[0]", ".[]", ".[0]", ".c", ".a.b", "length", "keys", "map(.)", ".a[]", "type", "tostring", "tojson", "[.[]]", ".[1:]", "first", "has(\"a\")", ".a?", ".. | numbers",
      "to_entries", "add", "sort", "reverse", "unique", "min", "max", "join(\",\")", "map(tostring)", "select(. != null)", ".x // \"d\"", "if . then 1 else 2 end", ".k.l.m[0]"]
TYPES_OF_NUMBER = ["INT", "LONG", "FLOAT", "DOUBLE"]


def quoted(text):
    return "'" + text.replace("'", "\\'") + "'"


def quoted_all(texts):
    return [quoted(text) for text in texts]


ARGUMENTS = {
    ("*", "format"): quoted_all(PATTERNS), ("*", "timeZone"): quoted_all(ZONES), ("*", "existingFormat"): quoted_all(["yyyy-MM-dd", "dd/MM/yyyy", "iso_date"]),
    ("*", "locale"): quoted_all(["en", "en_US", "en"]), ("dateAdd", "unit"): quoted_all(UNITS),
    ("split", "delimiter"): quoted_all(REGEXES), ("regexMatch", "regex"): quoted_all(REGEXES), ("regexReplace", "regex"): quoted_all(REGEXES),
    ("regexReplace", "replacement"): quoted_all(["-", "$1", "", "[$0]", "x$2"]), ("regexExtract", "regex"): quoted_all(REGEXES),
    ("regexExtract", "group"): ["0", "1", "2"], ("numberFormat", "format"): quoted_all(NUMBER_FORMATS), ("number", "type"): quoted_all(TYPES_OF_NUMBER),
    ("escapeChar", "type"): quoted_all(["single", "double", "shell", "SINGLE"]), ("jq", "expression"): quoted_all(JQ),
    ("replace", "replace_pairs"): ["{'a': 'b'}", "{'l': 'L', 'o': '0'}", "{' ': ''}", "{'.': '!'}", "m", "flat", "{'[a-z]': 'x'}", "{'(.)': '$1$1'}", "{'': '-'}"],
    ("abbreviate", "length"): ["5", "0", "3", "4", "11", "100", "n7"], ("indent", "amount"): ["2", "0", "1", "n3"], ("nindent", "amount"): ["2", "0", "4"],
    ("chunk", "size"): ["2", "1", "3", "n2", "0"], ("slice", "fromIndex"): ["0", "1", "2", "n2"], ("slice", "toIndex"): ["2", "3", "n3", "1"],
    ("*", "amount"): ["1", "-1", "n3", "12", "-45", "'2'"], ("range", "start"): ["1", "n0", "5", "'a'"], ("range", "end"): ["5", "n7", "-2", "'e'"],
    ("range", "increment"): ["1", "2", "-1", "n3"], ("*", "separator"): quoted_all([",", "/", ".", "", " ", "lo", "-"]),
    ("*", "value"): quoted_all(["He", "a", "", "d", "4"]), ("*", "prefix"): quoted_all([" ", "\t", "--"]), ("split", "limit"): ["2", "-1", "0", "1"],
    ("yaml", "yaml"): ["ytext", "'a: [1, 2]'", "'- x\n- y'", "jtext", "'yes'", "'1_000'", "t42"], ("fromJson", "json"): ["jtext", "jlist", "jnum", "jstr", "tnull", "ttrue", "'{}'", "m | toJson"],
    ("json", "json"): ["jtext", "jlist", "jnum"], ("*", "date"): ["d1", "d2", "d5", "'2024-05-31'", "'2024-02-03T10:00:00+01:00'"],
    ("isDayWeekInMonth", "dayOfWeek"): quoted_all(["MONDAY", "FRIDAY", "SUNDAY"]), ("isDayWeekInMonth", "position"): quoted_all(["FIRST", "SECOND", "LAST", "FOURTH"]),
    ("isLastWorkingDay", "workingDays"): quoted_all(["MONDAY,TUESDAY", "SATURDAY"]), ("env", "name"): quoted_all(["A", "HOME_X"]),
    ("format", "arguments"): None, ("render", "toRender"): ["'{{ n7 + 1 }}'", "hello", "words", "m", "'{{ \"{{ t42 }}\" }}'"], ("renderOnce", "toRender"): ["'{{ n7 + 1 }}'", "hello", "words"],
    ("base64decode", "input"): ["b64", "(hello | base64encode)", "'aGk'", "'YQ=='"], ("urldecode", "input"): ["url", "(quotes | urlencode)", "'%zz'"],
    ("numberFormat", "input"): ["n7", "pi", "huge", "fneg", "big", "half", "f25", "f35", "1234567.891", "0", "i32"],
    ("number", "input"): ["t42", "tneg", "tfloat", "'0x1F'", "'1e3'", "' 5 '", "'007'", "'2147483648'", "'12345678901234567890'", "'1.23456789012'", "'5L'", "empty", "'abc'"],
    ("jq", "input"): ["m", "jtext", "jlist", "deep", "nums", "recs", "mixed", "words", "nil", "n7", "jnum", "empty"],
    ("format", "input"): quoted_all(FORMATS),
}
# What asks the world or gives another result each time: looked at through something that stays the same.
UNSTABLE = {
    "now": ["now() is defined", "now('yyyy') | length", "now('iso_date', timeZone='UTC') | length"], "uuid": ["uuid() | length"], "id": ["id() | length > 15"],
    "ksuid": ["ksuid() | length"], "nanoId": ["nanoId() | length", "nanoId(5) | length", "nanoId(length=12) | length", "nanoId(0) | length"],
    "randomInt": ["randomInt(1, 2)", "randomInt(0, 10) < 10", "randomInt(lower=5, upper=6)", "randomInt(3, 1)"], "randomPort": ["randomPort() > 1023"],
}
# Need an execution, a store or a key; refused here; or only there in a release that is not judged.
LEFT_OUT = {"appLink", "assets", "credential", "currentEachOutput", "decrypt", "encrypt", "env", "errorLogs", "fetchContext", "fileExists", "fileSize", "fileURI", "fromIon", "http",
            "isFileEmpty", "kv", "loopOutputs", "printContext", "read", "secret", "subflow", "tasksWithState", "toIon", "className", "isDateBetween", "isPublicHoliday"}

CONVERT = {
    "integer": ["42", " 7 ", "07", "7.0", "7.9", "1e3", "", "null", "x", "2147483648", "-5", "+3", "true", "0x10"],
    "long": ["42", "9007199254740993", "7.5", "", "abc", "-1"],
    "double": ["1.5", "1e-3", "NaN", "Infinity", "5", "", "x", "-0.0"],
    "boolean": ["true", "FALSE", "True", "1", "0", "yes", "", " true ", "tRue", "1.0"],
    "duration": ["PT5M", "P1D", "90", "1.5", "p1dt2h", " PT1S ", "P2W", "P1M", "5m", "", "-PT3S", "PT0.5S", "PT36H"],
    "datetime": ["2024-05-06T07:08:09Z", "2024-05-06T07:08:09+02:00", "1714979289", "2024-05-06", "2024-05-06T07:08:09", ""],
    "uri": ["https://example.com/a?b=c", "a b", "kestra:///x/y", ""],
    "string": ["", "abc", "5", " x "],
}


def read_table(flowc):
    """The builtins as `flowc docs` prints them: {(kind, name): {input, params: [(name, type)], result, only_2_0, not_2_0}}."""
    names = sorted({line.split()[1] for line in subprocess.run([flowc, "docs"], capture_output=True, text=True, check=True).stdout.splitlines() if line.strip()})
    table = {}
    for name in names:
        text = subprocess.run([flowc, "docs", name], capture_output=True, text=True, check=True).stdout
        for part in re.split(r"(?m)^(?=\w+ \((?:filter|function|test)\)$)", text):
            head = re.match(r"(\w+) \((filter|function|test)\)\n\n  (.*) -> (\S+)\n", part)
            if not head:
                continue
            signature = head.group(3)
            params = re.search(r"\((.*)\)$", signature)
            table[head.group(2), head.group(1)] = {
                "input": re.split(r" \| | is ", signature)[0] if head.group(2) != "function" else None,
                "params": [tuple(p.split(": ")) for p in params.group(1).split(", ")] if params and params.group(1) else [],
                "result": head.group(4),
                "only_2_0": "From 2.0 on." in part, "not_2_0": "Removed in 2.0." in part, "refused": "Not available here." in part,
            }
    return table


# Places where Kestra has a Java type of its own that the language here does not know (an array, a set, a character, a number as
# text), where it prints a list or map in Java's form, or changes a list in place. A marker stands there while a case is made: `case` drops it, and `plain` holds the same template with what makes the
# value an ordinary one, so that Kestra can be asked what it says without the peculiarity.
ARRAY, OPEN, CLOSE, NUMBER, FORM, COPY = "\ue000", "\ue001", "\ue002", "\ue003", "\ue004", "\ue005"
MADE_PLAIN = {ARRAY: " | jq('.') | first", OPEN: "([", CLOSE: "] | jq('.[0]') | first)", NUMBER: " | number('LONG')", FORM: " | toJson", COPY: " + []"}
# Filters that take the text form of anything.
OF_TEXT = {"base64encode", "endsWith", "indent", "lower", "nindent", "slugify", "startsWith", "string", "substringAfter", "substringAfterLast", "substringBefore",
           "substringBeforeLast", "upper", "regexExtract", "regexMatch", "regexReplace", "format"}
# Filters and functions whose result is of the kind of what they are given: what to give for a kind.
OF_ITEM = {"int": ["nums", "longs", "[4, 5]"], "text": ["words", "tlist", "dup", "hello", "'abc'"], "float": ["floats"], "bool": ["flags"], "map": ["recs"], "list": ["[[1], [2, 3]]", "[words]"],
           "date": ["[d1, d2]"], "null": ["nulls", "nolist"]}
OF_JSON = {"int": ["jnum"], "text": ["jstr"], "float": ["'1.5'"], "bool": ["ttrue", "'false'"], "map": ["jtext", "m | toJson"], "list": ["jlist", "words | toJson"], "null": ["tnull", "nil"], "date": ["jstr"]}
OF_SOURCE = {  # what yaml() and render() make a kind of
    "list": {"yaml": ["'- x\\n- y'".replace("\\n", "\n"), "jlist", "'[1, 2]'"], "render": ["words", "['{{ t42 }}', 'b']"]}, "map": {"yaml": ["ytext", "jtext", "'a: [1, 2]'"], "render": ["m", "flat"]},
    "text": {"yaml": ["'abc'", "'\"010\"'"], "render": ["'{{ n7 + 1 }}'", "hello", "'{{ \"{{ t42 }}\" }}'"]}, "int": {"yaml": ["t42", "'1_000'", "'010'"], "render": ["n7", "5"]},
    "bool": {"yaml": ["'yes'", "'off'", "ttrue"], "render": ["yes"]}, "float": {"yaml": ["'1.5'", "'.5'"], "render": ["pi"]}, "null": {"yaml": ["tnull", "'~'"], "render": ["nil"]},
}
OF_KIND = {"replace": ("text", "list", "map"), "escapeChar": ("text", "list", "map"), "slice": ("text", "list"), "merge": ("list", "map")}
SAME_SHAPE = {"replace", "escapeChar", "slice", "default", "sort", "rsort", "reverse"}
MARKED = {"split": ARRAY, "keys": ARRAY, "values": ARRAY, "timestampMicro": NUMBER, "timestampNano": NUMBER}

KINDS = ["int", "float", "bool", "text", "date", "list", "map", "null"]
# What a type of the table means here.
MEANS = {"text": ["text", "text", "date"], "int": ["int"], "float": ["float"], "number": ["int", "float"], "bool": ["bool"], "list": ["list"], "map": ["map"], "null": ["null"],
         "some": ["text", "int", "list", "map", "bool"], "any": ["text", "int", "float", "list", "map", "bool", "null", "date"]}
LITERALS = {
    "int": ["0", "1", "2", "3", "7", "10", "100", "-5", "42", "2L", "010", "9223372036854775807"],
    "float": ["0.5", "1.5", "2.0", "-3.25", "100.0", "1234.5678", "0.1"],
    "bool": ["true", "false", "TRUE", "FALSE"],
    "text": ["'abc'", '"d e"', "''", "'Hello'", '"x#{n7}y"', "'a b c'", "'10'", "' '", "'a\\'b'", '"#{hello | upper}"', "'caf\u00e9'", "'{{'", "'1.5'", '"#{n7 + 1}-#{words}"', "'{\"k\":1}'", "'a\\nb'"],
    "date": ["'2024-11-03T05:30:45Z'", "'2024-01-31'", "'2020-02-29T12:00:00.5+01:00'", "'2024-10-27T02:30:00'"],
    "list": ["[]", "[1, 2, 3]", "['a', 'b']", "[1, 'x', null]", "[[1], [2, 3]]", "[1.5, 2]", "[true]", "[{'a': 1}]", "1..4", f"('a'..'d'){ARRAY}"],
    # Written in the order in which Kestra's hash table prints them, so that the order says nothing.
    "map": ["{}", "{'a': 1}", "{'a': 1, 'b': 2}", "{'d': 'x', 'a': [1], 'b': null}", "{'k': {'j': 2}}"],
    "null": ["null", "none", "NULL"],
}
WRITTEN = {"int": ["nope"], "text": ["m.nope", "deep.k.x"], "list": ["nope.x", "words[9]"], "map": ["nope[0]"]}
PATHS = {
    "int": ["m.a", "nums[0]", "deep.k.l.m[1]", "recs[1].k", "m['a']", "people.ann.age", "loop.index", "longs[0]", "dotted['x.y']", "nums['1']"],
    "text": ["m.b", "words[1]", "recs[0].v", "flat.u", "dotted['my-id']", "mixed[1]", "flat['w']"], "null": ["m.c", "mixed[2]"],
    "list": ["deep.k.l.m", "nested[0]", "mixed[4]"], "map": ["deep.k", "recs[0]", "people.bob", "mixed[5]"], "float": ["floats[0]", "mixed[3]"], "bool": ["flags[0]"],
}
BETWEEN = {  # operators by the kind they give: (operator, kind of the left side, kind of the right side)
    "int": [("+", "int", "int"), ("-", "int", "int"), ("*", "int", "int"), ("/", "int", "int"), ("%", "int", "int")],
    "float": [("+", "float", "int"), ("-", "int", "float"), ("*", "float", "float"), ("/", "float", "int"), ("%", "float", "int"), ("*", "text", "int")],
    "bool": [("==", "int", "int"), ("==", "text", "text"), ("!=", "any", "any"), ("<", "int", "int"), (">", "int", "float"), ("<=", "float", "float"), (">=", "int", "int"), ("and", "bool", "bool"),
             ("or", "bool", "bool"), ("contains", "list", "any"), ("contains", "text", "text"), ("contains", "map", "text"), ("isIn", "any", "list"), ("equals", "text", "text"), ("==", "list", "list"),
             ("isIn", "text", "map"), ("==", "map", "map"), ("and", "int", "bool"), ("or", "text", "bool"), ("<", "null", "int"), ("contains", "list", "list"), ("==", "date", "date"), ("<", "text", "text")],
    "text": [("~", "text", "any"), ("~", "any", "text"), ("+", "text", "any"), ("~", "int", "int"), ("+", "int", "text"), ("~", "list", "text"), ("~", "date", "text")],
    "list": [("..", "int", "int"), ("+", "list", "any"), ("-", "list", "any"), ("+", "list", "list"), ("-", "list", "list")],
}
STEPS = ["", "", "", "-"]


class Generator:
    def __init__(self, seed, table, target="1.3"):
        self.seed = seed
        is_new = target == "2.0"
        self.filters, self.functions, self.tests = [], [], []
        for (kind, name), row in sorted(table.items()):
            if name in LEFT_OUT or row["refused"] or row["not_2_0" if is_new else "only_2_0"]:
                continue
            {"filter": self.filters, "function": self.functions, "test": self.tests}[kind].append((name, row))

    # --- expressions ------------------------------------------------------------------------------

    def pick(self, items):
        return self.random.choice(items)

    def chance(self, part):
        return self.random.random() < part

    def bracketed(self, expression):
        """In brackets, mostly: without them the precedences are what is asked."""
        return expression if self.chance(0.2) or re.fullmatch(r"[\w.]+|'[^']*'|\([^()]*\)", expression) else f"({expression})"

    def leaf(self, kind):
        if kind == "any":
            kind = self.pick(KINDS)
        self.kind = kind
        if self.chance(0.02) and kind in WRITTEN:
            return self.pick(WRITTEN[kind])
        if self.chance(0.2) and kind in PATHS:
            return self.pick(PATHS[kind])
        if self.chance(0.02):
            return self.pick(["dur", "ld", "inst"])
        if self.chance(0.35):
            return self.pick(LITERALS[kind])
        return self.pick(list(VALUES[kind]))

    def expression(self, kind, depth):
        if self.chance(1 / 25):
            kind = self.pick(KINDS)
        if kind == "any":
            kind = self.pick(KINDS)
        self.shape = None
        made = self.of_kind(kind, depth)
        self.kind, self.shape = self.shape or kind, None
        return made

    def as_text(self, kind, depth):
        """In brackets, for a place that takes its text: there a list or map is marked."""
        made = self.expression(kind, depth)
        return f"({made}{FORM})" if self.kind in ("list", "map") and re.match(r"[\w.\[\]']+$|\[[^{|]*\]$", made) else f"(({made}){FORM})" if self.kind in ("list", "map") else self.bracketed(made)

    def of_kind(self, kind, depth):
        if depth <= 0:
            return self.leaf(kind)
        ways = [self.by_filter, self.by_filter, self.by_filter, self.by_operator, self.by_function, self.by_choice]
        if kind == "bool":
            ways += [self.by_test, self.by_test, self.by_negation, self.by_operator]
        if kind in ("list", "map"):
            ways += [self.by_literal]
        if kind in ("int", "float"):
            ways += [self.by_sign]
        made = self.pick(ways)(kind, depth - 1)
        return made if made is not None else self.leaf(kind)

    def argument(self, name, param, type_, depth):
        special = ARGUMENTS.get((name, param), ARGUMENTS.get(("*", param)))
        # The text form of a list makes another expression of it than its JSON.
        if special and (param == "regex" or self.chance(0.85)):
            return self.pick(special)
        return self.expression(self.pick(MEANS[self.pick(type_.rstrip("?").split("|"))]), depth)

    def arguments(self, name, row, depth):
        written, is_named = [], False
        for index, (param, type_) in enumerate(row["params"]):
            if type_.endswith("?") and self.chance(0.55):
                is_named = True  # what comes after a gap needs its name
                continue
            value = self.argument(name, param, type_, depth)
            if is_named or self.chance(0.12):
                is_named = True
                value = f"{param}={value}"
            written.append(value)
            del index
        if name in ("max", "min") or (name == "format" and row["input"]):
            written = [self.expression(self.pick(["int", "float", "int", "text"] if name == "format" else ["int", "float"]), depth) for _ in range(self.random.randint(1, 3))]
        if self.chance(0.02):
            written.append(self.pick(["1", "zz=1", "'x'"]))
        return "(" + ", ".join(written) + ")" if written or self.chance(0.05) else ""

    def kinds_of(self, type_):
        return [kind for part in type_.rstrip("?").split("|") for kind in MEANS[part]]

    def by_filter(self, kind, depth):
        able = [(name, row) for name, row in self.filters if kind in self.kinds_of(row["result"]) and kind in OF_KIND.get(name, (kind,))]
        if not able:
            return None
        name, row = self.pick(able)
        special = ARGUMENTS.get((name, "input"))
        if special and self.chance(0.8):
            left = self.pick(special)
        elif name in ("first", "last") and kind in OF_ITEM and self.chance(0.85):
            left = self.pick(OF_ITEM[kind])
        elif name in OF_KIND or name == "default":
            left = self.expression(kind, depth)
        elif "date" in name or "timestamp" in name:
            left = self.expression(self.pick(["date", "date", "date", "int"]), depth - 1)
        elif name in OF_TEXT:
            left = self.as_text(self.pick(self.kinds_of(row["input"])), depth)
        else:
            left = self.expression(self.pick(self.kinds_of(row["input"])), depth)
        shape = self.kind if name in SAME_SHAPE else "list" if name == "jq" else None
        if name in ("sort", "rsort", "reverse"):
            left = f"({left}){COPY}"
        made = f"| {name}{self.arguments(name, row, depth - 1)}"
        self.shape = shape
        if name in ("first", "last"):
            return f"{OPEN}({left}) {made}{CLOSE}"
        return f"{self.bracketed(left)} {made}{MARKED.get(name, '')}"

    def by_function(self, kind, depth):
        able = [(name, row) for name, row in self.functions if kind in self.kinds_of(row["result"])]
        if not able:
            return None
        name, row = self.pick(able)
        if name in UNSTABLE:
            return self.pick(UNSTABLE[name])
        if name in ("fromJson", "json") and kind in OF_JSON:
            return f"{name}({self.pick(OF_JSON[kind])})"
        if name in ("render", "renderOnce", "yaml") and kind in OF_SOURCE:
            return f"{name}({self.pick(OF_SOURCE[kind]['yaml' if name == 'yaml' else 'render'])})"
        return f"{name}{self.arguments(name, row, depth - 1) or '()'}{ARRAY if name == 'range' else ''}"

    def by_test(self, kind, depth):
        name, row = self.pick(self.tests)
        word = self.pick(["is", "is", "is not"])
        return f"{self.bracketed(self.expression(self.pick(self.kinds_of(row['input'])), depth))} {word} {name}"

    def by_negation(self, kind, depth):
        return "not " + self.bracketed(self.expression("bool", depth))

    def by_sign(self, kind, depth):
        return self.pick(["-", "+"]) + self.bracketed(self.expression(kind, depth))

    def by_operator(self, kind, depth):
        if kind not in BETWEEN:
            return None
        operator, left, right = self.pick(BETWEEN[kind])
        operand = self.as_text if kind == "text" else lambda of, at: self.bracketed(self.expression(of, at))
        return f"{operand(left, depth)} {operator} {operand(right, depth)}"

    def by_choice(self, kind, depth):
        way = self.random.random()
        if way < 0.35:
            return f"{self.bracketed(self.expression('bool', depth))} ? {self.bracketed(self.expression(kind, depth))} : {self.bracketed(self.expression(kind, depth))}"
        left = self.pick(["nope", "nil", "m.c", "m.nope", "empty", self.expression(kind, depth)])
        if way < 0.8:
            return f"{self.bracketed(left)} {self.pick(['??', '??', '???'])} {self.bracketed(self.expression(kind, depth))}"
        return f"{self.bracketed(left)} | default({self.expression(kind, depth)})"

    def by_literal(self, kind, depth):
        if kind == "list":
            return "[" + ", ".join(self.expression("any", depth - 1) for _ in range(self.random.randint(0, 3))) + "]"
        keys = self.pick([["k"], ["a", "b"], ["d", "a", "b"]])
        return "{" + ", ".join(f"'{key}': {self.expression('any', depth - 1)}" for key in keys) + "}"

    # --- templates --------------------------------------------------------------------------------

    def printed(self, depth):
        kind = self.pick(["text", "text", "int", "bool", "list", "map", "float", "any"])
        made = self.as_text(kind, depth) if self.is_inside else self.expression(kind, depth)
        return "{{%s %s %s}}" % (self.pick(STEPS), made, self.pick(STEPS))

    def piece(self, depth):
        return self.pick([" ", "a", "\n", "x: ", "", "=", " b\n "])

    def template(self, depth):
        way = self.random.random()
        inner = lambda: "".join(self.pick([self.piece, self.printed])(1) for _ in range(self.random.randint(1, 2)))  # noqa: E731
        dash = self.pick(STEPS)
        if way < 0.22:
            chosen = "{%% elseif %s %%}%s" % (self.expression("bool", 1), inner()) if self.chance(0.3) else ""
            other = "{% else %}" + inner() if self.chance(0.5) else ""
            return "{%%%s if %s %s%%}%s%s%s{%% endif %%}" % (dash, self.expression("bool", 2), dash, inner(), chosen, other)
        if way < 0.5:
            body = self.pick(["{{ x }}", "{{ loop.index }}:{{ x }} ", "{{ x }}{{ loop.last ? '' : ',' }}", "{% if loop.first %}>{% endif %}{{ x }}", "{{ loop.length }}/{{ loop.revindex }} ",
                              "{{ x.key }}={{ x.value }};", "{% set acc = acc ~ x %}{{ acc }}", "{% for y in x %}{{ y }}{% endfor %}", "{{ x | toJson }}", "{{ x ~ '' }}"]) + self.pick(["", inner()])
            before = "{% set acc = '' %}" if "acc" in body else ""
            other = "{% else %}none" if self.chance(0.3) else ""
            kind = "map" if "x.key" in body else "list"
            over = self.expression(kind, 2)
            if "merge" in over and "acc" in body:
                over = "recs"  # in another order every step has another text
            return "%s{%% for x in %s %%}%s%s{%% endfor %%}" % (before, over, body, other)
        if way < 0.65:
            return "{%% set v = %s %%}%s{{ v }}" % (self.expression("any", 2), inner())
        if way < 0.75 and not self.is_typed:
            self.kind = self.pick(KINDS)
            q = self.pick([text for text in LITERALS[self.kind] if "#{" not in text])  # a macro sees no variables
            q_form = FORM if self.kind in ("list", "map") else ""
            p = self.expression("any", 1)
            p_form = FORM if self.kind in ("list", "map") else ""
            return "{%% macro f(p, q=%s) %%}<{{ p%s }}|{{ q%s }}>{%% endmacro %%}{{ f(%s) }}%s" % (
                q, p_form, q_form, p, self.pick(["", "{{ f('z', q=n7) }}", "{{ f() }}"] if not p_form + q_form else [""]))
        self.is_inside = 0.65 < way < 0.9
        if 0.75 < way < 0.85:
            name, row = self.pick([f for f in self.filters if "text" in self.kinds_of(f[1]["input"]) and not [p for p in f[1]["params"] if not p[1].endswith("?")]])
            return "{%% filter %s %%}%s{%% endfilter %%}" % (name, inner())
        if way < 0.9:
            return "{% block b %}" + inner() + "{% endblock %}" + self.pick(["", "{{ block('b') }}"])
        if way < 0.94:
            return self.pick(["{% raw %}{{ x }}{% endraw %}", "{% verbatim %} {{ y }} {%- endverbatim -%} ", "{# note #}", "{#- note -#} "]) + inner()
        return "".join(self.pick([self.piece, self.printed])(2) for _ in range(self.random.randint(2, 4)))

    def damaged(self, text):
        at = self.random.randrange(len(text))
        way = self.pick(["drop", "double", "insert", "swap"])
        if way == "drop":
            return text[:at] + text[at + 1:]
        if way == "double":
            return text[:at] + text[at] + text[at:]
        if way == "insert":
            return text[:at] + self.pick(["(", ")", "{", "}", "'", '"', "#", "|", "!", "&&", " not ", ".", ",", "[", "%}", "{{", "}}", "-", "=", "?", "\\"]) + text[at:]
        return text[:at] + text[at:at + 2][::-1] + text[at + 2:]

    def of_template(self, number, template):
        """A template that was written by hand, as a case."""
        words = set(re.findall(r"\w+", template))
        return {"id": f"written/{number}", "mode": "string", "expr": template, "plain": template, "vars": {name: value for name, value in VARS.items() if name in words}}

    def case(self, number):
        self.random = random.Random(f"{self.seed}/{number}")
        self.is_inside = False
        mode = self.random.choices(["string", "typed", "condition", "object", "convert", "recursive"], [60, 22, 5, 4, 6, 3])[0]
        self.is_typed = mode == "typed"
        case = {"id": f"{self.seed}/{number}", "mode": mode}
        depth = self.random.choices([1, 2, 3, 4], [3, 5, 3, 1])[0]
        whole = "{{ " + self.expression("any", depth) + " }}"
        if mode == "convert":
            case["type"] = self.pick(sorted(CONVERT))
            case["expr"] = self.pick(CONVERT[case["type"]])
        elif mode == "object":
            case["expr"] = {"k": whole, "l": [self.printed(1), self.printed(1) + "x", 5], self.pick(["p", "{{ one }}"]): self.pick([True, None, 1.5, "plain"])}
        elif mode == "typed" and self.chance(0.85):
            case["expr"] = whole
        else:
            case["expr"] = whole if self.chance(0.5) else self.template(depth)
        if mode in ("string", "typed") and self.chance(0.05):
            case["expr"] = self.damaged(re.sub("[\ue000-\ue005]", "", case["expr"]))
        case["plain"] = case["expr"]
        for form, place in (("expr", lambda mark: ""), ("plain", MADE_PLAIN.get)):
            text = json.dumps(case[form], ensure_ascii=False)
            case[form] = json.loads(re.sub("[\ue000-\ue005]", lambda found: place(found.group()), text))
        words = set(re.findall(r"\w+", json.dumps(case["expr"], ensure_ascii=False)))
        case["vars"] = {name: value for name, value in VARS.items() if name in words}
        return case
