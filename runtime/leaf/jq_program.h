// jq_program.h - inside the leaf module: programs of jq that are more than paths, run by libjq in a
// process of their own.
//
// libjq aborts on some programs, never returns from others and prints the environment to whoever
// asks. So it is opened in a helper process only: the same program executed again with an empty
// environment, no files, no processes to start, 256 MiB of memory and a second of CPU time for each
// question. A helper serves one machine until that is freed, since libjq needs 30 ms for its own
// builtins before it runs anything; it keeps the programs it was asked last.
//
// Question and answer are frames over a socket: a head (JqHead), then its bytes.
#ifndef FLOW_LEAF_JQ_PROGRAM_H
#define FLOW_LEAF_JQ_PROGRAM_H

#include "base/buffer.h"
#include "base/err.h"

enum {
    JQ_PROGRAM_MAX = 16 * 1024,
    JQ_RESULT_MAX = 16 << 20,  // bytes of all results
    JQ_INPUT_MAX = 64 << 20,
    JQ_CPU_MS = 1000,    // of one question
    JQ_TOTAL_MS = 5000,  // of all questions of one evaluation
    JQ_WALL_MS = 20000,  // a machine under load gets less than its second a second
    JQ_IDLE_MS = 30000,  // a helper that nobody asks ends
    JQ_MEMORY = 256 << 20,
    JQ_SOCKET = 0,  // of the helper: its standard input
};

typedef enum JqAnswer {
    JQ_RESULTS,    // a line of JSON each
    JQ_NOT_VALID,  // what the compiler says of the program
    JQ_FAILED,     // what the program says of itself
    JQ_TOO_LARGE,  // results
    JQ_NO_MEMORY,
    JQ_NO_LIBRARY,
} JqAnswer;

typedef struct JqHead {
    uint32_t kind;     // of an answer: JqAnswer. Of a question: 1 to run, 0 to compile only
    uint32_t program;  // bytes of a question's program
    uint64_t bytes;    // of a question's input, or of an answer
    uint64_t cpu_ns;   // of an answer: what it has cost
} JqHead;

typedef struct JqHelper JqHelper;

typedef struct JqQuestion {
    Str program;
    Str input;  // JSON; empty: the program is only compiled
} JqQuestion;

// Asks the helper at `*helper`, starting it where there is none. Adds the results, a line of JSON
// each, to `out`. ERR_INPUT (the program is no jq), ERR_CONFLICT (it failed on this input),
// ERR_LIMIT, ERR_UNAVAILABLE, ERR_SYSTEM.
MUST_CHECK Err jq_ask(JqHelper **helper, const JqQuestion *question, Buffer *out, uint64_t *cpu_ns);
void jq_helper_free(JqHelper *helper);  // NULL is fine

// What a program reaches for outside of its input is refused before anybody runs it: ERR_REFUSED
// with its name. `uses_clock`: the result is not the same at all times.
MUST_CHECK Err jq_scan(Str program, bool *uses_clock);

#endif
