"""explained.py - where this implementation leaves Kestra on purpose, each with its line of the language page (section 15) or of
the design (section 20).

An explanation is one of two things. A *rewriting* takes the peculiarity out of the case (an instant becomes its text, an
integer of 32 bits one of 64, an array a list): Kestra is asked again, and the difference is explained where it then says what
we say. A *predicate* looks at the two answers. Both are as narrow as can be; what none of them explains is a fault.
"""

import base64
import json
import re

# --- rewritings -----------------------------------------------------------------------------------


def is_long(value):
    return isinstance(value, dict) and set(value) == {"$long"}


def instants_as_text(value):
    if isinstance(value, dict) and len(value) == 1:
        mark, text = next(iter(value.items()))
        if mark in ("$instant", "$localdate", "$duration"):
            return text
    if isinstance(value, dict):
        return {key: instants_as_text(item) for key, item in value.items()}
    return [instants_as_text(item) for item in value] if isinstance(value, list) else value


def integers_as_long(value):
    if is_long(value):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return {"$long": value}
    if isinstance(value, dict):
        return {key: integers_as_long(item) for key, item in value.items()}
    return [integers_as_long(item) for item in value] if isinstance(value, list) else value


def rewrite_values(change):
    return lambda case: {**case, "vars": change(case["vars"])}


def plain(case):
    return {**case, "expr": case["plain"]}


def all_of(case):
    return plain({**case, "vars": integers_as_long(instants_as_text(case["vars"]))})


# Asked in this order; the last takes all peculiarities out at once.
REWRITINGS = [
    ("4.1", "dates and durations are ISO texts", rewrite_values(instants_as_text)),
    ("15.1", "one type of integers", rewrite_values(integers_as_long)),
    ("15.2", "one type of lists, no arrays, sets and characters; 15.11: timestampMicro and timestampNano give integers", plain),
    ("15.1, 15.2, 4.1", "several of these at once", all_of),
]

# --- predicates -----------------------------------------------------------------------------------

PREDICATES = []


def explains(where, what):
    def keep(function):
        PREDICATES.append((where, what, function))
        return function

    return keep


def explain(case, theirs, ours):
    """The first predicate that applies: (where, what), or None."""
    for where, what, function in PREDICATES:
        if function(case, theirs, ours):
            return where, what
    return None


def text_of(answer):
    if "error" in answer:
        return None
    value = answer.get("text") if "text" in answer else answer.get("value")
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def source(case):
    return case["expr"] if isinstance(case["expr"], str) else json.dumps(case["expr"], ensure_ascii=False)


def failure(theirs):
    return "\n".join(theirs.get("error", ()))


@explains("15.1", "overflow is an error")
def overflows(case, theirs, ours):
    return "error" not in theirs and "error" in ours and re.search(r"64 bits|overflow", ours["error"]["message"]) is not None


@explains("15.1", "integers of any origin are accepted wherever an integer is")
def integer_of_32_bits(case, theirs, ours):
    return "error" not in ours and re.search(r"class java.lang.(Integer|Long) cannot be cast to class java.lang.(Integer|Long|String)|IllegalFormatConversionException: c != java.lang.Long", failure(theirs)) is not None


@explains("15.1", "integers of any origin are dates")
def date_of_32_bits(case, theirs, ours):
    # Java leaves out the text of an exception that is thrown often.
    return "error" not in ours and "ClassCastException: null" in failure(theirs) and re.search("timestamp|date", source(case)) is not None


@explains("15.3", "maps keep source order")
def other_order(case, theirs, ours):
    a, b = text_of(theirs), text_of(ours)
    return a is not None and b is not None and re.search(r"\{|merge|replace", source(case)) is not None and a != b and sorted(a) == sorted(b)


def without_form(text):
    """A text in which Java's form of lists and maps and their JSON are the same."""
    text = re.sub(r'\\+"|"', "", text)
    text = re.sub(r"[\w.-]+[:=]null(, ?)?", "", text)
    return re.sub(r"[:=]", "=", re.sub(r",? +|,", ",", text)).replace(",}", "}").translate({ord(c): None for c in "{}"})


@explains("15.4", "lists and maps are JSON in every text")
def text_form(case, theirs, ours):
    a, b = text_of(theirs), text_of(ours)
    if a is None or b is None or a == b:
        return False
    if "base64encode" in source(case):
        try:
            a, b = base64.b64decode(a).decode(), base64.b64decode(b).decode()
        except ValueError:
            return False
    return without_form(a) == without_form(b) or (re.search(r"\{|merge", source(case)) is not None and sorted(without_form(a)) == sorted(without_form(b)))


@explains("15.5", "undefined passes through operators")
def undefined_passes(case, theirs, ours):
    return "error" not in ours and re.search(r"AttributeNotFound|Unable to find", failure(theirs)) is not None and re.search(r"\?\?|default|is (not )?defined", source(case)) is not None


@explains("15.6", "no more arguments, and no other ones, than are declared")
def takes_no_argument(case, theirs, ours):
    return "error" not in theirs and "error" in ours and re.search("takes no argument|has no argument", ours["error"]["message"]) is not None


@explains("15.8", "a condition is one expression")
def joined_condition(case, theirs, ours):
    return case["mode"] == "condition" and "error" in ours and "a condition is one expression" in ours["error"]["message"]


@explains("15.6", "a number format with digits in two places is refused")
def broken_number_format(case, theirs, ours):
    return "error" in ours and "a number format has a digit behind its number" in ours["error"]["message"]


@explains("15.6", "a type that does not exist is refused, even where nothing asks for it")
def unknown_type(case, theirs, ours):
    return "error" not in theirs and "error" in ours and re.match("'type' of '(number|escapeChar)' is", ours["error"]["message"]) is not None


@explains("18", "limits of our own")
def limited(case, theirs, ours):
    return "error" in ours and ours["error"]["kind"] == "limit"


@explains("20", "text is counted in UTF-16 units, and no pair is cut in two")
def cuts_pair(case, theirs, ours):
    is_cut = "error" in ours and "cut a character in two" in ours["error"]["message"]
    return is_cut or re.search("[\ud800-\udfff]", json.dumps(theirs, ensure_ascii=False)) is not None


@explains("20.1", "what 2.0 has is known in the base language, too")
def of_2_0(case, theirs, ours):
    names = "dayOf(Month|Week)|hourOfDay|monthOfYear|isDayWeekInMonth|isLastWorkingDay|isWeekend|env|loopOutputs|regex(Match|Replace|Extract)"
    return re.search(rf"\[({names})\] does not exist", failure(theirs)) is not None


@explains("20", "regular expressions are PCRE2")
def regex_of_java(case, theirs, ours):
    return "error" not in ours and "PatternSyntaxException" in failure(theirs)


@explains("15.6", "what can never succeed is refused, in branches that are not evaluated, too")
def refused_in_dead_branch(case, theirs, ours):
    return ("error" not in theirs and "error" in ours and ours["error"]["kind"] in ("reject", "arg", "type", "value", "unknown-filter", "unknown-function", "unknown-test")
            and re.search(r"\?|\band\b|\bor\b|\{%-? *(if|for|macro|else)", source(case)) is not None)


@explains("15.1", "big integers and decimals are refused")
def big_number(case, theirs, ours):
    return "error" not in theirs and "error" in ours and re.search(r"'-?\d{19,}' is no number", ours["error"]["message"]) is not None


@explains("15.1", "integers and fractions are one kind of number: a list of both can be sorted")
def sorts_mixed_numbers(case, theirs, ours):
    return "error" not in ours and re.search(r"class java.lang.(Long|Integer|Double) cannot be cast to class java.lang.(Double|Long|Integer)", failure(theirs)) is not None and "sort" in source(case)


@explains("15.11", "integers are dates by their size")
def large_date(case, theirs, ours):
    return re.search("big|9223372036854775807|millis|secs", source(case)) is not None and re.search("date|timestamp", source(case)) is not None and "error" not in ours


@explains("15, principle", "null for an optional argument: it is not given")
def null_argument(case, theirs, ours):
    return "error" not in ours and re.search("NullPointerException.*(booleanValue|intValue|longValue)", failure(theirs)) is not None


@explains("15.1", "a size may have 64 bits")
def large_chunk(case, theirs, ours):
    is_large = re.search("big|9223372036854775807", source(case)) is not None
    if is_large and "error" not in theirs and "error" not in ours:
        return "abbreviate" in source(case)
    return "error" not in ours and re.search("chunk|abbreviate", source(case)) is not None and re.search("IllegalArgumentException: null|Invalid argument to abbreviate", failure(theirs)) is not None


@explains("15.1", "a number of a group may have 64 bits")
def large_group(case, theirs, ours):
    return (re.search("Group index", failure(theirs)) is not None or "error" in ours and "'group' of 'regexExtract'" in ours["error"]["message"]) and re.search("big|9223372036854775807|millis|secs", source(case)) is not None


@explains("10", "letters of date patterns beyond those of the table, and 4 times z, are refused")
def pattern_letters(case, theirs, ours):
    return "error" in ours and re.match("the date pattern has", ours["error"]["message"]) is not None and re.search("zzzz|[pBFWwqQecLOV]", source(case)) is not None


@explains("15.1", "2 and 2.0 are the same number, in lists, too")
def removes_number(case, theirs, ours):
    return ("error" not in theirs and "error" not in ours and re.search(r"[-=]|contains|distinct", source(case)) is not None and re.search(r"\d\.\d|half|whole|floats|mixed|fneg|huge|pi|tiny", source(case)) is not None
            and isinstance(text_of(theirs), str) and set(re.findall(r"\d+(?:\.\d+)?", text_of(ours))) < set(re.findall(r"\d+(?:\.\d+)?", text_of(theirs))))


@explains("15, principle", "what works is accepted: null in a list or map")
def null_inside(case, theirs, ours):
    return "error" not in ours and re.search("NullPointerException|Null key for a Map", failure(theirs)) is not None and re.search("isIn|replace|escapeChar|merge", source(case)) is not None


@explains("5", "jq is libjq")
def program_of_jq(case, theirs, ours):
    return "error" not in ours and "Unable to parse jq value" in failure(theirs)


@explains("5", "libjq knows one kind of numbers")
def number_of_jq(case, theirs, ours):
    a, b = text_of(theirs), text_of(ours)
    return a is not None and b is not None and "jq" in source(case) and re.sub(r"\.0\b", "", a) == re.sub(r"\.0\b", "", b)


@explains("15, principle", "null is no key of a map: it becomes the text 'null'")
def null_key(case, theirs, ours):
    return text_of(ours) is not None and "null" in text_of(ours) and "merge" in source(case)


@explains("15.11", "timestampMicro and timestampNano give integers, which are dates")
def date_of_timestamp(case, theirs, ours):
    return ("error" not in ours and re.search("timestamp(Micro|Nano)", source(case)) is not None
            and re.search("DateTimeParseException|String cannot be cast to class java.lang.Long", failure(theirs)) is not None)


@explains("15.2", "keys, values and empty lists are lists like others")
def other_collections(case, theirs, ours):
    return "error" not in ours and re.search(r"LinkedValues|KeySet|UnsupportedOperationException|HashMap\$(Values|Node)|ImmutableCollections|java.lang.Character|Unsupported input type for sort|Need a string to hash|is not a Map/List/Array|\[Ljava.lang", failure(theirs)) is not None


@explains("15.11", "FLOAT is a float of 64 bits")
def single_precision(case, theirs, ours):
    a, b = (None if text_of(one) is None else without_form(text_of(one)) for one in (theirs, ours))
    number = r"-?\d[\d.eE+-]*"
    if a is None or b is None or "number" not in source(case) or re.sub(number, "", a) != re.sub(number, "", b):
        return False
    pairs = zip(re.findall(number, a), re.findall(number, b))
    return all(x == y or re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", x) and abs(float(x) - float(y)) <= 1e-6 * abs(float(x)) for x, y in pairs)


@explains("15.11", "leading zeros are decimal")
def leading_zero(case, theirs, ours):
    return "number" in source(case) and re.search(r"\b0\d", source(case)) is not None and "error" not in theirs and "error" not in ours


@explains("15.11", "number takes numbers as they are")
def number_of_number(case, theirs, ours):
    return "error" not in ours and "'number' filter can only be applied to String" in failure(theirs)


@explains("15.11", "JSON has to be there and to end where the text ends")
def strict_json(case, theirs, ours):
    asks = re.search(r"is (not )?json|[jJ]son\(|jq", source(case)) is not None
    refuses = "error" in ours and re.search("not JSON|something stands behind", ours["error"]["message"]) is not None
    return asks and "error" not in theirs and (refuses or "is json" in source(case) or "is not json" in source(case))


@explains("15.11", "distinct of null is null")
def distinct_null(case, theirs, ours):
    return "distinct" in source(case) and re.search("nil|null|m.c|NULL|none", source(case)) is not None


@explains("15, principle", "escapeChar and replace go into maps in lists")
def leaves_deeper(case, theirs, ours):
    return "error" not in ours and re.search(r"Map cannot be cast to class java.lang.String|List cannot be cast to class java.lang.String", failure(theirs)) is not None and "escapeChar" in source(case)


@explains("15, principle", "what means nothing is refused: merging null into what is no list or map")
def merges_null(case, theirs, ours):
    return "error" not in theirs and "error" in ours and "'merge' takes a list or a map" in ours["error"]["message"]


@explains("15.9", "typed mode never guesses JSON")
def guesses_json(case, theirs, ours):
    if case["mode"] != "typed" or "error" in theirs:
        return False
    if "error" in ours:
        return "keeps its type only where nothing else is printed" in ours["error"]["message"]
    return isinstance(ours.get("value"), str) and not isinstance(theirs.get("value"), str)


# --- reductions -----------------------------------------------------------------------------------

# What hides the text it is made of: with a plain filter in its place both are asked again, and what explains the difference
# of the texts explains that of their hashes.
HIDES = re.compile(r"\b(md5|sha1|sha256|sha512|base64encode|urlencode|slugify|length|upper|title|capitalize|lower|string|json|toJson|yaml|trim|nl2br|abbreviate\([^()]*\)|slice(\([^()]*\))?)(?= *[|}%~)+,:?\]])")


def reduced(case):
    return {**case, "expr": HIDES.sub("string", case["expr"])} if isinstance(case["expr"], str) else case
