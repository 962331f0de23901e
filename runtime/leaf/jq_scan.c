// jq_scan.c - which names a jq program calls, as far as has to be known before it is run.
//
// Reads jq's tokens, not its grammar: fields (`.env`), keys (`{env: 1}`, `{env}`), texts and
// comments are no calls, code inside `\(…)` of a text is. What is not balanced is left to jq's own
// compiler.
#include <string.h>

#include "leaf/jq_program.h"

enum { BRACKETS_MAX = 200 };

typedef struct Scanner {
    Str text;
    size_t at;
    char brackets[BRACKETS_MAX];  // ( [ { and " for a text that has code in it
    int depth;
    char previous;  // the token before, 'a' for a name
    bool uses_clock;
    Err err;
} Scanner;

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static char peek(const Scanner *scanner, size_t more) {
    size_t at = scanner->at + more;
    return at < scanner->text.len ? scanner->text.ptr[at] : '\0';
}

static void skip_blanks(Scanner *scanner) {
    for (;;) {
        char c = peek(scanner, 0);
        if (c == '#') {
            while (scanner->at < scanner->text.len && peek(scanner, 0) != '\n') scanner->at++;
        } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            scanner->at++;
        } else {
            return;
        }
    }
}

static void open_bracket(Scanner *scanner, char c) {
    if (scanner->depth == BRACKETS_MAX) {
        scanner->err = err_make(ERR_LIMIT, "a jq program is nested deeper than %d", BRACKETS_MAX);
        return;
    }
    scanner->brackets[scanner->depth++] = c;
}

// The reader stands inside a text: to its end, or to the code in it.
static void skip_text(Scanner *scanner) {
    while (scanner->at < scanner->text.len) {
        char c = peek(scanner, 0);
        scanner->at++;
        if (c == '"') return;
        if (c != '\\') continue;
        c = peek(scanner, 0);
        scanner->at++;
        if (c == '(') {
            open_bracket(scanner, '"');
            scanner->previous = '(';
            return;
        }
    }
}

static void close_bracket(Scanner *scanner) {
    if (scanner->depth == 0) return;
    if (scanner->brackets[--scanner->depth] == '"') {
        skip_text(scanner);
        scanner->previous = '"';
    }
}

static Str read_name(Scanner *scanner) {
    size_t start = scanner->at;
    while (is_letter(peek(scanner, 0)) || is_digit(peek(scanner, 0))) scanner->at++;
    return str_slice(scanner->text, start, scanner->at);
}

static bool is_among(Str name, const char *const names[], size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (str_eq(name, str_from(names[i]))) return true;
    }
    return false;
}

// A name between `{` or `,` and `:`, `,` or `}` of an object is a key.
static bool is_key(Scanner *scanner) {
    if (scanner->depth == 0 || scanner->brackets[scanner->depth - 1] != '{') return false;
    if (scanner->previous != '{' && scanner->previous != ',') return false;
    skip_blanks(scanner);
    char c = peek(scanner, 0);
    return c == ',' || c == '}' || (c == ':' && peek(scanner, 1) != ':');
}

static void refuse(Scanner *scanner, const char *before, Str name) {
    scanner->err = err_make(ERR_REFUSED,
                            "a jq program has no access to '%s" STR_FMT "': it sees its input and "
                            "nothing else",
                            before, STR_ARG(name));
}

static void scan_name(Scanner *scanner) {
    static const char *const closed[] = {
        "env",        "input",      "inputs",         "input_filename", "input_line_number",
        "import",     "include",    "debug",          "stderr",         "halt",
        "halt_error", "modulemeta", "get_search_list"};
    static const char *const clocks[] = {"now", "localtime", "strflocaltime"};
    Str name = read_name(scanner);
    if (!is_key(scanner)) {
        if (is_among(name, closed, COUNT(closed))) refuse(scanner, "", name);
        if (is_among(name, clocks, COUNT(clocks))) scanner->uses_clock = true;
    }
    scanner->previous = 'a';
}

static void scan_variable(Scanner *scanner) {
    static const char *const closed[] = {"ENV", "__prog_args"};
    scanner->at++;
    skip_blanks(scanner);
    Str name = read_name(scanner);
    if (is_among(name, closed, COUNT(closed))) refuse(scanner, "$", name);
    scanner->previous = 'a';
}

static void scan_token(Scanner *scanner) {
    char c = peek(scanner, 0);
    if (is_letter(c)) {
        scan_name(scanner);
    } else if (c == '$') {
        scan_variable(scanner);
    } else if ((c == '.' && is_letter(peek(scanner, 1))) || c == '@') {
        scanner->at++;
        (void)read_name(scanner);
        scanner->previous = 'a';
    } else if (is_digit(c)) {
        // `1e3` holds no name.
        while (is_digit(peek(scanner, 0)) || peek(scanner, 0) == '.') scanner->at++;
        if ((peek(scanner, 0) == 'e' || peek(scanner, 0) == 'E') &&
            (is_digit(peek(scanner, 1)) || strchr("+-", peek(scanner, 1)) != NULL)) {
            scanner->at += 2;
        }
        scanner->previous = '0';
    } else {
        scanner->at++;
        scanner->previous = c;
        if (c == '(' || c == '[' || c == '{') open_bracket(scanner, c);
        if (c == '"') skip_text(scanner);
        if (c == ')' || c == ']' || c == '}') close_bracket(scanner);
    }
}

Err jq_scan(Str program, bool *uses_clock) {
    Scanner scanner = {.text = program, .err = err_none()};
    if (program.len > JQ_PROGRAM_MAX) {
        return err_make(ERR_LIMIT, "a jq program has more than %d bytes", JQ_PROGRAM_MAX);
    }
    if (memchr(program.ptr, '\0', program.len) != NULL) {
        return err_make(ERR_INPUT, "a jq program holds the character U+0000");
    }
    for (;;) {
        skip_blanks(&scanner);
        if (scanner.at >= program.len || scanner.err.code != ERR_NONE) break;
        scan_token(&scanner);
    }
    *uses_clock = scanner.uses_clock;
    return scanner.err;
}
