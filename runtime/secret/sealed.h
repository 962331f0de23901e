// sealed.h - secrets files that are encrypted: age files, and YAML or JSON whose values SOPS has
// encrypted for age keys. Both are opened in process; no tool is needed.
#ifndef FLOW_SECRET_SEALED_H
#define FLOW_SECRET_SEALED_H

#include "base/buffer.h"
#include "value/value.h"

// Whether these are the bytes of an age file, armoured or not.
bool age_is(Str bytes);
// Adds the plain bytes to `plain`, which the caller wipes. `identities` are lines, of which those
// with AGE-SECRET-KEY-1… count. ERR_REFUSED where none of them fits, ERR_INPUT where the file is
// damaged.
MUST_CHECK Err age_open(Str bytes, Str identities, Buffer *plain);

// Whether a document is one that SOPS has encrypted.
bool sops_is(Value document);
// Its values in clear, without what SOPS keeps for itself; nothing of it where its MAC does not
// fit.
MUST_CHECK Err sops_open(Value document, Str identities, Arena *arena, Value *out);

#endif
