// lua.c - pieces of Lua: literals, slots, calls that stay below the compiler's limits.
#include <stdarg.h>

#include "emit/emitter.h"

Diag *emit_error(Emitter *emitter, const char *code, Span span, const char *format, ...) {
    Buffer message = {0};
    va_list args;
    va_start(args, format);
    buffer_vprintf(&message, format, args);
    va_end(args);
    if (emitter->has_call_span) span = emitter->call_span;
    Diag *diag =
        diag_add(emitter->diags, code, DIAG_ERROR, span, STR_FMT, STR_ARG(buffer_str(&message)));
    buffer_release(&message);
    emitter->has_error = true;
    return diag;
}

Str lua_quote(Arena *arena, Str text) {
    Buffer out = {0};
    buffer_add_char(&out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '"' || c == '\\') {
            buffer_add_char(&out, '\\');
            buffer_add_char(&out, (char)c);
        } else if (c == '\n') {
            buffer_add(&out, STR("\\n"));
        } else if (c < 0x20 || c == 0x7f) {
            buffer_printf(&out, "\\%03u", c);
        } else {
            buffer_add_char(&out, (char)c);
        }
    }
    buffer_add_char(&out, '"');
    Str quoted = buffer_to_str(&out, arena);
    buffer_release(&out);
    return quoted;
}

uint32_t emit_site(Emitter *emitter, Span span) {
    if (emitter->has_call_span) span = emitter->call_span;
    if (emitter->sites.count > 0) {
        Span last = emitter->sites.items[emitter->sites.count - 1];
        if (last.start == span.start && last.len == span.len && last.file == span.file) {
            return emitter->sites.count;
        }
    }
    *LIST_ADD(emitter->arena, &emitter->sites, Span) = span;
    return emitter->sites.count;
}

void emit_line(Emitter *emitter, const char *format, ...) {
    Buffer line = {0};
    va_list args;
    va_start(args, format);
    buffer_vprintf(&line, format, args);
    va_end(args);
    Frame *frame = emitter->frame;
    Str text = buffer_str(&line);
    bool closes = str_eq(text, STR("end")) || str_starts_with(text, STR("elseif "));
    if (closes && frame->indent > 0) frame->indent--;
    buffer_add_repeat(&frame->code, ' ', 2 + 2 * (size_t)frame->indent);
    buffer_add(&frame->code, text);
    buffer_add_char(&frame->code, '\n');
    if (str_ends_with(text, STR(" then")) || str_ends_with(text, STR(" do"))) frame->indent++;
    buffer_release(&line);
}

// --- slots --------------------------------------------------------------------------------------

uint32_t slot_new(Emitter *emitter) {
    Frame *frame = emitter->frame;
    uint32_t slot = frame->at++;
    if (frame->at > frame->max) frame->max = frame->at;
    return slot;
}

Str slot_name(Emitter *emitter, uint32_t slot) {
    if (slot < SLOTS_MAX) {
        return str_printf(emitter->arena, "%c%u", emitter->frame->letter, slot + 1);
    }
    return str_printf(emitter->arena, "%ct[%u]", emitter->frame->letter, slot + 1);
}

Str memo_name(Emitter *emitter, uint32_t memo) {
    return str_printf(emitter->arena, "%cm%u", emitter->frame->letter, memo + 1);
}

Operand operand_slot(Emitter *emitter, uint32_t slot) {
    return (Operand){.lua = slot_name(emitter, slot), .is_slot = true, .slot = slot};
}

Operand operand_spill(Emitter *emitter, Operand operand, uint32_t mark) {
    if (!operand.is_slot || operand.slot != mark) {
        emitter->frame->at = mark;
        uint32_t slot = slot_new(emitter);
        emit_line(emitter, STR_FMT " = " STR_FMT, STR_ARG(slot_name(emitter, slot)),
                  STR_ARG(operand.lua));
    }
    emitter->frame->at = mark + 1;
    return operand_slot(emitter, mark);
}

// --- operands -----------------------------------------------------------------------------------

Operand operand_text(Emitter *emitter, Str text) {
    return (Operand){.lua = lua_quote(emitter->arena, text), .is_constant = true};
}

Operand operand_lua(Emitter *emitter, const char *format, ...) {
    Buffer text = {0};
    va_list args;
    va_start(args, format);
    buffer_vprintf(&text, format, args);
    va_end(args);
    Operand operand = {.lua = buffer_to_str(&text, emitter->arena)};
    buffer_release(&text);
    return operand;
}

void operands_add(Emitter *emitter, Operands *operands, Operand operand) {
    *LIST_ADD(emitter->arena, operands, Operand) = operand;
}

void operands_add_site(Emitter *emitter, Operands *operands, Span span) {
    operands_add(emitter, operands, operand_lua(emitter, "%u", emit_site(emitter, span)));
}

static Operand join(Emitter *emitter, uint32_t mark, Str before, const Operands *operands,
                    Str after) {
    Buffer text = {0};
    uint32_t depth = 0;
    buffer_add(&text, before);
    for (uint32_t i = 0; i < operands->count; i++) {
        const Operand *operand = &operands->items[i];
        if (i > 0) buffer_add(&text, STR(", "));
        buffer_add(&text, operand->lua);
        if (operand->depth > depth) depth = operand->depth;
    }
    buffer_add(&text, after);
    Operand result = {.lua = buffer_to_str(&text, emitter->arena), .depth = depth + 1};
    buffer_release(&text);
    if (result.depth <= OPERAND_DEPTH_MAX) return result;
    return operand_spill(emitter, result, mark);
}

Operand operand_call(Emitter *emitter, uint32_t mark, const char *function,
                     const Operands *operands) {
    Str before = str_printf(emitter->arena, "%s(", function);
    return join(emitter, mark, before, operands, STR(")"));
}

// A call takes at most as many operands as Lua has registers; a table constructor takes any number.
Operand operand_variadic(Emitter *emitter, uint32_t mark, const char *function, int64_t count,
                         const Operands *operands) {
    bool is_long = operands->count > CALL_OPERANDS_MAX;
    Str head = count < 0 ? str_printf(emitter->arena, "%s(", function)
                         : str_printf(emitter->arena, "%s(%lld%s", function, (long long)count,
                                      operands->count > 0 ? ", " : "");
    if (is_long) head = str_concat(emitter->arena, head, STR("rt.all({"));
    return join(emitter, mark, head, operands, is_long ? STR("}))") : STR(")"));
}

// --- chunks -------------------------------------------------------------------------------------

Str emit_function(Emitter *emitter, const Frame *frame, Operand result, Str params) {
    Buffer out = {0};
    buffer_printf(&out, "function(" STR_FMT ")\n", STR_ARG(params));
    uint32_t locals = frame->max < SLOTS_MAX ? frame->max : SLOTS_MAX;
    for (uint32_t i = 0; i < locals; i++) {
        buffer_printf(&out, "%s%c%u", i == 0 ? "  local " : ", ", frame->letter, i + 1);
    }
    if (locals > 0) buffer_add_char(&out, '\n');
    for (uint32_t i = 0; i < frame->memos; i++) {
        buffer_printf(&out, "%s%cm%u", i == 0 ? "  local " : ", ", frame->letter, i + 1);
    }
    if (frame->memos > 0) buffer_add_char(&out, '\n');
    if (frame->max > SLOTS_MAX) buffer_printf(&out, "  local %ct = {}\n", frame->letter);
    buffer_add(&out, buffer_str(&frame->code));
    buffer_printf(&out, "  return " STR_FMT "\nend", STR_ARG(result.lua));
    Str function = buffer_to_str(&out, emitter->arena);
    buffer_release(&out);
    return function;
}

Str emit_chunk(Emitter *emitter, Operand result) {
    Str function = emit_function(emitter, emitter->frame, result, (Str){0});
    if (emitter->is_2_0) {
        return str_printf(emitter->arena,
                          "local rt = ...\nlocal leaf = " STR_FMT
                          "\nreturn function()\n  rt.of_2_0()\n  return leaf()\nend\n",
                          STR_ARG(function));
    }
    return str_printf(emitter->arena, "local rt = ...\nreturn " STR_FMT "\n", STR_ARG(function));
}
