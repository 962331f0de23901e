// floor_start.c - the floor "start": a program linked with flowrun's libraries that does nothing.
#include <lua.h>
#include <pcre2.h>
#include <sodium.h>
#include <sqlite3.h>
#include <uv.h>
#include <yaml.h>

int main(int argc, char **argv) {
    (void)argv;
    // Never true; the calls keep the libraries on the link line.
    if (argc > 1000) {
        pcre2_config_8(0, NULL);
        return sodium_init() + sqlite3_libversion_number() + (int)uv_version() +
               (yaml_get_version_string() == NULL) + (lua_newstate(NULL, NULL) == NULL);
    }
    return 0;
}
