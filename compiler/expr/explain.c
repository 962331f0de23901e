// explain.c - what is wrong with a piece that does not parse, and what was expected there.
//
// tree-sitter tells that there is an error and roughly where. The reason is found here by a walk
// over the tokens that knows two states, before a value and behind one, and the open brackets. It
// stops at the first token that cannot stand where it stands; that is the finding.
#include <string.h>

#include "base/utf8.h"
#include "expr/piece.h"

typedef enum Context {
    IN_GROUP,
    IN_ARGUMENTS,
    IN_INDEX,
    IN_LIST,
    IN_MAP,
    IN_TERNARY,  // between `?` and `:`
} Context;

typedef struct Open {
    Context context;
    size_t at;
} Open;

typedef enum Want {
    WANT_VALUE,
    WANT_OPERATOR,   // behind a value
    WANT_ATTRIBUTE,  // behind `.`
    WANT_FILTER,     // behind `|`
    WANT_TEST,       // behind `is`, `is not`
} Want;

typedef struct Scan {
    Reader *reader;
    Str text;      // up to the end of the piece
    size_t at;     // the token
    size_t end;    // behind it
    size_t start;  // of the expression
    Want want;
    Str before;  // the token before, for messages
    bool is_callable, is_literal, is_text, is_bare_name, is_first_in_bracket;
    Open open[TEMPLATE_DEPTH_MAX * 2];
    uint32_t open_count;
    bool has_found;
} Scan;

static Diag *found(Scan *scan, size_t start, size_t end, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static Diag *found(Scan *scan, size_t start, size_t end, const char *format, ...) {
    Buffer message = {0};
    va_list args;
    va_start(args, format);
    buffer_vprintf(&message, format, args);
    va_end(args);
    Diag *diag =
        diag_add(scan->reader->diags, "E0315", DIAG_ERROR, reader_span(scan->reader, start, end),
                 STR_FMT, STR_ARG(buffer_str(&message)));
    buffer_release(&message);
    scan->has_found = true;
    return diag;
}

static void fix(Scan *scan, Diag *diag, size_t start, size_t end, const char *text) {
    DiagSuggestion *suggestion = diag_suggestion(diag, false, "write '%s'", text);
    diag_edit(diag, suggestion, reader_span(scan->reader, start, end), str_from(text));
}

// --- tokens -------------------------------------------------------------------------------------

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_name_start(char c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

// True at one of the typographic quotes, the no-break space and the like: not a letter.
static bool is_typographic(Str text, size_t at, size_t *end) {
    static const uint32_t points[] = {0x2018, 0x2019, 0x201A, 0x201C, 0x201D, 0x201E,
                                      0x2032, 0x2033, 0xAB,   0xBB,   0x2013, 0x2014};
    *end = at;
    uint32_t point = utf8_next(text, end);
    for (size_t i = 0; i < COUNT(points); i++) {
        if (point == points[i]) return true;
    }
    return false;
}

static size_t name_end(Str text, size_t at) {
    size_t end = 0;
    while (at < text.len && (is_name_start(text.ptr[at]) || is_digit(text.ptr[at]))) {
        if ((unsigned char)text.ptr[at] >= 0x80 && is_typographic(text, at, &end)) break;
        at++;
    }
    return at;
}

static size_t skip_space(Str text, size_t at) {
    while (at < text.len && is_template_space(text.ptr[at])) at++;
    return at;
}

static Str token(const Scan *scan) {
    return str_slice(scan->text, scan->at, scan->end);
}

static char peek(const Scan *scan, size_t at) {
    return at < scan->text.len ? scan->text.ptr[at] : '\0';
}

// The length of the operator at `at`, the longest; 0 where there is none.
static size_t operator_len(Str text, size_t at) {
    static const char *const operators[] = {"???", "??", "==", "!=", "<=", ">=", "..", "<",
                                            ">",   "+",  "-",  "*",  "/",  "%",  "~"};
    for (size_t i = 0; i < COUNT(operators); i++) {
        Str op = str_from(operators[i]);
        if (str_starts_with(str_slice(text, at, text.len), op)) return op.len;
    }
    return 0;
}

static const char *closing_of(Context context) {
    switch (context) {
    case IN_GROUP:
    case IN_ARGUMENTS:
        return ")";
    case IN_INDEX:
    case IN_LIST:
        return "]";
    case IN_MAP:
        return "}";
    case IN_TERNARY:
        return ":";
    }
    return "";
}

static const char *opening_of(Context context) {
    switch (context) {
    case IN_GROUP:
    case IN_ARGUMENTS:
        return "(";
    case IN_INDEX:
    case IN_LIST:
        return "[";
    case IN_MAP:
        return "{";
    case IN_TERNARY:
        return "?";
    }
    return "";
}

static void open_bracket(Scan *scan, Context context) {
    if (scan->open_count < COUNT(scan->open)) {
        scan->open[scan->open_count++] = (Open){context, scan->at};
    }
    scan->want = WANT_VALUE;
    scan->is_first_in_bracket = context != IN_TERNARY;
}

static void have_value(Scan *scan) {
    scan->want = WANT_OPERATOR;
    scan->is_callable = scan->is_literal = scan->is_text = scan->is_bare_name = false;
}

// --- what cannot stand there --------------------------------------------------------------------

// Spellings of other languages.
static bool foreign_operator(Scan *scan) {
    static const struct {
        const char *written, *instead;
    } rows[] = {
        {"&&",  "and"},
        {"||",  "or" },
        {"===", "==" },
        {"!==", "!=" },
        {"<>",  "!=" },
        {"=>",  NULL },
    };
    Str rest = str_slice(scan->text, scan->at, scan->text.len);
    for (size_t i = 0; i < COUNT(rows); i++) {
        Str written = str_from(rows[i].written);
        if (!str_starts_with(rest, written)) continue;
        size_t end = scan->at + written.len;
        if (rows[i].instead == NULL) {
            found(scan, scan->at, end,
                  "'" STR_FMT "' is not part of expressions; there are no arrow functions",
                  STR_ARG(written));
            return true;
        }
        Diag *diag = found(scan, scan->at, end, "'" STR_FMT "' is no operator; use '%s'",
                           STR_ARG(written), rows[i].instead);
        fix(scan, diag, scan->at, end, rows[i].instead);
        return true;
    }
    return false;
}

static void bad_character(Scan *scan) {
    size_t end = scan->at;
    char c = peek(scan, scan->at);
    if (is_typographic(scan->text, scan->at, &end)) {
        found(scan, scan->at, end,
              "'" STR_FMT "' is a typographic character; quotes are ' or \", minus is -",
              STR_ARG(str_slice(scan->text, scan->at, end)));
    } else if (c == '$') {
        found(scan, scan->at, end, "unexpected '$'; a variable is written without it");
    } else if (c == '`') {
        found(scan, scan->at, end, "unexpected '`'; texts stand in ' or \"");
    } else if (c == '#') {
        found(scan, scan->at, end, "unexpected '#'; '#{ }' works inside double quotes only");
    } else if ((unsigned char)c < 0x20) {
        found(scan, scan->at, end, "unexpected control character 0x%02x", (unsigned)c);
    } else {
        found(scan, scan->at, end, "unexpected '" STR_FMT "'",
              STR_ARG(str_slice(scan->text, scan->at, end)));
    }
}

static void missing_value(Scan *scan) {
    size_t at = scan->at;
    if (at < scan->text.len) {
        size_t end = at;
        (void)utf8_next(scan->text, &end);
        size_t op = operator_len(scan->text, at);
        if (op > 0) end = at + op;
        Str text = str_slice(scan->text, at, end);
        if (scan->before.len > 0) {
            found(scan, at, end, "expected a value behind '" STR_FMT "', found '" STR_FMT "'",
                  STR_ARG(scan->before), STR_ARG(text));
        } else {
            found(scan, at, end, "expected a value, found '" STR_FMT "'", STR_ARG(text));
        }
        return;
    }
    if (scan->before.len == 0) {
        found(scan, scan->start, at, "expected an expression, found nothing");
        return;
    }
    size_t start = (size_t)(scan->before.ptr - scan->text.ptr);
    found(scan, start, start + scan->before.len, "expected a value behind '" STR_FMT "'",
          STR_ARG(scan->before));
}

static void unclosed_bracket(Scan *scan) {
    const Open *open = &scan->open[scan->open_count - 1];
    if (open->context == IN_TERNARY) {
        found(scan, open->at, open->at + 1, "'?' needs ': value' behind the first value");
        return;
    }
    found(scan, open->at, open->at + 1, "'%s' is not closed; expected '%s'",
          opening_of(open->context), closing_of(open->context));
}

static void unclosed_text(Scan *scan) {
    size_t end = scan->text.len;
    while (end > scan->at + 1 && is_template_space(scan->text.ptr[end - 1])) end--;
    found(scan, scan->at, end, "the text is not closed; expected %s",
          peek(scan, scan->at) == '"' ? "'\"'" : "\"'\"");
}

// --- the walk -----------------------------------------------------------------------------------

static void close_bracket(Scan *scan, char c) {
    bool was_first = scan->is_first_in_bracket;
    while (scan->open_count > 0 && scan->open[scan->open_count - 1].context == IN_TERNARY) {
        unclosed_bracket(scan);
        return;
    }
    if (scan->open_count == 0) {
        found(scan, scan->at, scan->at + 1, "'%c' closes nothing", c);
        return;
    }
    Open open = scan->open[scan->open_count - 1];
    if (closing_of(open.context)[0] != c) {
        Diag *diag = found(scan, scan->at, scan->at + 1, "expected '%s', found '%c'",
                           closing_of(open.context), c);
        diag_label(diag, reader_span(scan->reader, open.at, open.at + 1), "opened here");
        return;
    }
    bool may_be_empty = open.context != IN_GROUP && open.context != IN_INDEX;
    if (scan->want != WANT_OPERATOR && !(was_first && may_be_empty)) {
        if (str_eq(scan->before, STR(","))) {
            size_t comma = (size_t)(scan->before.ptr - scan->text.ptr);
            Diag *diag = found(scan, comma, comma + 1, "a comma before '%c' is not allowed", c);
            fix(scan, diag, comma, comma + 1, "");
        } else {
            missing_value(scan);
        }
        return;
    }
    scan->open_count--;
    have_value(scan);
    scan->is_literal = open.context == IN_LIST || open.context == IN_MAP;
    scan->end = scan->at + 1;
}

static void before_value(Scan *scan) {
    Str text = scan->text;
    char c = peek(scan, scan->at);
    if (c == '"' || c == '\'') {
        size_t end = quoted_end(text, scan->at);
        if (end == STR_NOT_FOUND) {
            unclosed_text(scan);
            return;
        }
        scan->end = end;
        have_value(scan);
        scan->is_text = true;
    } else if (is_digit(c)) {
        while (is_digit(peek(scan, scan->end))) scan->end++;
        if (peek(scan, scan->end) == '.' && is_digit(peek(scan, scan->end + 1))) {
            for (scan->end++; is_digit(peek(scan, scan->end));) scan->end++;
        } else if (peek(scan, scan->end) == 'L') {
            scan->end++;
        }
        have_value(scan);
        size_t end = name_end(text, scan->end);
        if (end > scan->end) {
            found(scan, scan->at, end,
                  "'" STR_FMT "' is no number: there is no exponent, no hexadecimal form, and the "
                  "suffix of long integers is a capital L",
                  STR_ARG(str_slice(text, scan->at, end)));
        }
    } else if (c == '(' || c == '[' || c == '{') {
        scan->end = scan->at + 1;
        open_bracket(scan, c == '(' ? IN_GROUP : c == '[' ? IN_LIST : IN_MAP);
    } else if (c == ')' || c == ']' || c == '}') {
        close_bracket(scan, c);
    } else if (c == '+' || c == '-') {
        scan->end = scan->at + 1;
    } else if (c == '!') {
        Diag *diag = found(scan, scan->at, scan->at + 1, "'!' is no operator; use 'not'");
        fix(scan, diag, scan->at, scan->at + 1, "not ");
    } else if (c == '.' && is_digit(peek(scan, scan->at + 1))) {
        Diag *diag =
            found(scan, scan->at, scan->at + 2, "a number needs a digit before the decimal point");
        fix(scan, diag, scan->at, scan->at, "0");
    } else if (!foreign_operator(scan)) {
        size_t end = 0;
        if (scan->at == text.len || operator_len(text, scan->at) > 0 || strchr(",:=|?.", c)) {
            missing_value(scan);
        } else if (is_typographic(text, scan->at, &end) || !is_name_start(c)) {
            bad_character(scan);
        }
    }
}

static void value_word(Scan *scan) {
    Str word = token(scan);
    if (str_eq(word, STR("not"))) return;
    if (word_is_operator(word)) {
        scan->end = scan->at;
        found(scan, scan->at, scan->at + word.len,
              "expected a value, found the operator '" STR_FMT "'", STR_ARG(word));
        return;
    }
    have_value(scan);
    scan->is_callable = !word_is_constant(word);
    scan->is_bare_name = true;
}

static void operator_word(Scan *scan) {
    Str word = token(scan);
    if (str_eq(word, STR("is"))) {
        scan->want = WANT_TEST;
        size_t next = skip_space(scan->text, scan->end);
        size_t end = name_end(scan->text, next);
        if (str_eq(str_slice(scan->text, next, end), STR("not"))) scan->end = end;
        return;
    }
    if (word_is_operator(word) && !str_eq(word, STR("not"))) {
        scan->want = WANT_VALUE;
        return;
    }
    if (str_eq(word, STR("in"))) {
        Diag *diag = found(scan, scan->at, scan->end, "'in' is no operator; use 'isIn'");
        fix(scan, diag, scan->at, scan->end, "isIn");
    } else if (str_eq(word, STR("not"))) {
        found(scan, scan->at, scan->end,
              "'not' stands before a value; for 'a not in b' write 'not (a isIn b)'");
    } else if (scan->is_text) {
        found(scan, scan->at, scan->end,
              "expected an operator behind the text, found '" STR_FMT
              "'; a quote inside a text is written as \\' or \\\"",
              STR_ARG(word));
    } else {
        found(scan, scan->at, scan->end,
              "expected an operator behind '" STR_FMT "', found '" STR_FMT "'",
              STR_ARG(scan->before), STR_ARG(word));
    }
}

static void open_behind_value(Scan *scan, char c) {
    scan->end = scan->at + 1;
    if (c == '(' && !scan->is_callable) {
        found(scan, scan->at, scan->at + 1, "only a name can be called");
    } else if (c == '(') {
        open_bracket(scan, IN_ARGUMENTS);
    } else if (scan->is_literal) {
        found(scan, scan->at, scan->at + 1,
              "a list or map cannot be indexed directly; put it in parentheses");
    } else {
        open_bracket(scan, IN_INDEX);
    }
}

static void comma_or_colon(Scan *scan, char c) {
    Context context = scan->open_count > 0 ? scan->open[scan->open_count - 1].context : IN_GROUP;
    scan->end = scan->at + 1;
    if (c == ':' && context == IN_TERNARY) {
        scan->open_count--;
    } else if (c == ':' && context != IN_MAP) {
        found(scan, scan->at, scan->end, "unexpected ':'; it belongs into a map or behind '?'");
        return;
    } else if (c == ',' && context == IN_TERNARY) {
        unclosed_bracket(scan);
        return;
    } else if (c == ',' && (scan->open_count == 0 || context == IN_GROUP || context == IN_INDEX)) {
        found(scan, scan->at, scan->end, "unexpected ','; a list is written in [ ]");
        return;
    }
    scan->want = WANT_VALUE;
}

static void behind_value(Scan *scan) {
    char c = peek(scan, scan->at);
    size_t op = operator_len(scan->text, scan->at);
    if (scan->at == scan->text.len) return;
    if (foreign_operator(scan)) return;
    if (op > 0) {
        scan->end = scan->at + op;
        scan->want = WANT_VALUE;
    } else if (c == '(' || c == '[') {
        open_behind_value(scan, c);
    } else if (c == ')' || c == ']' || c == '}') {
        close_bracket(scan, c);
    } else if (c == ',' || c == ':') {
        comma_or_colon(scan, c);
    } else if (c == '|' || c == '.') {
        scan->end = scan->at + 1;
        scan->want = c == '|' ? WANT_FILTER : WANT_ATTRIBUTE;
        if (c == '.' && scan->is_literal) {
            found(scan, scan->at, scan->end,
                  "a list or map has no attributes as it stands; put it in parentheses");
        }
    } else if (c == '?') {
        scan->end = scan->at + 1;
        open_bracket(scan, IN_TERNARY);
    } else if (c == '=') {
        bool is_argument = scan->is_bare_name && scan->open_count > 0 &&
                           scan->open[scan->open_count - 1].context == IN_ARGUMENTS;
        scan->end = scan->at + 1;
        scan->want = WANT_VALUE;
        if (!is_argument) {
            Diag *diag = found(scan, scan->at, scan->end, "'=' does not compare; use '=='");
            fix(scan, diag, scan->at, scan->end, "==");
        }
    } else if (c == '"' || c == '\'') {
        found(scan, scan->at, scan->at + 1,
              scan->is_text ? "two texts side by side; join them with '~'; a quote inside a text "
                              "is written as \\' or \\\""
                            : "expected an operator before the text");
    } else if (is_digit(c)) {
        found(scan, scan->at, scan->at + 1, "expected an operator before the number");
    } else {
        bad_character(scan);
    }
}

// Behind `.`, `|`, `is`: a name, and for filters and tests perhaps arguments.
static void want_name(Scan *scan) {
    static const char *const what[] = {"", "", "the name of an attribute", "the name of a filter",
                                       "the name of a test"};
    if (scan->end > scan->at) {
        Str name = token(scan);
        if (word_is_operator(name)) {
            Diag *diag = found(scan, scan->at, scan->end, "'" STR_FMT "' is an operator, not %s",
                               STR_ARG(name), what[scan->want]);
            if (scan->want == WANT_ATTRIBUTE) {
                diag_note(diag, "as the key of a map it is written in brackets: [\"" STR_FMT "\"]",
                          STR_ARG(name));
            }
            return;
        }
        have_value(scan);
        scan->is_callable = true;
        return;
    }
    char c = peek(scan, scan->at);
    if (scan->want == WANT_ATTRIBUTE && is_digit(c)) {
        found(scan, scan->at, scan->at + 1,
              "an element of a list is written in brackets: '[%c]', not '.%c'", c, c);
    } else if (scan->at == scan->text.len) {
        size_t start = (size_t)(scan->before.ptr - scan->text.ptr);
        found(scan, start, start + scan->before.len, "expected %s behind '" STR_FMT "'",
              what[scan->want], STR_ARG(scan->before));
    } else {
        size_t end = scan->at;
        (void)utf8_next(scan->text, &end);
        found(scan, scan->at, end, "expected %s behind '" STR_FMT "', found '" STR_FMT "'",
              what[scan->want], STR_ARG(scan->before),
              STR_ARG(str_slice(scan->text, scan->at, end)));
    }
}

static void step(Scan *scan) {
    size_t ignored = 0;
    bool was_first = scan->is_first_in_bracket;
    bool is_word = scan->at < scan->text.len && is_name_start(peek(scan, scan->at)) &&
                   !is_typographic(scan->text, scan->at, &ignored);
    scan->end = is_word ? name_end(scan->text, scan->at) : scan->at;
    if (scan->want == WANT_ATTRIBUTE || scan->want == WANT_FILTER || scan->want == WANT_TEST) {
        want_name(scan);
    } else if (is_word && scan->want == WANT_VALUE) {
        value_word(scan);
    } else if (is_word) {
        operator_word(scan);
    } else if (scan->want == WANT_VALUE) {
        before_value(scan);
    } else {
        behind_value(scan);
    }
    // What opened a bracket has set the flag anew.
    if (was_first && scan->open_count > 0 && scan->open[scan->open_count - 1].at != scan->at) {
        scan->is_first_in_bracket = false;
    }
    if (scan->want == WANT_OPERATOR) scan->is_first_in_bracket = false;
}

static void walk(Scan *scan) {
    while (!scan->has_found) {
        scan->at = skip_space(scan->text, scan->at);
        if (scan->at == scan->text.len && scan->want == WANT_OPERATOR) break;
        step(scan);
        if (scan->has_found) return;
        if (scan->end == scan->at) return;  // nothing was read: leave it to the parser's own place
        scan->before = token(scan);
        scan->at = scan->end;
    }
    if (!scan->has_found && scan->open_count > 0) unclosed_bracket(scan);
}

// --- tags ---------------------------------------------------------------------------------------

static bool take_word(Scan *scan, Str *word) {
    scan->at = skip_space(scan->text, scan->at);
    scan->end = scan->at;
    if (scan->at < scan->text.len && is_name_start(peek(scan, scan->at))) {
        scan->end = name_end(scan->text, scan->at);
    }
    *word = token(scan);
    scan->before = *word;
    bool is_there = scan->end > scan->at;
    scan->at = scan->end;
    return is_there;
}

static void explain_for(Scan *scan) {
    Str name, in;
    if (!take_word(scan, &name)) {
        found(scan, scan->start, scan->at, "expected a variable behind 'for'");
        return;
    }
    size_t at = skip_space(scan->text, scan->at);
    if (peek(scan, at) == ',') {
        found(scan, at, at + 1,
              "a loop has one variable; over a map, its entries have '.key' and '.value'");
        return;
    }
    if (!take_word(scan, &in) || !str_eq(in, STR("in"))) {
        size_t end = scan->end > at ? scan->end : at;
        found(scan, at, end, "expected 'in' behind 'for " STR_FMT "'", STR_ARG(name));
        return;
    }
    scan->start = scan->at;
    scan->want = WANT_VALUE;
    walk(scan);
}

static void explain_set(Scan *scan) {
    Str name;
    if (!take_word(scan, &name)) {
        found(scan, scan->start, scan->at, "expected a variable behind 'set'");
        return;
    }
    size_t at = skip_space(scan->text, scan->at);
    if (peek(scan, at) == '.' || peek(scan, at) == '[') {
        found(scan, at, at + 1, "only a variable can be set, not a part of one");
        return;
    }
    if (peek(scan, at) != '=') {
        found(scan, scan->start, scan->at,
              "expected '= value' behind 'set " STR_FMT "'; there is no block form", STR_ARG(name));
        return;
    }
    scan->before = STR("=");
    scan->before.ptr = scan->text.ptr + at;
    scan->start = scan->at = at + 1;
    walk(scan);
}

static void explain_tag(Scan *scan) {
    Str word;
    if (!take_word(scan, &word)) return;
    if (str_eq(word, STR("for"))) {
        explain_for(scan);
    } else if (str_eq(word, STR("set"))) {
        explain_set(scan);
    } else if (str_eq(word, STR("if")) || str_eq(word, STR("elseif"))) {
        walk(scan);
    } else if (str_eq(word, STR("filter"))) {
        scan->want = WANT_FILTER;
        walk(scan);
    } else if (str_eq(word, STR("macro"))) {
        found(scan, scan->start, scan->text.len,
              "expected 'macro name(parameter, parameter = value)'");
    } else if (str_eq(word, STR("block"))) {
        found(scan, scan->start, scan->text.len, "expected a name behind 'block'");
    } else {
        size_t at = skip_space(scan->text, scan->at);
        found(scan, at, scan->text.len, "'" STR_FMT "' takes nothing behind it", STR_ARG(word));
    }
}

void explain(Reader *reader, const Piece *piece, size_t fallback_start, size_t fallback_end) {
    Scan scan = {.reader = reader,
                 .text = str_slice(reader->text, 0, piece->to),
                 .at = piece->from,
                 .start = piece->from};
    while (scan.text.len > piece->from && is_template_space(scan.text.ptr[scan.text.len - 1])) {
        scan.text.len--;
    }
    size_t first = skip_space(scan.text, piece->from);
    if (first == scan.text.len) {
        found(&scan, piece->start, piece->end, "expected an expression, found nothing");
        return;
    }
    scan.start = first;
    if (piece->kind == PIECE_TAG) {
        explain_tag(&scan);
    } else {
        walk(&scan);
    }
    if (scan.has_found) return;
    Str text = str_slice(reader->text, fallback_start, fallback_end);
    if (text.len > 40) text.len = 40;
    found(&scan, fallback_start, fallback_end, "cannot read '" STR_FMT "' here", STR_ARG(text));
}
