// compile.c - flowc compile: a flow to an artifact.
#include "cli/compile.h"

#include <string.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/file.h"
#include "cli/keys.h"

enum { LITERALS_MAX = 16 << 20 };

static const Option options[] = {
    {OPTION_TEXT,                                "--output", 'o', "OUT|-", offsetof(CompileOptions, out),
     "where it goes; else <flow id>.flowc here", NULL},
    {OPTION_TEXT,                                       "--emit", 0, "WHAT", offsetof(CompileOptions, emit),
     "the artifact, its plan as JSON, or the Lua of its expressions", "artifact|plan|lua"},
    {OPTION_FLAG,                   "--quiet", 'q', NULL, offsetof(CompileOptions, common.is_quiet),
     "print no findings", NULL},
    COMPILE_ROWS(CompileOptions),
    {OPTION_TEXT, "--deps", 0, "FILE", offsetof(CompileOptions, deps),
     "write what the artifact was made of, as a rule of make", NULL},
 // Test-only, without help: names that templates may start from beside the language's own (then
  // nothing folds), and a file of names that are literals (a JSON object).
    {OPTION_TEXT,                                          "--context-roots", 0, "NAMES", offsetof(CompileOptions, common.context_roots),
     NULL, NULL},
    {OPTION_TEXT,"--context-literals", 0, "FILE", offsetof(CompileOptions, literals), NULL, NULL},
    {OPTION_LATER,                                    "--standalone", 0, NULL, 0, NULL, NULL},
    {.kind = OPTION_END                                    },
};

static int run(int argc, char **argv);

const Command command_compile = {
    .name = "compile",
    .usage = "FLOW [-o OUT|-] [OPTION...]",
    .summary = "Compile a flow to an artifact that flowrun executes.",
    .help = "FLOW is a file, or '-' for standard input. A flow with errors is not compiled. "
            "Findings, size\nand digest are printed on standard error.",
    .options = options,
    .run = run,
};

static EmitKind emit_kind(const char *name) {
    if (name != NULL && strcmp(name, "plan") == 0) return EMIT_PLAN;
    if (name != NULL && strcmp(name, "lua") == 0) return EMIT_LUA;
    return EMIT_ARTIFACT;
}

static Err fill_request(const CompileOptions *it, const char *path, Arena *arena,
                        CompileRequest *request, SecretKey *key) {
    *request = (CompileRequest){.path = path,
                                .emit = emit_kind(it->emit),
                                .no_link = it->no_link,
                                .no_source = it->no_source};
    if (strcmp(path, "-") == 0) {
        TRY(read_input(arena, &request->input));
        request->input_name = str_from(it->common.stdin_name == NULL ? "-" : it->common.stdin_name);
    }
    if (it->sign == NULL) return err_none();
    TRY(key_read(it->sign, it->password, arena, key));
    request->keys = key;
    request->key_count = 1;
    return err_none();
}

int compile_flow(const Command *command, const CompileOptions *it, const char *path, Arena *arena,
                 Compiled *out) {
    SecretKey key = {0};
    CompileRequest request;
    const SessionOptions asked = session_options(&it->common);
    Session *session = NULL;
    Err err = crypto_init();
    if (err.code == ERR_NONE) err = fill_request(it, path, arena, &request, &key);
    if (err.code == ERR_NONE) err = session_new(&asked, path, &session);
    Compiled compiled = {0};
    if (err.code == ERR_NONE) err = session_compile(session, &request, &compiled);
    wipe(&key, sizeof key);
    int status = STATUS_OK;
    if (err.code != ERR_NONE) {
        status = report_error(command, err);
        buffer_release(&compiled.bytes);
    } else {
        if (session->diags.list.count > 0 || it->common.format != NULL) {
            status = print_findings(session, &it->common, STDERR_FILENO);
        }
        if (diags_count(&session->diags, DIAG_ERROR) > 0) status = STATUS_FINDINGS;
        // The session's memory ends here; what is kept is copied.
        *out = compiled;
        out->flow_id = str_dup(arena, compiled.flow_id);
        out->flow_namespace = str_dup(arena, compiled.flow_namespace);
        out->reads.items = arena_array(arena, Str, compiled.reads.count);
        for (uint32_t i = 0; i < compiled.reads.count; i++) {
            out->reads.items[i] = str_dup(arena, compiled.reads.items[i]);
        }
    }
    session_free(session);
    return status;
}

// Blanks and dollars of names as make wants them.
static void add_escaped(Buffer *out, Str name) {
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == ' ' || name.ptr[i] == '#') buffer_add_char(out, '\\');
        if (name.ptr[i] == '$') buffer_add_char(out, '$');
        buffer_add_char(out, name.ptr[i]);
    }
}

static Err write_deps(const CompileOptions *it, Str out, const Compiled *compiled) {
    if (it->deps == NULL) return err_none();
    Buffer text = {0};
    add_escaped(&text, out);
    buffer_add_char(&text, ':');
    for (uint32_t i = 0; i < compiled->reads.count; i++) {
        buffer_add(&text, STR(" \\\n  "));
        add_escaped(&text, compiled->reads.items[i]);
    }
    buffer_add_char(&text, '\n');
    const Err err = file_write(it->deps, buffer_str(&text), 0644);
    buffer_release(&text);
    return err;
}

static void tell(const CompileOptions *it, Str name, const Compiled *compiled) {
    Artifact *artifact = heap_alloc(1, sizeof *artifact);
    const Err err = artifact_open(buffer_str(&compiled->bytes), artifact);
    if (err.code == ERR_NONE) {
        Buffer digest = {0};
        hex_encode(&digest, artifact->digest.bytes, sizeof artifact->digest.bytes);
        fprintf(stderr, STR_FMT ": %zu bytes%s, digest " STR_FMT "\n", STR_ARG(name),
                compiled->bytes.len, artifact->signature_count > 0 ? ", signed" : "",
                STR_ARG(buffer_str(&digest)));
        buffer_release(&digest);
    }
    heap_free(artifact);
    if (compiled->has_triggers) {
        fprintf(stderr, "note: triggers are compiled and do nothing until 'flowrun serve'\n");
    }
    (void)it;
}

static Err write_artifact(const CompileOptions *it, const Compiled *compiled, Arena *arena) {
    const bool is_artifact = emit_kind(it->emit) == EMIT_ARTIFACT;
    const bool is_stdout = it->out == NULL ? !is_artifact : strcmp(it->out, "-") == 0;
    Str path = {0};
    if (!is_stdout) {
        path = it->out != NULL ? str_from(it->out)
                               : str_concat(arena, compiled->flow_id, STR(".flowc"));
        TRY(file_write(str_to_c(arena, path), buffer_str(&compiled->bytes), 0644));
    } else {
        TRY(file_write_fd(STDOUT_FILENO, buffer_str(&compiled->bytes)));
        path = STR("-");
    }
    TRY(write_deps(it, path, compiled));
    if (is_artifact && !it->common.is_quiet) tell(it, path, compiled);
    return err_none();
}

static Err read_literals(CompileOptions *it, Arena *arena) {
    if (it->literals == NULL) return err_none();
    Value *map = arena_new(arena, Value);
    Str text = {0};
    TRY(file_read(it->literals, LITERALS_MAX, arena, &text));
    const Err err = json_parse(text, (JsonLimits){0}, arena, map);
    if (err.code != ERR_NONE) return err_wrap(err, "'%s'", it->literals);
    if (map->kind != VALUE_MAP) {
        return err_make(ERR_INPUT, "'%s': expected an object", it->literals);
    }
    it->common.context_literals = map;
    return err_none();
}

static int run(int argc, char **argv) {
    Arena arena = {0};
    CompileOptions it = {0};
    Arguments arguments = {0};
    int status = STATUS_OK;
    if (options_read(&command_compile, argc, argv, &arena, &it, &arguments, &status)) {
        if (arguments.count != 1) {
            status = usage_error(&command_compile, arguments.count == 0
                                                       ? "no flow was named"
                                                       : "one flow is compiled at a time");
        } else if (it.out != NULL && strcmp(it.out, "-") == 0 && isatty(STDOUT_FILENO) == 1 &&
                   emit_kind(it.emit) == EMIT_ARTIFACT) {
            status = usage_error(&command_compile, "an artifact is not written to a terminal");
        } else {
            Compiled compiled = {0};
            Err read = read_literals(&it, &arena);
            status = read.code != ERR_NONE ? report_error(&command_compile, read)
                                           : compile_flow(&command_compile, &it, arguments.items[0],
                                                          &arena, &compiled);
            if (status == STATUS_OK) {
                const Err err = write_artifact(&it, &compiled, &arena);
                if (err.code != ERR_NONE) status = report_error(&command_compile, err);
            }
            buffer_release(&compiled.bytes);
        }
    }
    arena_release(&arena);
    return status;
}
