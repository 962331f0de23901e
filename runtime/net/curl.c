// curl.c - opens libcurl on first use.
#include <dlfcn.h>
#include <string.h>

#include "base/wiped.h"
#include "net/internal.h"

static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};

typedef struct Symbol {
    const char *name;
    size_t at;  // offset of its pointer in CurlApi
} Symbol;

#define SYMBOL(member, name)                                                                       \
    { "curl_" name, offsetof(CurlApi, member) }

static const Symbol symbols[] = {
    SYMBOL(global_init, "global_init_mem"),
    SYMBOL(global_cleanup, "global_cleanup"),
    SYMBOL(easy_init, "easy_init"),
    SYMBOL(easy_cleanup, "easy_cleanup"),
    SYMBOL(easy_set, "easy_setopt"),
    SYMBOL(easy_get, "easy_getinfo"),
    SYMBOL(easy_error, "easy_strerror"),
    SYMBOL(multi_init, "multi_init"),
    SYMBOL(multi_cleanup, "multi_cleanup"),
    SYMBOL(multi_add, "multi_add_handle"),
    SYMBOL(multi_remove, "multi_remove_handle"),
    SYMBOL(multi_set, "multi_setopt"),
    SYMBOL(multi_action, "multi_socket_action"),
    SYMBOL(multi_assign, "multi_assign"),
    SYMBOL(multi_info, "multi_info_read"),
    SYMBOL(slist_append, "slist_append"),
    SYMBOL(slist_free, "slist_free_all"),
    SYMBOL(url_new, "url"),
    SYMBOL(url_free, "url_cleanup"),
    SYMBOL(url_set, "url_set"),
    SYMBOL(url_get, "url_get"),
    SYMBOL(text_free, "free"),
};

Err curl_open(CurlApi *out) {
    CurlApi api = {0};
    for (size_t i = 0; i < COUNT(names) && api.library == NULL; i++) {
        api.library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    }
    if (api.library == NULL) {
        return err_make(ERR_UNAVAILABLE,
                        "HTTP needs the library 'libcurl.so.4', which cannot be opened: install it "
                        "(Debian: libcurl4)");
    }
    for (size_t i = 0; i < COUNT(symbols); i++) {
        void *address = dlsym(api.library, symbols[i].name);
        if (address == NULL) {
            dlclose(api.library);
            return err_make(ERR_UNAVAILABLE,
                            "the installed libcurl is too old: it lacks '%s' (7.85 is needed)",
                            symbols[i].name);
        }
        memcpy((char *)&api + symbols[i].at, &address, sizeof address);
    }
    // Its requests hold secrets: what it frees is wiped.
    if (api.global_init(CURL_GLOBAL_DEFAULT, wiped_malloc, wiped_free, wiped_realloc, wiped_strdup,
                        wiped_calloc) != CURLE_OK) {
        dlclose(api.library);
        return err_make(ERR_UNAVAILABLE, "libcurl cannot be initialised");
    }
    *out = api;
    return err_none();
}

void curl_close(CurlApi *api) {
    if (api->library == NULL) return;
    api->global_cleanup();
    // Stays mapped: its TLS library has registered functions for the end of the program.
    *api = (CurlApi){0};
}
