// main.c - flowc.
#include "cli/cli.h"

int main(int argc, char **argv) {
    return flowc_main(argc, argv);
}
