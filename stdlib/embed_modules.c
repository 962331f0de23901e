// embed_modules.c - the modules' half of the build tool: stdlib/**/*.lua -> bytecode and a table.
//
// A module is run once at build time, with `task` and `use` and no host, to learn what it declares:
// one task, or a list of them that share their code.
// What it reads of `props` is taken from its tokens: `props.name` must be a property of the type it
// implements; in library code, of at least one of the types that use it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "artifact/plan.h"
#include "base/file.h"
#include "embed.h"

enum { MODULE_SIZE_MAX = 1 << 20 };

typedef struct PropUse {
    Str name;
    uint32_t line;
} PropUse;

typedef struct Module {
    Str path;  // below stdlib: `core/log.lua`
    Str name;  // `lib.script`; of a task module the type it implements
    Str source, bytecode;
    bool is_lib;
    uint32_t effects;
    LIST_OF(Str) uses;  // library names, closure not included
    LIST_OF(PropUse) reads;
    const struct Module *owner;  // the first task of the same file; NULL: this is it
    uint32_t number;             // of the file's code in what is written
} Module;

typedef struct Modules {
    Arena *arena;
    const char *folder;
    const Tables *tables;
    LIST_OF(Module *) list;
    Module *current;
    uint32_t mistakes;
} Modules;

__attribute__((format(printf, 4, 5))) static void mistake(Modules *modules, const Module *module,
                                                          uint32_t line, const char *format, ...) {
    va_list args;
    fprintf(stderr, "%s/" STR_FMT ":%u: ", modules->folder, STR_ARG(module->path), line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    modules->mistakes++;
}

// --- tokens -------------------------------------------------------------------------------------

static bool is_name_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Behind a long bracket `[[…]]`, `[=[…]=]` that begins at `at`, or `at` where there is none.
static size_t skip_long(Str text, size_t at) {
    size_t level = 0, start = at + 1;
    if (at >= text.len || text.ptr[at] != '[') return at;
    while (start < text.len && text.ptr[start] == '=') start++, level++;
    if (start >= text.len || text.ptr[start] != '[') return at;
    for (size_t i = start + 1; i + level + 1 < text.len; i++) {
        if (text.ptr[i] != ']') continue;
        size_t equals = 0;
        while (equals < level && text.ptr[i + 1 + equals] == '=') equals++;
        if (equals == level && text.ptr[i + 1 + level] == ']') return i + level + 2;
    }
    return text.len;
}

static size_t skip_quoted(Str text, size_t at) {
    char quote = text.ptr[at];
    for (at++; at < text.len && text.ptr[at] != quote; at++) {
        if (text.ptr[at] == '\\') at++;
    }
    return at + 1;
}

// Behind what cannot hold a name at `at`: a comment or a text; else `at` itself.
static size_t skip_quiet(Str text, size_t at) {
    if (text.ptr[at] == '-' && at + 1 < text.len && text.ptr[at + 1] == '-') {
        size_t end = skip_long(text, at + 2);
        if (end != at + 2) return end;
        end = str_find_char(text, '\n', at);
        return end == STR_NOT_FOUND ? text.len : end;
    }
    if (text.ptr[at] == '"' || text.ptr[at] == '\'') return skip_quoted(text, at);
    return skip_long(text, at);
}

static uint32_t line_at(Str text, size_t at) {
    uint32_t line = 1;
    for (size_t i = 0; i < at && i < text.len; i++) line += text.ptr[i] == '\n';
    return line;
}

static void find_reads(Modules *modules, Module *module) {
    Str text = module->source;
    for (size_t at = 0; at < text.len;) {
        size_t next = skip_quiet(text, at);
        if (next != at) {
            at = next;
            continue;
        }
        if (!is_name_char(text.ptr[at])) {
            at++;
            continue;
        }
        size_t end = at;
        while (end < text.len && is_name_char(text.ptr[end])) end++;
        bool is_field = at > 0 && (text.ptr[at - 1] == '.' || text.ptr[at - 1] == ':');
        bool is_props = !is_field && str_eq(str_slice(text, at, end), STR("props"));
        if (is_props && end < text.len && text.ptr[end] == '.') {
            size_t stop = end + 1;
            while (stop < text.len && is_name_char(text.ptr[stop])) stop++;
            *LIST_ADD(modules->arena, &module->reads, PropUse) =
                (PropUse){str_slice(text, end + 1, stop), line_at(text, at)};
            end = stop;
        }
        at = end;
    }
}

// --- running a module once ----------------------------------------------------------------------

static int on_task(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    return 1;
}

static int on_use(lua_State *L) {
    Modules *modules = lua_touserdata(L, lua_upvalueindex(1));
    Str name = str_dup(modules->arena, str_from(luaL_checkstring(L, 1)));
    *LIST_ADD(modules->arena, &modules->current->uses, Str) = name;
    lua_createtable(L, 0, 0);  // whatever is asked of a library is nothing yet
    return 1;
}

static int on_global(lua_State *L) {
    return luaL_error(L, "there is no global '%s'", luaL_tolstring(L, 2, NULL));
}

// The names of runtime/host/API.md, without host.
static void push_environment(lua_State *L, Modules *modules) {
    static const char *const names[] = {
        "assert", "error",  "ipairs", "next",     "pairs",    "pcall",        "xpcall",
        "select", "string", "table",  "tonumber", "tostring", "type",         "rawequal",
        "rawlen", "rawget", "rawset", "math",     "utf8",     "setmetatable", "getmetatable",
    };
    lua_createtable(L, 0, 24);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        lua_getglobal(L, names[i]);
        lua_setfield(L, -2, names[i]);
    }
    lua_pushcfunction(L, on_task);
    lua_setfield(L, -2, "task");
    lua_pushlightuserdata(L, modules);
    lua_pushcclosure(L, on_use, 1);
    lua_setfield(L, -2, "use");
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, on_global);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, on_global);
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, -2);
}

typedef struct EffectName {
    const char *name;
    uint32_t bit;
} EffectName;

static const EffectName effect_names[] = {
    {"exec",    EFFECT_EXEC   },
    {"net",     EFFECT_NET    },
    {"file",    EFFECT_FILE   },
    {"kv",      EFFECT_KV     },
    {"notify",  EFFECT_NOTIFY },
    {"create",  EFFECT_CREATE },
    {"destroy", EFFECT_DESTROY},
};

static void read_effects(Modules *modules, Module *module, lua_State *L) {
    if (lua_getfield(L, -1, "effects") != LUA_TTABLE) {
        mistake(modules, module, 1, "the declaration has no 'effects'; {} where there are none");
        lua_pop(L, 1);
        return;
    }
    for (lua_Integer i = 1; lua_geti(L, -1, i) != LUA_TNIL; i++) {
        Str name = str_from(luaL_tolstring(L, -1, NULL));
        uint32_t bit = 0;
        for (size_t j = 0; j < sizeof effect_names / sizeof *effect_names; j++) {
            if (str_eq(name, str_from(effect_names[j].name))) bit = effect_names[j].bit;
        }
        if (bit == 0) {
            mistake(modules, module, 1, "unknown effect '" STR_FMT "'", STR_ARG(name));
        }
        module->effects |= bit;
        lua_pop(L, 2);
    }
    lua_pop(L, 2);
}

// Marked extension properties stand in the catalog; a module may repeat their names.
static void read_extends(Modules *modules, Module *module, lua_State *L);

static void read_declaration(Modules *modules, Module *module, lua_State *L) {
    static const char *const functions[] = {"run",     "idempotent", "hosts",
                                            "recover", "kill",       "plan"};
    if (lua_getfield(L, -1, "implements") != LUA_TSTRING) {
        mistake(modules, module, 1, "the declaration has no 'implements'");
        lua_pop(L, 1);
        return;
    }
    module->name = str_dup(modules->arena, str_from(lua_tostring(L, -1)));
    lua_pop(L, 1);
    read_effects(modules, module, L);
    read_extends(modules, module, L);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        int type = lua_getfield(L, -1, functions[i]);
        lua_pop(L, 1);
        if (type != LUA_TFUNCTION && (type != LUA_TNIL || i == 0)) {
            mistake(modules, module, 1, "'%s' is no function", functions[i]);
        }
    }
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        bool is_known = strcmp(key, "implements") == 0 || strcmp(key, "effects") == 0 ||
                        strcmp(key, "extends") == 0;
        for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
            is_known = is_known || strcmp(key, functions[i]) == 0;
        }
        if (!is_known) mistake(modules, module, 1, "unknown key '%s' of a task", key);
    }
}

static int add_chunk(lua_State *L, const void *bytes, size_t size, void *out) {
    (void)L;
    buffer_add_bytes(out, bytes, size);
    return 0;
}

static void swap_tasks(Module *one, Module *other) {
    Module was = *one;
    one->name = other->name;
    one->effects = other->effects;
    other->name = was.name;
    other->effects = was.effects;
}

// The file's tasks: a list of declarations gives a module each. Whatever order the file makes them
// in, the first by name stands for it, so that the same sources give the same bytes.
static void read_declarations(Modules *modules, Module *module, lua_State *L) {
    if (lua_geti(L, -1, 1) != LUA_TTABLE) {
        lua_pop(L, 1);
        read_declaration(modules, module, L);
        return;
    }
    read_declaration(modules, module, L);
    lua_pop(L, 1);
    for (lua_Integer i = 2; lua_geti(L, -1, i) == LUA_TTABLE; i++) {
        Module *row = arena_new(modules->arena, Module);
        *LIST_ADD(modules->arena, &modules->list, Module *) = row;
        row->path = module->path;
        row->source = module->source;
        row->bytecode = module->bytecode;
        row->uses = module->uses;
        row->owner = module;
        read_declaration(modules, row, L);
        if (str_cmp(row->name, module->name) < 0) swap_tasks(row, module);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static void compile_module(Modules *modules, Module *module, lua_State *L) {
    const char *chunk =
        str_to_c(modules->arena, str_concat(modules->arena, STR("@"), module->path));
    modules->current = module;
    int status = luaL_loadbufferx(L, module->source.ptr, module->source.len, chunk, "t");
    if (status == LUA_OK) {
        Buffer bytecode = {0};
        lua_dump(L, add_chunk, &bytecode, 1);
        module->bytecode = buffer_to_str(&bytecode, modules->arena);
        buffer_release(&bytecode);
        push_environment(L, modules);
        lua_setupvalue(L, -2, 1);
        status = lua_pcall(L, 0, 1, 0);
    }
    if (status != LUA_OK) {
        fprintf(stderr, "%s/%s\n", modules->folder, luaL_tolstring(L, -1, NULL));
        modules->mistakes++;
    } else if (!lua_istable(L, -1)) {
        mistake(modules, module, 1, "the module returns no table");
    } else if (!module->is_lib) {
        read_declarations(modules, module, L);
    }
    lua_settop(L, 0);
}

// --- against the catalog ------------------------------------------------------------------------

static const PropRow *prop_in(const Tables *tables, uint32_t first, uint32_t count, Str name) {
    for (uint32_t i = 0; i < count; i++) {
        if (str_eq(row_text(tables, tables->props[first + i].name), name)) {
            return &tables->props[first + i];
        }
    }
    return NULL;
}

// The type's own properties, then its groups, then those of its kind.
static const PropRow *find_prop(const Tables *tables, Str type, Str name) {
    uint32_t at = rows_find_name(tables, type);
    if (at == 0) return NULL;
    const TypeRow *row = &tables->types[tables->names[at - 1].type & ~(uint32_t)ROW_ALIAS];
    const PropRow *prop = prop_in(tables, row->props, row->prop_count, name);
    const uint32_t *uses = tables->words + row->uses;
    for (uint32_t i = 0; prop == NULL && row->uses != 0 && i < uses[0]; i++) {
        const SetRow *set = &tables->sets[uses[1 + i]];
        prop = prop_in(tables, set->props, set->prop_count, name);
    }
    uint32_t base = rows_find_set(tables, STR("_kinds"), STR("task"));
    if (prop == NULL && base != 0) {
        const SetRow *set = &tables->sets[base - 1];
        prop = prop_in(tables, set->props, set->prop_count, name);
    }
    return prop;
}

static void read_extends(Modules *modules, Module *module, lua_State *L) {
    if (lua_getfield(L, -1, "extends") == LUA_TTABLE) {
        for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
            Str name = lua_type(L, -2) == LUA_TSTRING ? str_from(lua_tostring(L, -2)) : (Str){0};
            const PropRow *prop = find_prop(modules->tables, module->name, name);
            if (prop == NULL || (prop->flags & PROP_EXTENSION) == 0) {
                mistake(modules, module, 1,
                        "extension property '" STR_FMT
                        "' is not marked `extension: true` in the catalog",
                        STR_ARG(name));
            }
        }
    }
    lua_pop(L, 1);
}

static bool is_used_with(const Modules *modules, const Module *lib, Str prop) {
    for (uint32_t i = 0; i < modules->list.count; i++) {
        const Module *module = modules->list.items[i];
        bool is_user = false;
        for (uint32_t j = 0; j < module->uses.count; j++) {
            is_user = is_user || str_eq(module->uses.items[j], lib->name);
        }
        if (!is_user) continue;
        if (module->is_lib ? is_used_with(modules, module, prop)
                           : find_prop(modules->tables, module->name, prop) != NULL) {
            return true;
        }
    }
    return false;
}

// Whether one of the tasks of a file has the property.
static bool file_has_prop(const Modules *modules, const Module *module, Str prop) {
    for (uint32_t i = 0; i < modules->list.count; i++) {
        const Module *row = modules->list.items[i];
        if (row != module && row->owner != module) continue;
        if (find_prop(modules->tables, row->name, prop) != NULL) return true;
    }
    return false;
}

static void check_module(Modules *modules, const Module *module) {
    const Tables *tables = modules->tables;
    uint32_t name = module->is_lib ? 0 : rows_find_name(tables, module->name);
    if (!module->is_lib && (name == 0 || (tables->names[name - 1].type & ROW_ALIAS) != 0)) {
        if (module->name.len > 0) {
            mistake(modules, module, 1, "'" STR_FMT "' is no type of the catalog",
                    STR_ARG(module->name));
        }
        return;
    }
    for (uint32_t i = 0; i < module->reads.count; i++) {
        const PropUse *read = &module->reads.items[i];
        if (module->is_lib ? is_used_with(modules, module, read->name)
                           : file_has_prop(modules, module, read->name)) {
            continue;
        }
        mistake(modules, module, read->line, "'" STR_FMT "' has no property '" STR_FMT "'",
                STR_ARG(module->name), STR_ARG(read->name));
    }
    for (uint32_t i = 0; i < module->uses.count; i++) {
        bool is_there = false;
        for (uint32_t j = 0; j < modules->list.count; j++) {
            const Module *other = modules->list.items[j];
            is_there = is_there || (other->is_lib && str_eq(other->name, module->uses.items[i]));
        }
        if (!is_there) {
            mistake(modules, module, 1, "there is no library '" STR_FMT "'",
                    STR_ARG(module->uses.items[i]));
        }
    }
}

// --- all of them --------------------------------------------------------------------------------

static void read_folder(Modules *modules, lua_State *L, Str folder) {
    Arena *arena = modules->arena;
    Str full = path_join(arena, str_from(modules->folder), folder);
    uint32_t count = 0;
    Str *names = embed_list(arena, str_to_c(arena, full), STR(".lua"), &count);
    for (uint32_t i = 0; i < count; i++) {
        Module *module = arena_new(arena, Module);
        *LIST_ADD(arena, &modules->list, Module *) = module;
        module->number = modules->list.count;
        module->path = folder.len == 0 ? names[i] : path_join(arena, folder, names[i]);
        module->is_lib = str_eq(folder, STR("lib"));
        if (module->is_lib) {
            module->name = str_concat(arena, STR("lib."), str_slice(names[i], 0, names[i].len - 4));
        }
        Str path = path_join(arena, full, names[i]);
        Err err = file_read(str_to_c(arena, path), MODULE_SIZE_MAX, arena, &module->source);
        if (err.code != ERR_NONE) {
            fprintf(stderr, "%s\n", err.text);
            modules->mistakes++;
            continue;
        }
        compile_module(modules, module, L);
        find_reads(modules, module);
    }
    Str *folders = embed_list(arena, str_to_c(arena, full), (Str){0}, &count);
    for (uint32_t i = 0; i < count; i++) {
        read_folder(modules, L,
                    folder.len == 0 ? folders[i] : path_join(arena, folder, folders[i]));
    }
}

static int compare_modules(const void *a, const void *b) {
    const Module *const *left = a, *const *right = b;
    return str_cmp((*left)->name, (*right)->name);
}

static void write_code(Buffer *out, const Module *module) {
    uint32_t number = module->number;
    char name[32];
    snprintf(name, sizeof name, "code_%u", number);
    embed_bytes(out, name, module->bytecode);
    if (module->uses.count == 0) return;
    buffer_printf(out, "static const Str uses_%u[] = {", number);
    for (uint32_t i = 0; i < module->uses.count; i++) {
        buffer_printf(out, "{\"" STR_FMT "\", %zu},", STR_ARG(module->uses.items[i]),
                      module->uses.items[i].len);
    }
    buffer_add(out, STR("};\n\n"));
}

static void write_modules(Buffer *out, const Modules *modules) {
    buffer_add(out, STR("// Generated from stdlib by stdlib/embed.c.\n"
                        "#include \"catalog/modules.h\"\n\n"
                        "#pragma GCC diagnostic ignored \"-Woverlength-strings\"\n\n"));
    for (uint32_t i = 0; i < modules->list.count; i++) {
        if (modules->list.items[i]->owner == NULL) write_code(out, modules->list.items[i]);
    }
    buffer_printf(out, "const uint32_t std_module_count = %u;\n\n", modules->list.count);
    buffer_add(out, STR("const StdModule std_module_table[] = {\n"));
    for (uint32_t i = 0; i < modules->list.count; i++) {
        const Module *module = modules->list.items[i];
        uint32_t code = module->owner != NULL ? module->owner->number : module->number;
        buffer_printf(out,
                      "    {.type = {\"" STR_FMT "\", %zu}, .bytecode = {code_%u, %zu}, "
                      ".effects = %u, .is_lib = %d",
                      STR_ARG(module->name), module->name.len, code, module->bytecode.len,
                      module->effects, module->is_lib);
        if (module->uses.count > 0) {
            buffer_printf(out, ", .uses = uses_%u, .use_count = %u", code, module->uses.count);
        }
        buffer_add(out, STR("},\n"));
    }
    if (modules->list.count == 0) buffer_add(out, STR("    {.is_lib = false},\n"));
    buffer_add(out, STR("};\n"));
}

bool embed_modules(Arena *arena, const char *folder, const Tables *tables, Buffer *out) {
    Modules modules = {.arena = arena, .folder = folder, .tables = tables};
    lua_State *L = luaL_newstate();
    if (L == NULL) out_of_memory();
    luaL_openlibs(L);
    read_folder(&modules, L, (Str){0});
    lua_close(L);
    for (uint32_t i = 0; i < modules.list.count; i++) {
        check_module(&modules, modules.list.items[i]);
    }
    if (modules.list.count > 0) {
        qsort(modules.list.items, modules.list.count, sizeof *modules.list.items, compare_modules);
    }
    for (uint32_t i = 1; i < modules.list.count; i++) {
        const Module *module = modules.list.items[i];
        if (str_eq(module->name, modules.list.items[i - 1]->name)) {
            mistake(&modules, module, 1, "'" STR_FMT "' has two modules", STR_ARG(module->name));
        }
    }
    write_modules(out, &modules);
    return modules.mistakes == 0;
}
