// recover.c - after a syntax error: what is wrong, said at its place.
#include "syntax/reader.h"
bool recover(Reader *reader, const Failure *failure) {
    diag_add(reader->diags, "E0010", DIAG_ERROR, reader_span(reader, failure->at, failure->at),
             "%s", failure->problem);
    return false;
}
void find_ids(Reader *reader, uint32_t start, uint32_t end, Node *hole) {
    (void)reader;
    (void)start;
    (void)end;
    (void)hole;
}
