#include <curl/curl.h>

// Swift can't call functions with "...": one for each kind of argument that we pass.

static inline CURLcode techheroes_curl_set_number(CURL *handle, CURLoption option, long value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode techheroes_curl_set_size(CURL *handle, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(handle, option, value);
}

// A string is copied by libcurl; a list or other pointer has to live for as long as it is used.
static inline CURLcode techheroes_curl_set_string(CURL *handle, CURLoption option, const char *value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode techheroes_curl_set_pointer(CURL *handle, CURLoption option, void *value) {
    return curl_easy_setopt(handle, option, value);
}

// Reads what is to be sent, or takes what has come: size times count bytes at most, and exactly.
typedef size_t (*techheroes_curl_transfer)(char *bytes, size_t size, size_t count, void *context);

static inline CURLcode techheroes_curl_set_function(CURL *handle, CURLoption option, techheroes_curl_transfer value) {
    return curl_easy_setopt(handle, option, value);
}

static inline long techheroes_curl_response_code(CURL *handle) {
    long code = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &code);
    return code;
}
