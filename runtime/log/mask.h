// mask.h - keeps secrets out of every stream: replaces registered values and their usual encodings
// by `******`.
//
// A stream keeps back as many bytes as could be the beginning of a pattern, so a value that is
// split over two writes is found as well. Every byte that belongs to any pattern is covered; what
// overlaps or touches becomes one mark. Patterns of a value: the forms of forms.h of itself and of
// it without the blanks around, and each of its lines of 8 bytes and more. Values under 4 bytes
// cannot be masked: they are in every text.
#ifndef FLOW_LOG_MASK_H
#define FLOW_LOG_MASK_H

#include "value/value.h"

enum { MASK_VALUE_MIN = 4, MASK_LINE_MIN = 8, MASK_VALUE_MAX = 64 << 10 };

#define MASK_TEXT "******"

typedef struct Masker Masker;

Masker *masker_new(void);
void masker_free(Masker *masker);  // wipes
// Registers a value, from now on also for streams under way. False where it is too short; of a
// value over MASK_VALUE_MAX the lines are registered, not the whole.
bool masker_add(Masker *masker, Str plain);
bool masker_is_empty(const Masker *masker);
// A whole text, appended to `out`. NULL masks nothing.
void masker_apply(Masker *masker, Str text, Buffer *out);
// A deep copy in which no text and no key holds a registered value; a secret stays a reference.
Value masker_value(Masker *masker, Value value, Arena *arena);
// True where the text holds a registered value: what tests and checks ask.
bool masker_finds(Masker *masker, Str text);

typedef struct MaskStream {
    Masker *masker;
    Buffer held;     // bytes from which on a pattern may have begun
    size_t covered;  // so many of them are part of one that began before
    bool was_marked;
} MaskStream;

// `MaskStream stream = {.masker = masker};` works. Appends to `out` what is certain.
void mask_stream_add(MaskStream *stream, Str chunk, Buffer *out);
// Appends the rest; the stream can be used again.
void mask_stream_end(MaskStream *stream, Buffer *out);
void mask_stream_release(MaskStream *stream);

#endif
