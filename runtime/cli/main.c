// main.c - flowrun.
#include "cli/cli.h"
#include "leaf/leaf.h"

const bool flow_has_jq_helper = true;

int main(int argc, char **argv) {
    if (jq_helper_asked(argc, argv)) return jq_helper_main();
    return cli_main(argc, argv);
}
