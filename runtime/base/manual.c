// manual.c - rows of options as roff, and as scripts for three shells.
#include "base/manual.h"

#include <string.h>

#include "base/attributes.h"
#include "base/file.h"

const ManualCommand *manual_find(const Manual *manual, Str name) {
    for (uint32_t i = 0; i < manual->commands.count; i++) {
        if (str_eq(name, str_from(manual->commands.items[i].name))) {
            return &manual->commands.items[i];
        }
    }
    return NULL;
}

// --- pages --------------------------------------------------------------------------------------

// A hyphen in roff is typographic: what is typed has to be `\-`.
static void add_roff(Buffer *out, Str text) {
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        const bool begins = i == 0 || text.ptr[i - 1] == '\n';
        if (begins && (c == '.' || c == '\'')) buffer_add(out, STR("\\&"));
        if (c == '\\') {
            buffer_add(out, STR("\\e"));
        } else if (c == '-') {
            buffer_add(out, STR("\\-"));
        } else {
            buffer_add_char(out, c);
        }
    }
}

static void add_words(Buffer *out, const char *text) {
    add_roff(out, str_from(text));
}

// Lines that begin with blanks are examples and stay as they are.
static void add_text(Buffer *out, const char *text) {
    Str rest = str_from(text);
    Str line = {0};
    bool is_example = false;
    while (str_split(&rest, '\n', &line)) {
        const bool is_one = str_starts_with(line, STR("  "));
        if (is_one != is_example) buffer_add(out, is_one ? STR(".nf\n") : STR(".fi\n"));
        is_example = is_one;
        if (line.len == 0) {
            buffer_add(out, STR(".PP\n"));
            continue;
        }
        add_roff(out, line);
        buffer_add_char(out, '\n');
    }
    if (is_example) buffer_add(out, STR(".fi\n"));
}

static void add_option(Buffer *out, const ManualOption *option) {
    buffer_add(out, STR(".TP\n"));
    if (option->letter != 0) buffer_printf(out, "\\fB\\-%c\\fR, ", option->letter);
    buffer_add(out, STR("\\fB\\-\\-"));
    add_words(out, option->name);
    buffer_add(out, STR("\\fR"));
    if (option->value != NULL) {
        buffer_add(out, STR(" \\fI"));
        add_words(out, option->value);
        buffer_add(out, STR("\\fR"));
    }
    buffer_add_char(out, '\n');
    add_words(out, option->help);
    if (option->choices != NULL) {
        buffer_add(out, STR(" ("));
        add_words(out, option->choices);
        buffer_add_char(out, ')');
    }
    buffer_add_char(out, '\n');
}

static void add_statuses(const Manual *manual, Buffer *out) {
    buffer_add(out, STR(".SH EXIT STATUS\n"));
    for (size_t i = 0; i < manual->status_count; i++) {
        buffer_printf(out, ".TP\n%d\n", manual->statuses[i].status);
        add_words(out, manual->statuses[i].meaning);
        buffer_add_char(out, '\n');
    }
}

static void add_title(const Manual *manual, const ManualCommand *command, Buffer *out) {
    Buffer name = {0};
    buffer_printf(&name, "%s%s%s", manual->program, command == NULL ? "" : "-",
                  command == NULL ? "" : command->name);
    buffer_add(out, STR(".TH "));
    for (size_t i = 0; i < name.len; i++) {
        const char c = name.ptr[i];
        buffer_add_char(out, c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c);
    }
    buffer_printf(out, " 1 \"\" \"%s %s\"\n.SH NAME\n", manual->program, manual->version);
    add_roff(out, buffer_str(&name));
    buffer_add(out, STR(" \\- "));
    add_words(out, command == NULL ? manual->summary : command->summary);
    buffer_add_char(out, '\n');
    buffer_release(&name);
}

static void add_commands(const Manual *manual, Buffer *out) {
    buffer_add(out, STR(".SH COMMANDS\n"));
    for (uint32_t i = 0; i < manual->commands.count; i++) {
        const ManualCommand *command = &manual->commands.items[i];
        buffer_add(out, STR(".TP\n\\fB"));
        add_words(out, command->name);
        buffer_add(out, STR("\\fR "));
        add_words(out, command->usage);
        buffer_add_char(out, '\n');
        add_words(out, command->summary);
        buffer_add_char(out, '\n');
    }
}

void manual_page(const Manual *manual, const ManualCommand *command, Buffer *out) {
    add_title(manual, command, out);
    buffer_printf(out, ".SH SYNOPSIS\n\\fB%s%s", manual->program, command == NULL ? "" : " ");
    add_words(out, command == NULL ? "" : command->name);
    buffer_add(out, STR("\\fR "));
    add_words(out, command == NULL ? "COMMAND [OPTION...] [ARGUMENT...]" : command->usage);
    buffer_add_char(out, '\n');
    if (command == NULL) {
        add_commands(manual, out);
    } else {
        buffer_add(out, STR(".SH DESCRIPTION\n"));
        add_text(out, command->text == NULL ? command->summary : command->text);
        if (command->options.count > 0) buffer_add(out, STR(".SH OPTIONS\n"));
        for (uint32_t i = 0; i < command->options.count; i++) {
            add_option(out, &command->options.items[i]);
        }
    }
    add_statuses(manual, out);
    buffer_add(out, STR(".SH SEE ALSO\n"));
    for (uint32_t i = 0; command == NULL && i < manual->commands.count; i++) {
        buffer_printf(out, "%s.BR %s\\-", i == 0 ? "" : " ,\n", manual->program);
        add_words(out, manual->commands.items[i].name);
        buffer_add(out, STR(" (1)"));
    }
    if (command != NULL) buffer_printf(out, ".BR %s (1)", manual->program);
    buffer_add_char(out, '\n');
}

Err manual_write(const Manual *manual, const char *folder) {
    Arena arena = {0};
    Err err = dir_make(folder, 0755);
    for (uint32_t i = 0; i <= manual->commands.count && err.code == ERR_NONE; i++) {
        const ManualCommand *command = i == 0 ? NULL : &manual->commands.items[i - 1];
        Buffer page = {0};
        manual_page(manual, command, &page);
        const Str name = str_printf(&arena, "%s/%s%s%s.1", folder, manual->program,
                                    i == 0 ? "" : "-", i == 0 ? "" : command->name);
        err = file_write(str_to_c(&arena, name), buffer_str(&page), 0644);
        buffer_release(&page);
    }
    arena_release(&arena);
    return err;
}

// --- completion ---------------------------------------------------------------------------------

// The words a value is one of, with blanks between; empty: it is no choice.
static Str choices_of(const ManualOption *option, Arena *arena) {
    const char *text = option->choices;
    const bool has_words = text == NULL && option->value != NULL && option->value[0] >= 'a' &&
                           strchr(option->value, '|') != NULL;
    if (has_words) text = option->value;
    if (text == NULL) return (Str){0};
    char *words = (char *)str_to_c(arena, str_from(text));
    for (char *at = words; *at != '\0'; at++) {
        if (*at == '|') *at = ' ';
    }
    return str_from(words);
}

static bool takes_file(const ManualOption *option) {
    return option->value != NULL &&
           (strstr(option->value, "FILE") != NULL || strstr(option->value, "DIR") != NULL);
}

// Inside single quotes of a shell.
static void add_quoted(Buffer *out, Str text) {
    buffer_add_char(out, '\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\'') {
            buffer_add(out, STR("'\\''"));
        } else {
            buffer_add_char(out, text.ptr[i] == '\n' ? ' ' : text.ptr[i]);
        }
    }
    buffer_add_char(out, '\'');
}

static void bash_values(const ManualCommand *command, Arena *arena, Buffer *out) {
    for (uint32_t i = 0; i < command->options.count; i++) {
        const ManualOption *option = &command->options.items[i];
        if (option->value == NULL) continue;
        const Str words = choices_of(option, arena);
        buffer_printf(out, "    %s,--%s", command->name, option->name);
        if (option->letter != 0) buffer_printf(out, "|%s,-%c", command->name, option->letter);
        if (words.len > 0) {
            buffer_printf(out, ") COMPREPLY=($(compgen -W '" STR_FMT "' -- \"$word\")) ;;\n",
                          STR_ARG(words));
        } else if (takes_file(option)) {
            buffer_add(out, STR(") COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"));
        } else {
            buffer_add(out, STR(") COMPREPLY=() ;;\n"));
        }
    }
}

static void bash(const Manual *manual, Arena *arena, Buffer *out) {
    buffer_printf(out,
                  "# Completion of %s for bash.\n"
                  "_%s() {\n"
                  "  local IFS=$' \\t\\n' word=${COMP_WORDS[COMP_CWORD]} command= i\n"
                  "  local before=${COMP_WORDS[COMP_CWORD - 1]}\n"
                  "  if [ \"$word\" = = ]; then\n"
                  "    word=\n"
                  "  elif [ \"$before\" = = ]; then\n"
                  "    before=${COMP_WORDS[COMP_CWORD - 2]}\n"
                  "  fi\n"
                  "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
                  "    case ${COMP_WORDS[i]} in\n"
                  "    -*) ;;\n"
                  "    *) command=${COMP_WORDS[i]}; break ;;\n"
                  "    esac\n"
                  "  done\n"
                  "  case $command,$before in\n",
                  manual->program, manual->program);
    for (uint32_t i = 0; i < manual->commands.count; i++) {
        bash_values(&manual->commands.items[i], arena, out);
    }
    buffer_add(out, STR("    ,*) COMPREPLY=($(compgen -W '"));
    for (uint32_t i = 0; i < manual->commands.count; i++) {
        buffer_printf(out, "%s%s", i == 0 ? "" : " ", manual->commands.items[i].name);
    }
    buffer_add(out, STR("' -- \"$word\")) ;;\n    *)\n      case $command,$word in\n"));
    for (uint32_t i = 0; i < manual->commands.count; i++) {
        const ManualCommand *command = &manual->commands.items[i];
        buffer_printf(out, "        %s,-*) COMPREPLY=($(compgen -W '", command->name);
        for (uint32_t k = 0; k < command->options.count; k++) {
            buffer_printf(out, "--%s ", command->options.items[k].name);
        }
        buffer_add(out, STR("--help' -- \"$word\")) ;;\n"));
    }
    buffer_printf(out,
                  "        *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
                  "      esac ;;\n"
                  "  esac\n"
                  "}\n"
                  "complete -o filenames -F _%s %s\n",
                  manual->program, manual->program);
}

// In a specification of _arguments: brackets and colons mean something.
static Str zsh_text(const char *text, Arena *arena) {
    Buffer out = {0};
    for (; *text != '\0'; text++) {
        if (strchr("[]:\\", *text) != NULL) buffer_add_char(&out, '\\');
        buffer_add_char(&out, *text == '\n' ? ' ' : *text);
    }
    const Str escaped = buffer_to_str(&out, arena);
    buffer_release(&out);
    return escaped;
}

static void zsh_option(const ManualOption *option, Arena *arena, Buffer *out) {
    const Str words = choices_of(option, arena);
    Str spec = str_printf(arena, "[" STR_FMT "]", STR_ARG(zsh_text(option->help, arena)));
    if (option->value != NULL) {
        const Str value = zsh_text(option->value, arena);
        spec = str_printf(arena, "=" STR_FMT ":" STR_FMT ":", STR_ARG(spec), STR_ARG(value));
        if (words.len > 0)
            spec = str_printf(arena, STR_FMT "(" STR_FMT ")", STR_ARG(spec), STR_ARG(words));
        if (words.len == 0 && takes_file(option))
            spec = str_printf(arena, STR_FMT "_files", STR_ARG(spec));
    }
    buffer_add(out, STR(" \\\n        "));
    add_quoted(out, str_printf(arena, "*--%s" STR_FMT, option->name, STR_ARG(spec)));
    if (option->letter == 0) return;
    buffer_add(out, STR(" \\\n        "));
    // `-oFILE` and `-o FILE`.
    const Str rest = option->value == NULL ? spec : str_slice(spec, 1, spec.len);
    add_quoted(out, str_printf(arena, "*-%c%s" STR_FMT, option->letter,
                               option->value == NULL ? "" : "+", STR_ARG(rest)));
}

static void zsh(const Manual *manual, Arena *arena, Buffer *out) {
    buffer_printf(out,
                  "#compdef %s\n"
                  "# Completion of %s for zsh.\n"
                  "_%s() {\n"
                  "  local -a commands\n"
                  "  commands=(\n",
                  manual->program, manual->program, manual->program);
    for (uint32_t i = 0; i < manual->commands.count; i++) {
        const ManualCommand *command = &manual->commands.items[i];
        buffer_add(out, STR("    "));
        add_quoted(out, str_printf(arena, "%s:" STR_FMT, command->name,
                                   STR_ARG(zsh_text(command->summary, arena))));
        buffer_add_char(out, '\n');
    }
    buffer_add(out, STR("  )\n"
                        "  if (( CURRENT == 2 )); then\n"
                        "    _describe command commands\n"
                        "    return\n"
                        "  fi\n"
                        "  local command=$words[2]\n"
                        "  shift words\n"
                        "  (( CURRENT-- ))\n"
                        "  case $command in\n"));
    for (uint32_t i = 0; i < manual->commands.count; i++) {
        const ManualCommand *command = &manual->commands.items[i];
        buffer_printf(out, "    %s)\n      _arguments", command->name);
        for (uint32_t k = 0; k < command->options.count; k++) {
            zsh_option(&command->options.items[k], arena, out);
        }
        buffer_add(out, STR(" \\\n        '--help[this text]' '*:file:_files' ;;\n"));
    }
    buffer_printf(out, "  esac\n}\n_%s \"$@\"\n", manual->program);
}

static void fish_option(const Manual *manual, const ManualCommand *command,
                        const ManualOption *option, Arena *arena, Buffer *out) {
    const Str words = choices_of(option, arena);
    buffer_printf(out, "complete -c %s -n '__fish_seen_subcommand_from %s' -l %s", manual->program,
                  command->name, option->name);
    if (option->letter != 0) buffer_printf(out, " -s %c", option->letter);
    if (option->value != NULL)
        buffer_add(out, words.len > 0 || !takes_file(option) ? STR(" -x") : STR(" -r"));
    if (words.len > 0) buffer_printf(out, " -a '" STR_FMT "'", STR_ARG(words));
    buffer_add(out, STR(" -d "));
    // Of fish's own quotes: a backslash and a quote are escaped.
    buffer_add_char(out, '\'');
    for (const char *at = option->help; *at != '\0'; at++) {
        if (*at == '\'' || *at == '\\') buffer_add_char(out, '\\');
        buffer_add_char(out, *at == '\n' ? ' ' : *at);
    }
    buffer_add(out, STR("'\n"));
}

static void fish(const Manual *manual, Arena *arena, Buffer *out) {
    buffer_printf(out, "# Completion of %s for fish.\n", manual->program);
    for (uint32_t i = 0; i < manual->commands.count; i++) {
        const ManualCommand *command = &manual->commands.items[i];
        buffer_printf(out, "complete -c %s -n __fish_use_subcommand -f -a %s -d '", manual->program,
                      command->name);
        for (const char *at = command->summary; *at != '\0'; at++) {
            if (*at == '\'' || *at == '\\') buffer_add_char(out, '\\');
            buffer_add_char(out, *at == '\n' ? ' ' : *at);
        }
        buffer_add(out, STR("'\n"));
        for (uint32_t k = 0; k < command->options.count; k++) {
            fish_option(manual, command, &command->options.items[k], arena, out);
        }
    }
}

bool manual_completion(const Manual *manual, Str shell, Buffer *out) {
    static const struct {
        const char *name;
        void (*write)(const Manual *manual, Arena *arena, Buffer *out);
    } shells[] = {
        {"bash", bash},
        {"zsh",  zsh },
        {"fish", fish},
    };
    for (size_t i = 0; i < COUNT(shells); i++) {
        if (!str_eq(shell, str_from(shells[i].name))) continue;
        Arena arena = {0};
        shells[i].write(manual, &arena, out);
        arena_release(&arena);
        return true;
    }
    return false;
}
