// forms.c - see forms.h. A form that equals the value is left to whoever collects them.
#include "log/forms.h"

#include <string.h>

#include "base/attributes.h"
#include "base/buffer.h"
#include "base/codec.h"
#include "base/utf8.h"

enum { LINE_LEAST = 8 };  // shorter ends of wrapped lines are in every text

typedef struct Forms {
    void (*call)(void *self, Str form);
    void *self;
    Buffer text, more;  // wiped when they are released
} Forms;

static void give(const Forms *forms, Str form) {
    if (form.len > 0) forms->call(forms->self, form);
}

// --- JSON ---------------------------------------------------------------------------------------

static void add_unit(Buffer *out, uint32_t unit, bool is_upper) {
    buffer_printf(out, is_upper ? "\\u%04X" : "\\u%04x", (unsigned)unit);
}

// `json` with everything beyond ASCII as `\u`.
static void put_ascii(Buffer *out, Str json, bool is_upper) {
    for (size_t at = 0; at < json.len;) {
        size_t before = at;
        uint32_t point = utf8_next(json, &at);
        if (point < 0x80 || point == UTF8_INVALID) {
            buffer_add(out, str_slice(json, before, at));
        } else if (point < 0x10000) {
            add_unit(out, point, is_upper);
        } else {
            add_unit(out, 0xD800 + ((point - 0x10000) >> 10), is_upper);
            add_unit(out, 0xDC00 + ((point - 0x10000) & 0x3ff), is_upper);
        }
    }
}

static Str inner(const Buffer *json) {
    return str_slice(buffer_str(json), 1, json->len - 1);
}

static void give_json(Forms *forms, Str plain) {
    buffer_clear(&forms->text);
    buffer_add_json(&forms->text, plain);
    Str json = inner(&forms->text);
    give(forms, json);
    for (int is_upper = 0; is_upper < 2; is_upper++) {
        buffer_clear(&forms->more);
        put_ascii(&forms->more, json, is_upper == 1);
        give(forms, buffer_str(&forms->more));
    }
    buffer_clear(&forms->more);
    for (size_t i = 0; i < json.len; i++) {
        if (json.ptr[i] == '/') buffer_add_char(&forms->more, '\\');
        buffer_add_char(&forms->more, json.ptr[i]);
    }
    give(forms, buffer_str(&forms->more));
    buffer_clear(&forms->more);
    buffer_add_json(&forms->more, json);
    give(forms, inner(&forms->more));
}

// --- percent ------------------------------------------------------------------------------------

typedef struct Percent {
    const char *left;  // left as they are, beside letters, digits and -._
    bool is_plus;      // a blank is `+`
} Percent;

static const Percent percents[] = {
    {"~",                 false}, // RFC 3986
    {"~",                 true },
    {"~/",                false}, // Python's quote
    {"~!'()*",            false}, // encodeURIComponent
    {"~!'()*;/?:@&=+$,#", false}, // encodeURI
    {"*",                 true }, // forms, Java's URLEncoder
};

static bool is_left(char c, const char *more) {
    bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return is_plain || (c != '\0' && (strchr("-._", c) != NULL || strchr(more, c) != NULL));
}

static void give_percent(Forms *forms, Str plain, const Percent *percent, const char *digits) {
    buffer_clear(&forms->text);
    for (size_t i = 0; i < plain.len; i++) {
        char c = plain.ptr[i];
        if (is_left(c, percent->left)) {
            buffer_add_char(&forms->text, c);
        } else if (c == ' ' && percent->is_plus) {
            buffer_add_char(&forms->text, '+');
        } else {
            buffer_add_char(&forms->text, '%');
            buffer_add_char(&forms->text, digits[(unsigned char)c >> 4]);
            buffer_add_char(&forms->text, digits[c & 15]);
        }
    }
    give(forms, buffer_str(&forms->text));
}

// --- shells, XML --------------------------------------------------------------------------------

typedef struct Escape {
    char from;
    const char *to;
} Escape;

static void give_escaped(Forms *forms, Str plain, const Escape *escapes, size_t count) {
    buffer_clear(&forms->text);
    for (size_t i = 0; i < plain.len; i++) {
        const char *to = NULL;
        for (size_t k = 0; k < count; k++) {
            if (escapes[k].from == plain.ptr[i]) to = escapes[k].to;
        }
        if (to != NULL) {
            buffer_add(&forms->text, str_from(to));
        } else {
            buffer_add_char(&forms->text, plain.ptr[i]);
        }
    }
    give(forms, buffer_str(&forms->text));
}

static void give_backslashes(Forms *forms, Str plain) {
    buffer_clear(&forms->text);
    for (size_t i = 0; i < plain.len; i++) {
        char c = plain.ptr[i];
        if (c != '\0' && strchr(" \t'\"\\`|&;()<>!{}*[]?^$,#~", c) != NULL) {
            buffer_add_char(&forms->text, '\\');
        }
        buffer_add_char(&forms->text, c);
    }
    give(forms, buffer_str(&forms->text));
}

static void give_quoted(Forms *forms, Str plain) {
    static const Escape single[] = {
        {'\'', "'\\''"}
    };
    static const Escape python[] = {
        {'\'', "'\"'\"'"}
    };
    static const Escape doubled[] = {
        {'"',  "\\\""},
        {'\\', "\\\\"},
        {'$',  "\\$" },
        {'`',  "\\`" }
    };
    static const Escape text[] = {
        {'&', "&amp;"},
        {'<', "&lt;" },
        {'>', "&gt;" }
    };
    static const Escape xml[] = {
        {'&',  "&amp;" },
        {'<',  "&lt;"  },
        {'>',  "&gt;"  },
        {'"',  "&quot;"},
        {'\'', "&apos;"}
    };
    static const Escape html[] = {
        {'&',  "&amp;" },
        {'<',  "&lt;"  },
        {'>',  "&gt;"  },
        {'"',  "&quot;"},
        {'\'', "&#x27;"}
    };
    static const Escape number[] = {
        {'&',  "&amp;"},
        {'<',  "&lt;" },
        {'>',  "&gt;" },
        {'"',  "&#34;"},
        {'\'', "&#39;"}
    };
    static const Escape mixed[] = {
        {'&',  "&amp;" },
        {'<',  "&lt;"  },
        {'>',  "&gt;"  },
        {'"',  "&quot;"},
        {'\'', "&#39;" }
    };
    give_escaped(forms, plain, single, COUNT(single));
    give_escaped(forms, plain, python, COUNT(python));
    give_escaped(forms, plain, doubled, COUNT(doubled));
    give_escaped(forms, plain, text, COUNT(text));
    give_escaped(forms, plain, xml, COUNT(xml));
    give_escaped(forms, plain, html, COUNT(html));
    give_escaped(forms, plain, number, COUNT(number));
    give_escaped(forms, plain, mixed, COUNT(mixed));
    give_backslashes(forms, plain);
}

// --- Base64, hexadecimal ------------------------------------------------------------------------

// The lines of a text that was wrapped; the last one as far as the value alone decides it.
static void give_lines(const Forms *forms, Str text, size_t end, size_t width) {
    if (end <= width) return;
    for (size_t at = 0; at < end; at += width) {
        size_t to = at + width < end ? at + width : end;
        if (to - at >= LINE_LEAST) give(forms, str_slice(text, at, to));
        bool is_last = to == end && text.len > end;  // with what fills it up
        if (is_last && text.len - at >= LINE_LEAST) give(forms, str_slice(text, at, text.len));
    }
}

// Behind 0, 1 or 2 foreign bytes: the characters that depend on the value alone, and with the end
// where the value ends the text.
static void give_base64(Forms *forms, Str plain, size_t shift, bool is_url) {
    buffer_clear(&forms->text);
    buffer_clear(&forms->more);
    buffer_add_repeat(&forms->text, '\0', shift);
    buffer_add(&forms->text, plain);
    if (is_url) {
        base64url_encode(&forms->more, buffer_str(&forms->text));
    } else {
        base64_encode(&forms->more, buffer_str(&forms->text));
    }
    Str coded = buffer_str(&forms->more);
    size_t start = shift == 0 ? 0 : shift + 1;
    size_t end = forms->text.len * 8 / 6;
    if (start >= end) return;
    give(forms, str_slice(coded, start, end));
    give(forms, str_slice(coded, start, coded.len));
    if (shift > 0 || is_url) return;
    give_lines(forms, coded, end, 76);
    give_lines(forms, coded, end, 64);
}

static void give_hex(Forms *forms, Str plain) {
    buffer_clear(&forms->text);
    hex_encode(&forms->text, (const uint8_t *)plain.ptr, plain.len);
    for (int is_upper = 0; is_upper < 2; is_upper++) {
        Str hex = buffer_str(&forms->text);
        give(forms, hex);
        give_lines(forms, hex, hex.len, 60);
        for (size_t i = 0; i < forms->text.len; i++) {
            char c = forms->text.ptr[i];
            if (c >= 'a' && c <= 'f') forms->text.ptr[i] = (char)(c - 32);
        }
    }
}

void forms_of(Str plain, void (*call)(void *self, Str form), void *self) {
    Forms forms = {
        .call = call, .self = self, .text = {.is_wiped = true}, .more = {.is_wiped = true}};
    give(&forms, plain);
    give_json(&forms, plain);
    for (size_t i = 0; i < COUNT(percents); i++) {
        give_percent(&forms, plain, &percents[i], "0123456789ABCDEF");
        give_percent(&forms, plain, &percents[i], "0123456789abcdef");
    }
    give_quoted(&forms, plain);
    for (size_t shift = 0; shift < 3; shift++) {
        give_base64(&forms, plain, shift, false);
        give_base64(&forms, plain, shift, true);
    }
    give_hex(&forms, plain);
    buffer_release(&forms.text);
    buffer_release(&forms.more);
}
