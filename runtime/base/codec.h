// codec.h - hexadecimal, Base64 (RFC 4648, standard and URL alphabets), percent encoding.
#ifndef FLOW_BASE_CODEC_H
#define FLOW_BASE_CODEC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/str.h"

void hex_encode(Buffer *out, const uint8_t *bytes, size_t len);
bool hex_decode(Str text, uint8_t *out, size_t len);  // exactly 2 * len digits
void base64_encode(Buffer *out, Str bytes);
void base64url_encode(Buffer *out, Str bytes);  // without padding
// Either alphabet, padding optional, white space refused; false on anything else (out may hold a
// part).
bool base64_decode(Buffer *out, Str text);
// Everything but unreserved characters of RFC 3986 as %XX.
void percent_encode(Buffer *out, Str text);
bool percent_decode(Buffer *out, Str text);  // false on a broken escape

#endif
