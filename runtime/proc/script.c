// script.c - how an interpreter is told to read its text from a descriptor instead of an argument.
#include <string.h>

#include "base/file.h"
#include "proc/proc.h"

typedef struct Interpreter {
    const char *name;    // of the program, without a version behind it
    char text_option;    // the letter that says "the next argument is the text"
    const char *option;  // put before the path; NULL: none
} Interpreter;

static const Interpreter interpreters[] = {
    {"sh",     'c', NULL                      },
    {"bash",   'c', NULL                      },
    {"dash",   'c', NULL                      },
    {"ash",    'c', NULL                      },
    {"ksh",    'c', NULL                      },
    {"zsh",    'c', NULL                      },
    {"python", 'c', NULL                      },
    {"node",   'e', "--preserve-symlinks-main"}, // else it opens what the link names: nothing
};

static const Interpreter *find_interpreter(Str program) {
    Str name = path_name(program);
    for (size_t i = 0; i < COUNT(interpreters); i++) {
        Str known = str_from(interpreters[i].name);
        if (!str_starts_with(name, known)) continue;
        Str version = str_slice(name, known.len, name.len);
        bool is_version = true;
        for (size_t at = 0; at < version.len; at++) {
            if (strchr("0123456789.", version.ptr[at]) == NULL) is_version = false;
        }
        if (is_version) return &interpreters[i];
    }
    return NULL;
}

Err proc_script_argv(const Str *interpreter, uint32_t count, Arena *arena, Str **argv,
                     uint32_t *argv_count) {
    const Interpreter *known = count < 2 ? NULL : find_interpreter(interpreter[0]);
    Str last = count < 2 ? (Str){0} : interpreter[count - 1];
    bool is_text_option = known != NULL && last.len >= 2 && last.ptr[0] == '-' &&
                          last.ptr[1] != '-' && last.ptr[last.len - 1] == known->text_option;
    if (!is_text_option) {
        return err_make(ERR_UNSUPPORTED,
                        "'" STR_FMT "' cannot be given a script that holds a secret or is very "
                        "long: pass the secret by 'env', or use sh, bash, python or node",
                        STR_ARG(count == 0 ? STR("") : interpreter[0]));
    }
    Str *out = arena_array(arena, Str, (size_t)count + 2);
    uint32_t at = 0;
    for (uint32_t i = 0; i + 1 < count; i++) out[at++] = interpreter[i];
    // Other letters beside it stay: -ec becomes -e.
    if (last.len > 2) out[at++] = str_dup(arena, str_slice(last, 0, last.len - 1));
    if (known->option != NULL) out[at++] = str_from(known->option);
    out[at++] = STR(PROC_SCRIPT_PATH);
    *argv = out;
    *argv_count = at;
    return err_none();
}
