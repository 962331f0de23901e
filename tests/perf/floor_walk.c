// floor_walk.c - the floor "walk": a process that reads a file and walks it with libyaml. usage:
// floor_walk FILE...
#include <stdio.h>
#include <stdlib.h>

#include <yaml.h>

static size_t walk(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) exit(2);
    yaml_parser_t parser;
    yaml_parser_initialize(&parser);
    yaml_parser_set_input_file(&parser, file);
    size_t events = 0;
    for (int is_end = 0; !is_end; events++) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) break;
        is_end = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    fclose(file);
    return events;
}

int main(int argc, char **argv) {
    size_t events = 0;
    for (int i = 1; i < argc; i++) events += walk(argv[i]);
    return events == 0;
}
