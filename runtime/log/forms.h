// forms.h - how a value looks when somebody has written it down: the usual encodings that masking
// covers.
//
// As it is, as JSON (with `\/`, in ASCII, as JSON within JSON), percent-encoded (upper- and
// lower-case hexadecimal, blank as `+`, with the characters that encodeURIComponent, Python and
// Java leave), as a word of a shell (in single quotes, with backslashes), as XML and HTML, Base64
// in both alphabets at the three alignments and in lines of 64 and 76, hexadecimal, also in lines
// of 60. What depends on more than the value cannot be covered: compressed, encrypted, reversed,
// spelt letter by letter, hexadecimal with blanks.
#ifndef FLOW_LOG_FORMS_H
#define FLOW_LOG_FORMS_H

#include "base/str.h"

// Calls with each form; some come twice, some are short.
void forms_of(Str plain, void (*call)(void *self, Str form), void *self);

#endif
