// template_fuzz.c - template text: parsing ends, and what it gives can be printed.
#include "expr/expr.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    Arena arena = {0};
    Diags diags = {.arena = &arena};
    ExprParser *parser = expr_parser_new(&arena);
    Str text = {(const char *)bytes, size};
    Template *template = template_parse_text(parser, 0, text, &diags);
    Buffer out = {0};
    template_print(template, &out);
    buffer_release(&out);
    expr_parser_free(parser);
    arena_release(&arena);
    return 0;
}
