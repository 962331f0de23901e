// type.h - the types of the expression language: a small lattice, and what else is known of an
// expression.
//
// Types are immutable, live in an arena and may be shared. `never ≤ T ≤ any`. A union has at most
// eight members, none of them a union or contained in another; beyond that it is `any`. Rules yield
// `any` on `any` and never report on `any` alone. `number` is `int | float`; `T?` is `T | null`.
#ifndef FLOW_TYPE_TYPE_H
#define FLOW_TYPE_TYPE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/str.h"
#include "value/convert.h"

typedef enum TypeTag {
    TYPE_TAG_ANY,
    TYPE_TAG_NEVER,
    TYPE_TAG_NULL,
    TYPE_TAG_BOOL,
    TYPE_TAG_INT,
    TYPE_TAG_FLOAT,
    TYPE_TAG_TEXT,
    TYPE_TAG_LIST,
    TYPE_TAG_MAP,
    TYPE_TAG_RECORD,
    TYPE_TAG_UNION,
} TypeTag;

typedef enum TextKind {
    TEXT_PLAIN,
    TEXT_LITERALS,  // one of `literals`
    TEXT_DATETIME,
    TEXT_DATE,
    TEXT_TIME,
    TEXT_DURATION,
    TEXT_URI,
    TEXT_FILE,      // a uri into internal storage or namespace files
    TEXT_JSON,      // its JSON content has type `item`
    TEXT_TEMPLATE,  // holds `{{` and was not rendered
} TextKind;

typedef struct Type Type;

typedef struct TypeField {
    Str name;
    const Type *type;
    bool is_optional;
} TypeField;

struct Type {
    TypeTag tag;
    TextKind text;            // of TEXT
    const Type *item;         // of LIST, MAP, TEXT_JSON
    const TypeField *fields;  // of RECORD
    const Str *literals;      // of TEXT_LITERALS, sorted
    const Type *const *members;
    uint32_t count;  // of fields, literals, members
    bool is_open;    // of RECORD: there may be other fields
};

enum { TYPE_MEMBERS_MAX = 8, TYPE_LITERALS_MAX = 64 };

// --- making -------------------------------------------------------------------------------------

const Type *type_any(void);
const Type *type_never(void);
const Type *type_null(void);
const Type *type_bool(void);
const Type *type_int(void);
const Type *type_float(void);
const Type *type_number(void);
const Type *type_text(TextKind kind);  // not LITERALS, JSON (gives json<any>)
const Type *type_list(Arena *arena, const Type *item);
const Type *type_map(Arena *arena, const Type *item);
// The fields are borrowed.
const Type *type_record(Arena *arena, const TypeField *fields, uint32_t count, bool is_open);
const Type *type_json(Arena *arena, const Type *content);
const Type *type_literal(Arena *arena, Str text);
// More than TYPE_LITERALS_MAX, or none: plain text.
const Type *type_literals(Arena *arena, const Str *texts, uint32_t count);
const Type *type_optional(Arena *arena, const Type *type);  // T | null
// Of an input; `item` of ARRAY and MULTISELECT. A FORM is an open record. SECRET is plain text: its
// taint is the caller's.
const Type *type_of_input(Arena *arena, InputType type, InputType item);
// The most exact type of a constant.
const Type *type_of_value(Arena *arena, Value value);

// --- asking -------------------------------------------------------------------------------------

bool type_equal(const Type *a, const Type *b);
bool type_is_any(const Type *type);
// True where every value of `type` is of `wanted`.
bool type_accepts(const Type *wanted, const Type *type);
// True where no value is of both. Numbers compare by value, so int and float are not disjoint.
bool type_disjoint(const Type *a, const Type *b);
// True where a value of `type` can have that tag (any can have each).
bool type_may_be(const Type *type, TypeTag tag);
// True where every value has that tag; false for never.
bool type_must_be(const Type *type, TypeTag tag);
// `string`, `int?`, `list<"a" | "b">`, `{id: string, n?: int, …}`; with `is_secret`: `secret<…>`.
void type_print(const Type *type, bool is_secret, Buffer *out);
Str type_to_text(Arena *arena, const Type *type);

// --- calculating --------------------------------------------------------------------------------

const Type *type_join(Arena *arena, const Type *a, const Type *b);
const Type *type_meet(Arena *arena, const Type *a, const Type *b);
const Type *type_without_null(Arena *arena, const Type *type);
// What is left of `type` where it is known not to be of `out`; literals are taken out one by one.
const Type *type_without(Arena *arena, const Type *type, const Type *out);
// Element of a list, value of a map or record, either where it is a union; never where nothing can
// be iterated.
const Type *type_element(Arena *arena, const Type *type);

typedef enum Certainty { CERTAINLY_NOT, MAYBE, CERTAINLY } Certainty;

typedef struct TypeMember {
    const Type *type;      // never where it cannot be there
    Certainty is_there;    // of a value of that name or index
    bool is_error;         // some member of the type has no members at all (text, number, bool)
    bool is_error_always;  // every one
} TypeMember;

// `value.name` and `value[index]` (as text).
TypeMember type_member(Arena *arena, const Type *type, Str name);

// --- expressions --------------------------------------------------------------------------------

typedef enum Taint { TAINT_NONE, TAINT_DERIVED, TAINT_SECRET } Taint;

// How certain the type is; an error needs every source to be at most SOURCE_CATALOG.
typedef enum TypeSource {
    SOURCE_LITERAL,
    SOURCE_DECLARED,
    SOURCE_CATALOG,
    SOURCE_INFERRED,
    SOURCE_UNKNOWN,
} TypeSource;

enum {
    HAS_SECRET = 1,
    HAS_KV = 2,
    HAS_FILE = 4,
    HAS_HTTP = 8,
    HAS_ENV = 16,
    HAS_CLOCK = 32,
    HAS_RANDOM = 64,
    HAS_LOG = 128,
    HAS_CONTEXT = 256,
};

// All that is known of an expression.
typedef struct Typed {
    const Type *type;
    Certainty undef;   // that it is undefined
    Str undef_path;    // what is not there
    Str undef_reason;  // why, for a note
    Taint taint;
    uint32_t effects;  // HAS_ bits
    TypeSource source;
} Typed;

Typed typed_of(const Type *type, TypeSource source);
Typed typed_unknown(void);  // any, of unknown source: silent everywhere
// What holds after one of two ways, of which either may be taken.
Typed typed_join(Arena *arena, Typed a, Typed b);
// Taint, effects and source of an operand carried on to a result of type `type`.
Typed typed_carry(Typed result, Typed operand);

#endif
