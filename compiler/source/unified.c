// unified.c - lines compared after Myers ("An O(ND) Difference Algorithm and Its Variations").
//
// Equal lines at both ends are left out first. Where more lines differ than the bound, what lies
// between is shown as replaced as a whole: still a correct diff, only not the shortest.
#include "source/unified.h"

#include "base/arena.h"

enum { CONTEXT = 3, DISTANCE_MAX = 1000 };

typedef struct Lines {
    LIST_OF(Str) list;  // each with its end
} Lines;

typedef struct Diff {
    Arena arena;
    Lines old, next;
    bool *is_removed, *is_added;
} Diff;

static void split(Arena *arena, Str text, Lines *out) {
    for (size_t at = 0; at < text.len;) {
        const size_t end = str_find_char(text, '\n', at);
        const size_t next = end == STR_NOT_FOUND ? text.len : end + 1;
        *LIST_ADD(arena, &out->list, Str) = str_slice(text, at, next);
        at = next;
    }
}

// --- which lines differ -------------------------------------------------------------------------

typedef struct Window {
    uint32_t old_start, old_end, new_start, new_end;
} Window;

static bool lines_eq(const Diff *diff, uint32_t old, uint32_t next) {
    return str_eq(diff->old.list.items[old], diff->next.list.items[next]);
}

static Window trim(const Diff *diff) {
    Window window = {0, diff->old.list.count, 0, diff->next.list.count};
    while (window.old_start < window.old_end && window.new_start < window.new_end &&
           lines_eq(diff, window.old_start, window.new_start)) {
        window.old_start++;
        window.new_start++;
    }
    while (window.old_end > window.old_start && window.new_end > window.new_start &&
           lines_eq(diff, window.old_end - 1, window.new_end - 1)) {
        window.old_end--;
        window.new_end--;
    }
    return window;
}

// Goes back through the rounds and marks what each of them removed or added.
static void mark_path(Diff *diff, Window window, int64_t **rounds, int64_t distance) {
    int64_t x = window.old_end - window.old_start;
    int64_t y = window.new_end - window.new_start;
    for (int64_t d = distance; d > 0; d--) {
        const int64_t *far = rounds[d - 1] + d;  // far[k] of round d - 1
        const int64_t k = x - y;
        const bool is_down = k == -d || (k != d && far[k - 1] < far[k + 1]);
        const int64_t from = is_down ? k + 1 : k - 1;
        const int64_t from_x = far[from];
        const int64_t from_y = from_x - from;
        if (is_down) {
            diff->is_added[window.new_start + from_y] = true;
        } else {
            diff->is_removed[window.old_start + from_x] = true;
        }
        x = from_x;
        y = from_y;
    }
}

static void compare(Diff *diff, Window window) {
    const int64_t n = window.old_end - window.old_start;
    const int64_t m = window.new_end - window.new_start;
    const int64_t limit = n + m < DISTANCE_MAX ? n + m : DISTANCE_MAX;
    // rounds[d][k + d + 1] is how far the best path of d changes reaches on diagonal k.
    int64_t **rounds = arena_array(&diff->arena, int64_t *, (size_t)limit + 1);
    for (int64_t d = 0; d <= limit; d++) {
        rounds[d] = arena_array(&diff->arena, int64_t, (size_t)(2 * d + 3));
        int64_t *far = rounds[d] + d + 1;
        for (int64_t k = -d; k <= d; k += 2) {
            int64_t x = 0;
            if (d > 0) {
                const int64_t *last = rounds[d - 1] + d;
                const bool is_down = k == -d || (k != d && last[k - 1] < last[k + 1]);
                x = is_down ? last[k + 1] : last[k - 1] + 1;
            }
            while (x < n && x - k < m &&
                   lines_eq(diff, (uint32_t)(window.old_start + x),
                            (uint32_t)(window.new_start + x - k))) {
                x++;
            }
            far[k] = x;
            if (x >= n && x - k >= m) {
                mark_path(diff, window, rounds, d);
                return;
            }
        }
    }
    for (uint32_t i = window.old_start; i < window.old_end; i++) diff->is_removed[i] = true;
    for (uint32_t i = window.new_start; i < window.new_end; i++) diff->is_added[i] = true;
}

// --- printing -----------------------------------------------------------------------------------

static void add_name(Buffer *out, const char *mark, Str name) {
    buffer_add(out, str_from(mark));
    bool is_plain = true;
    for (size_t i = 0; i < name.len; i++) {
        const unsigned char c = (unsigned char)name.ptr[i];
        if (c < 0x20 || c == '"' || c == '\\' || c == 0x7F) is_plain = false;
    }
    if (is_plain) {
        buffer_add(out, name);
    } else {
        buffer_add_json(out, name);  // git's quoting for the characters that occur in names
    }
    buffer_add_char(out, '\n');
}

static void add_line(Buffer *out, char mark, Str line) {
    buffer_add_char(out, mark);
    buffer_add(out, line);
    if (!str_ends_with(line, STR("\n"))) {
        buffer_add(out, STR("\n\\ No newline at end of file\n"));
    }
}

typedef struct Place {
    uint32_t old, next;
} Place;

// The end of the hunk that begins with the change at `at`: changes with at most twice the context
// between them share a hunk.
static Place hunk_end(const Diff *diff, Place at) {
    Place end = at;
    uint32_t equal = 0;
    while (at.old < diff->old.list.count || at.next < diff->next.list.count) {
        if (at.old < diff->old.list.count && diff->is_removed[at.old]) {
            at.old++;
            equal = 0;
            end = at;
        } else if (at.next < diff->next.list.count && diff->is_added[at.next]) {
            at.next++;
            equal = 0;
            end = at;
        } else {
            at.old++;
            at.next++;
            if (++equal > 2 * CONTEXT) break;
        }
    }
    return end;
}

static void add_range(Buffer *out, char mark, uint32_t start, uint32_t count) {
    // An empty range is said by the line before it.
    buffer_printf(out, "%c%u", mark, count == 0 ? start : start + 1);
    if (count != 1) buffer_printf(out, ",%u", count);
}

static Place add_hunk(const Diff *diff, Place change, Place floor, Buffer *out) {
    Place end = hunk_end(diff, change);
    Place at = change;
    for (uint32_t i = 0; i < CONTEXT && at.old > floor.old && at.next > floor.next; i++) {
        at.old--;
        at.next--;
    }
    for (uint32_t i = 0; i < CONTEXT && end.old < diff->old.list.count; i++) {
        end.old++;
        end.next++;
    }
    buffer_add(out, STR("@@ "));
    add_range(out, '-', at.old, end.old - at.old);
    buffer_add_char(out, ' ');
    add_range(out, '+', at.next, end.next - at.next);
    buffer_add(out, STR(" @@\n"));
    while (at.old < end.old || at.next < end.next) {
        if (at.old < end.old && diff->is_removed[at.old]) {
            add_line(out, '-', diff->old.list.items[at.old++]);
        } else if (at.next < end.next && diff->is_added[at.next]) {
            add_line(out, '+', diff->next.list.items[at.next++]);
        } else {
            add_line(out, ' ', diff->old.list.items[at.old++]);
            at.next++;
        }
    }
    return end;
}

void unified_diff(Str name, Str before, Str after, Buffer *out) {
    if (str_eq(before, after)) return;
    Diff diff = {0};
    split(&diff.arena, before, &diff.old);
    split(&diff.arena, after, &diff.next);
    diff.is_removed = arena_array(&diff.arena, bool, diff.old.list.count);
    diff.is_added = arena_array(&diff.arena, bool, diff.next.list.count);
    compare(&diff, trim(&diff));
    add_name(out, "--- ", name);
    add_name(out, "+++ ", name);
    Place at = {0};
    Place floor = {0};
    while (at.old < diff.old.list.count || at.next < diff.next.list.count) {
        const bool is_change = (at.old < diff.old.list.count && diff.is_removed[at.old]) ||
                               (at.next < diff.next.list.count && diff.is_added[at.next]);
        if (is_change) {
            at = add_hunk(&diff, at, floor, out);
            floor = at;
        } else {
            at.old++;
            at.next++;
        }
    }
    arena_release(&diff.arena);
}
