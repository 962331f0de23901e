"""Sixty templates that ask for too much: each ends within its budget, with a message that names the limit."""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flowtest

# A second of CPU time and what starting, a busy machine and a sanitizer add to it.
SECONDS = 60
# What a message says of a limit: a number with what it counts, or that there is one.
NAMED = ("more than", "longer than", "deeper than", "than it may have", "too deep", "too long", "too large", "too many", "at most", "limit", "no access to",
         "nested")


def doubled(what, times=45, how="x ~ x"):
    return "{%% set x = %s %%}" % what + "".join("{%% set x = %s %%}" % how for _ in range(times)) + "{{ x | length }}"


def nested(levels, body):
    for level in range(levels):
        body = "{%% for i%d in range(1, 1000) %%}%s{%% endfor %%}" % (level, body)
    return body


TEMPLATES = {
    "range of 2^40": "{{ range(1, 1099511627776) }}",
    "range of all integers": "{{ range(0, 9223372036854775807) | length }}",
    "range operator": "{{ (1..1099511627776) | length }}",
    "range with a tiny step": "{{ range(0, 9000000000, 1) | last }}",
    "range downwards": "{{ range(9000000000, 0, -1) | first }}",
    "two nested ranges of a million": "{% for i in range(1, 1000000) %}{% for k in range(1, 1000000) %}{% endfor %}{% endfor %}",
    "four nested ranges": nested(4, "x"),
    "eight nested ranges": nested(8, ""),
    "nested ranges that add": nested(4, "{{ 1 + 1 }}"),
    "nested ranges that filter": nested(4, "{{ 'a' | upper }}"),
    "nested ranges with dates": nested(4, "{{ '2024-01-01T00:00:00Z' | date('yyyy') }}"),
    "nested ranges with a condition": nested(4, "{% if i0 == 1 %}a{% endif %}"),
    "text doubled 45 times": doubled("'a'"),
    "list doubled 45 times": doubled("[1]", how="x + x"),
    "list of lists": doubled("[1]", how="[x, x]").replace("x | length", "x | toJson | length"),
    "map of maps": doubled("{'a': 1}", how="{'a': x, 'b': x}").replace("x | length", "x | toJson | length"),
    "text doubled by replace": doubled("'ab'", how="x | replace({'a': x})"),
    "text doubled by join": doubled("'ab'", how="[x, x, x, x] | join(x)", times=20),
    "text doubled by format": doubled("'ab'", how="'%s%s' | format(x, x)"),
    "JSON escaped again and again": doubled("'\"'", how="x | toJson"),
    "base64 again and again": doubled("'abc'", how="(x ~ x) | base64encode"),
    "indent by 2^40": "{{ 'a\nb' | indent(1099511627776) }}",
    "nindent by a billion": "{{ 'a' | nindent(1000000000) }}",
    "format with a width of 2^40": "{{ '%1099511627776s' | format('a') }}",
    "format with a width of a billion": "{{ '%1000000000d' | format(1) }}",
    "number format with a million digits": "{{ 1 | numberFormat('" + "0" * 6000 + "') }}",
    "chunks of a huge range": "{{ range(1, 9000000000) | chunk(2) }}",
    "join of a huge range": "{{ range(1, 9000000000) | join(',') }}",
    "100 MB by a loop": "{% for i in range(1, 1000000) %}" + "x" * 200 + "{% endfor %}",
    "100 MB by two loops": "{% for i in range(1, 1000) %}{% for k in range(1, 1000) %}" + "y" * 200 + "{% endfor %}{% endfor %}",
    "macro that calls itself": "{% macro m(x) %}{{ m(x) }}{% endmacro %}{{ m(1) }}",
    "macros that call each other": "{% macro a(x) %}{{ b(x) }}{% endmacro %}{% macro b(x) %}{{ a(x) }}{% endmacro %}{{ a(1) }}",
    "macro that doubles": "{% macro m(x) %}{{ m(x ~ x) }}{{ m(x ~ x) }}{% endmacro %}{{ m('a') }}",
    "macros ten levels deep, ten calls each": "".join(
        "{%% macro m%d(x) %%}%s{%% endmacro %%}" % (n, ("{{ m%d(x) }}" % (n - 1)) * 10 if n else "abc") for n in range(10)
    ) + "{{ m9(1) }}",
    "render that renders itself": "{{ render(self) }}",
    "renderOnce that renders itself": "{{ renderOnce(once) }}",
    "regex (a+)+": "{{ a | regexMatch('^(a+)+$') }}",
    "regex (a|aa)+": "{{ a | regexMatch('^(a|aa)+$') }}",
    "regex of nested stars": "{{ a | regexMatch('^((a*)*)*[bc]$') }}",
    "regex with back references": "{{ a | regexMatch('^(a+)+\\1+\\1+[bc]$') }}",
    "regex in replace": "{{ a | replace({'^(a+)+$': 'x'}, regexp=true) }}",
    "regex in split": "{{ a | split('(a+)+$') }}",
    "regex in extract": "{{ a | regexExtract('^(a+)+$') }}",
    "regex in a loop": "{% for i in range(1, 1000000) %}{{ a | regexMatch('(a+)+b$') }}{% endfor %}",
    "regex that is large": "{{ a | regexMatch('(((((a{1,1000}){1,1000}){1,1000}){1,1000}){1,1000})') }}",
    "deep JSON": "{{ fromJson(deep) }}",
    "deep JSON as input of jq": "{{ deep | jq('.') }}",
    "deep YAML": "{{ yaml(deep) }}",
    "deep brackets": "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
    "deep lists": "{{ " + "[" * 3000 + "]" * 3000 + " }}",
    "long chain of not": "{{ " + "not " * 1900 + "true }}",
    "a piece of 100 KB": "{{ '" + "a" * 100000 + "' }}",
    "deep tags": "{% if true %}" * 3000 + "{% endif %}" * 3000,
    "jq that never ends": "{{ 1 | jq('def f: f; f') }}",
    "jq that recurses": "{{ 1 | jq('def f: [f]; f') }}",
    "jq over an infinite range": "{{ 1 | jq('[range(0; infinite)]') }}",
    "jq that never gives anything": "{{ 1 | jq('last(range(0; infinite))') }}",
    "jq that nests a million lists": "{{ 1 | jq('reduce range(1000000) as $i (null; [.])') }}",
    "jq with 100 MB of results": "{{ 1 | jq('[range(20000000)] | tostring') }}",
    "jq asks for the environment": "{{ 1 | jq('env') }}",
    "jq asks for $ENV": "{{ 1 | jq('\"\\($ENV.PATH)\"') }}",
    "jq includes a file": "{{ 1 | jq('include \"x\"; .') }}",
    "jq imports a file": "{{ 1 | jq('import \"x\" as x; .') }}",
    "jq program of brackets": "{{ 1 | jq('" + "[" * 3000 + "1" + "]" * 3000 + "') }}",
    "jq in a loop": "{% for i in range(1, 100000) %}{{ i | jq('[range(3000)] | add') }}{% endfor %}",
}
CONTEXT = {
    "a": "a" * 40 + "!",
    "deep": "[" * 100000,
    "self": "{{ render(self) }}",
    "once": "{{ renderOnce(once) }}",
}


def ask(template):
    line = json.dumps({"id": 1, "expr": template, "vars": CONTEXT})
    start = time.monotonic()
    done = flowtest.run([flowtest.FLOWC, "eval", "--batch", "-"], input=line + "\n", timeout=SECONDS)
    assert done.returncode == 0, f"status {done.returncode}: {done.stderr[-500:]}"
    return json.loads(done.stdout), time.monotonic() - start


def why_wrong(name):
    try:
        answer, seconds = ask(TEMPLATES[name])
    except Exception as problem:  # noqa: B902 - a hang or crash is the finding
        return f"{name}: {str(problem)[:300]}", 0
    error = answer.get("error")
    if not error:
        return f"{name}: it gave a result of {len(answer['text'])} characters", seconds
    if not any(word in error["message"] for word in NAMED):
        return f"{name}: the message names no limit: {error['kind']}: {error['message'][:300]}", seconds
    return None, seconds


def test_every_hostile_template_ends_with_the_limit_named():
    if not Path(flowtest.FLOWC).exists():
        flowtest.skip("flowc is not built")
    assert len(TEMPLATES) >= 60
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(why_wrong, TEMPLATES))
    slowest = sorted(zip((seconds for _, seconds in found), TEMPLATES), reverse=True)[:3]
    print("slowest: " + ", ".join(f"{name} {seconds:.1f} s" for seconds, name in slowest))
    wrong = [why for why, _ in found if why]
    assert not wrong, "\n".join(wrong)


flowtest.main()
