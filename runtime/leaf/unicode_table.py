#!/usr/bin/env python3
"""Writes unicode_table.h: case mappings and base letters from the Unicode data of this Python."""
import os
import unicodedata

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "unicode_table.h")


def ranges(mapping):
    """(first, last, stride, delta) over sorted pairs with the same delta and stride 1 or 2."""
    rows = []
    for point in sorted(mapping):
        delta = mapping[point] - point
        if rows:
            row = rows[-1]
            gap = point - row[1]
            if delta == row[3] and gap in (1, 2) and (row[2] in (0, gap)):
                row[1], row[2] = point, gap
                continue
        rows.append([point, point, 0, delta])
    return [(a, b, max(s, 1), d) for a, b, s, d in rows]


def simple(method):
    found = {}
    for point in range(0x80, 0x110000):
        if 0xD800 <= point < 0xE000:
            continue
        mapped = getattr(chr(point), method)()
        if len(mapped) == 1 and mapped != chr(point):
            found[point] = ord(mapped)
    return found


def special(method):
    found = []
    for point in range(0x80, 0x110000):
        if 0xD800 <= point < 0xE000:
            continue
        mapped = getattr(chr(point), method)()
        if len(mapped) > 1:
            found.append((point, mapped.encode()))
    return found


def bases():
    found = {}
    for point in list(range(0xC0, 0x250)) + list(range(0x1E00, 0x1F00)):
        base = unicodedata.normalize("NFD", chr(point))[0]
        if base != chr(point) and base.isascii() and base.isalpha():
            found[point] = base
    return found


def c_bytes(raw):
    return '"' + "".join("\\x%02x" % b for b in raw) + '"'


with open(OUT, "w", encoding="ascii") as out:
    out.write("// unicode_table.h - written by unicode_table.py from Unicode %s; not for editing.\n"
              % unicodedata.unidata_version)
    out.write("// clang-format off\n#ifndef FLOW_LEAF_UNICODE_TABLE_H\n#define FLOW_LEAF_UNICODE_TABLE_H\n\n#include <stdint.h>\n\n")
    out.write("""typedef struct CaseRange {
    uint32_t first, last;
    int32_t stride, delta;
} CaseRange;

typedef struct CaseSpecial {
    uint32_t point;
    char text[8];
} CaseSpecial;

typedef struct BaseLetter {
    uint16_t point;
    char base;
} BaseLetter;

""")
    uppercase = simple("upper")
    title_only = {p: t for p, t in simple("title").items() if uppercase.get(p) != t}
    for name, mapping in (("upper", simple("upper")), ("lower", simple("lower")), ("title", title_only)):
        out.write("static const CaseRange %s_ranges[] = {\n" % name)
        for row in ranges(mapping):
            out.write("    {0x%x, 0x%x, %d, %d},\n" % row)
        out.write("};\n\n")
    out.write("static const CaseSpecial upper_specials[] = {\n")
    for point, raw in special("upper"):
        out.write("    {0x%x, %s},\n" % (point, c_bytes(raw)))
    out.write("};\n\nstatic const BaseLetter base_letters[] = {\n")
    for point, base in sorted(bases().items()):
        out.write("    {0x%x, '%s'},\n" % (point, base))
    out.write("};\n\n#endif\n")
