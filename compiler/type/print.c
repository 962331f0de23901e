// print.c - types in the words of the user: `string`, `list<int>`, `"a" | "b"`, `secret<string>`.
#include "type/type.h"

static void print_one(const Type *type, Buffer *out, uint32_t depth);

static void print_text(const Type *type, Buffer *out, uint32_t depth) {
    static const char *const names[] = {
        [TEXT_PLAIN] = "string",      [TEXT_LITERALS] = "string", [TEXT_DATETIME] = "datetime",
        [TEXT_DATE] = "date",         [TEXT_TIME] = "time",       [TEXT_DURATION] = "duration",
        [TEXT_URI] = "uri",           [TEXT_FILE] = "file",       [TEXT_JSON] = "json",
        [TEXT_TEMPLATE] = "template",
    };
    enum { SHOWN = 6 };
    if (type->text != TEXT_LITERALS) {
        buffer_add(out, str_from(names[type->text]));
        if (type->text != TEXT_JSON) return;
        buffer_add_char(out, '<');
        print_one(type->item, out, depth + 1);
        buffer_add_char(out, '>');
        return;
    }
    for (uint32_t i = 0; i < type->count && i < SHOWN; i++) {
        if (i > 0) buffer_add(out, STR(" | "));
        buffer_add_json(out, type->literals[i]);
    }
    if (type->count > SHOWN) buffer_add(out, STR(" | …"));
}

static void print_record(const Type *type, Buffer *out, uint32_t depth) {
    enum { SHOWN = 8, DEPTH = 3 };
    if (depth > DEPTH) {
        buffer_add(out, STR("{…}"));
        return;
    }
    buffer_add_char(out, '{');
    for (uint32_t i = 0; i < type->count && i < SHOWN; i++) {
        if (i > 0) buffer_add(out, STR(", "));
        buffer_add(out, type->fields[i].name);
        buffer_add(out, type->fields[i].is_optional ? STR("?: ") : STR(": "));
        print_one(type->fields[i].type, out, depth + 1);
    }
    if (type->is_open || type->count > SHOWN) {
        buffer_add(out, type->count > 0 ? STR(", …") : STR("…"));
    }
    buffer_add_char(out, '}');
}

static bool is_number_part(const Type *type, bool has_both) {
    return has_both && (type->tag == TYPE_TAG_INT || type->tag == TYPE_TAG_FLOAT);
}

// `int | float` is `number`; null comes last, as `?` where one other member is left.
static void print_union(const Type *type, Buffer *out, uint32_t depth) {
    bool has_both = type_may_be(type, TYPE_TAG_INT) && type_may_be(type, TYPE_TAG_FLOAT);
    bool has_null = type_may_be(type, TYPE_TAG_NULL);
    uint32_t printed = 0;
    if (has_both) {
        buffer_add(out, STR("number"));
        printed++;
    }
    for (uint32_t i = 0; i < type->count; i++) {
        const Type *member = type->members[i];
        if (member->tag == TYPE_TAG_NULL || is_number_part(member, has_both)) continue;
        if (printed++ > 0) buffer_add(out, STR(" | "));
        print_one(member, out, depth);
    }
    if (!has_null) return;
    buffer_add(out, printed == 1 ? STR("?") : STR(" | null"));
}

static void print_one(const Type *type, Buffer *out, uint32_t depth) {
    switch (type->tag) {
    case TYPE_TAG_ANY:
        buffer_add(out, STR("any"));
        break;
    case TYPE_TAG_NEVER:
        buffer_add(out, STR("never"));
        break;
    case TYPE_TAG_NULL:
        buffer_add(out, STR("null"));
        break;
    case TYPE_TAG_BOOL:
        buffer_add(out, STR("bool"));
        break;
    case TYPE_TAG_INT:
        buffer_add(out, STR("int"));
        break;
    case TYPE_TAG_FLOAT:
        buffer_add(out, STR("float"));
        break;
    case TYPE_TAG_TEXT:
        print_text(type, out, depth);
        break;
    case TYPE_TAG_LIST:
    case TYPE_TAG_MAP:
        buffer_add(out, type->tag == TYPE_TAG_LIST ? STR("list<") : STR("map<"));
        print_one(type->item, out, depth + 1);
        buffer_add_char(out, '>');
        break;
    case TYPE_TAG_RECORD:
        print_record(type, out, depth);
        break;
    case TYPE_TAG_UNION:
        print_union(type, out, depth);
        break;
    }
}

void type_print(const Type *type, bool is_secret, Buffer *out) {
    if (is_secret) buffer_add(out, STR("secret<"));
    print_one(type, out, 0);
    if (is_secret) buffer_add_char(out, '>');
}

Str type_to_text(Arena *arena, const Type *type) {
    Buffer out = {0};
    type_print(type, false, &out);
    Str text = buffer_to_str(&out, arena);
    buffer_release(&out);
    return text;
}
