// internal.h - libcurl as a table of functions, opened late.
#ifndef FLOW_NET_INTERNAL_H
#define FLOW_NET_INTERNAL_H

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include "net/net.h"

typedef struct CurlApi {
    void *library;
    CURLcode (*global_init)(long flags, curl_malloc_callback allocate, curl_free_callback release,
                            curl_realloc_callback resize, curl_strdup_callback copy,
                            curl_calloc_callback clean);
    void (*global_cleanup)(void);
    CURL *(*easy_init)(void);
    void (*easy_cleanup)(CURL *easy);
    CURLcode (*easy_set)(CURL *easy, CURLoption option, ...);
    CURLcode (*easy_get)(CURL *easy, CURLINFO info, ...);
    const char *(*easy_error)(CURLcode code);
    CURLM *(*multi_init)(void);
    CURLMcode (*multi_cleanup)(CURLM *multi);
    CURLMcode (*multi_add)(CURLM *multi, CURL *easy);
    CURLMcode (*multi_remove)(CURLM *multi, CURL *easy);
    CURLMcode (*multi_set)(CURLM *multi, CURLMoption option, ...);
    CURLMcode (*multi_action)(CURLM *multi, curl_socket_t socket, int events, int *running);
    CURLMcode (*multi_assign)(CURLM *multi, curl_socket_t socket, void *what);
    CURLMsg *(*multi_info)(CURLM *multi, int *left);
    struct curl_slist *(*slist_append)(struct curl_slist *list, const char *text);
    void (*slist_free)(struct curl_slist *list);
    CURLU *(*url_new)(void);
    void (*url_free)(CURLU *url);
    CURLUcode (*url_set)(CURLU *url, CURLUPart part, const char *text, unsigned flags);
    CURLUcode (*url_get)(const CURLU *url, CURLUPart part, char **text, unsigned flags);
    void (*text_free)(void *block);
} CurlApi;

MUST_CHECK Err curl_open(CurlApi *out);
void curl_close(CurlApi *api);

#endif
