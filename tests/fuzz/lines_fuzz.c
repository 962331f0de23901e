// lines_fuzz.c - any bytes in any pieces give valid lines, and the same ones however they are cut.
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/utf8.h"
#include "proc/proc.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void take(void *self, Str line, unsigned flags) {
    Buffer *out = self;
    if (utf8_find_invalid(line) != STR_NOT_FOUND) abort();
    if (line.len > 0 && memchr(line.ptr, '\0', line.len) != NULL) abort();
    bool is_piece = (flags & (LINE_GOES_ON | LINE_IS_REST)) != 0;
    if (line.len > (is_piece ? 3 * LINE_MAX_BYTES : 3 * MARKER_MAX_BYTES)) abort();
    buffer_add(out, line);
    if ((flags & LINE_GOES_ON) == 0) buffer_add_char(out, '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    LineSplitter whole = {0}, pieces = {0};
    Buffer a = {0}, b = {0};
    Str text = {(const char *)bytes, size};
    lines_feed(&whole, text, take, &a);
    lines_end(&whole, take, &a);
    size_t step = size > 0 ? bytes[0] % 17 + 1u : 1;
    for (size_t at = 0; at < size; at += step) {
        lines_feed(&pieces, str_slice(text, at, at + step), take, &b);
    }
    lines_end(&pieces, take, &b);
    if (whole.bytes != size || pieces.lines != whole.lines) abort();
    if (!str_eq(buffer_str(&a), buffer_str(&b))) abort();
    lines_release(&whole);
    lines_release(&pieces);
    buffer_release(&a);
    buffer_release(&b);
    return 0;
}
