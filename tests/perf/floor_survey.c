// floor_survey.c - the floor of checking many flows: libyaml walks each, tree-sitter parses the
// templates among its scalars. usage: floor_survey FILE...
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tree_sitter/api.h>
#include <yaml.h>

const TSLanguage *tree_sitter_flow_template(void);

static size_t parse(TSParser *parser, const yaml_event_t *event) {
    const char *text = (const char *)event->data.scalar.value;
    if (strstr(text, "{{") == NULL && strstr(text, "{%") == NULL) return 0;
    TSTree *tree = ts_parser_parse_string(parser, NULL, text, (uint32_t)event->data.scalar.length);
    ts_tree_delete(tree);
    return 1;
}

static size_t walk(TSParser *expressions, const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) exit(2);
    yaml_parser_t parser;
    yaml_parser_initialize(&parser);
    yaml_parser_set_input_file(&parser, file);
    size_t templates = 0;
    for (int is_end = 0; !is_end;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) break;
        is_end = event.type == YAML_STREAM_END_EVENT;
        if (event.type == YAML_SCALAR_EVENT) templates += parse(expressions, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    fclose(file);
    return templates;
}

int main(int argc, char **argv) {
    size_t templates = 0;
    TSParser *expressions = ts_parser_new();
    if (!ts_parser_set_language(expressions, tree_sitter_flow_template())) return 2;
    for (int i = 1; i < argc; i++) templates += walk(expressions, argv[i]);
    ts_parser_delete(expressions);
    printf("%zu templates in %d files\n", templates, argc - 1);
    return 0;
}
