/* own.c: copies that parsed structs keep. */
#include "wire/own.h"

#include <stdlib.h>
#include <string.h>

static bool no_memory(struct error *err)
{
    return error_set(err, ERR_MEMORY, NULL, "no memory for a message");
}

bool own_str(const char *s, char **out, struct error *err)
{
    *out = strdup(s);
    return *out ? true : no_memory(err);
}

bool own_strn(struct bytes v, char **out, struct error *err)
{
    *out = malloc(v.len + 1);
    if (!*out)
        return no_memory(err);
    if (v.len > 0)
        memcpy(*out, v.data, v.len);
    (*out)[v.len] = 0;
    return true;
}

bool own_bytes(struct bytes v, struct buffer *out, struct error *err)
{
    *out = (struct buffer)BUFFER_INIT;
    buffer_append_bytes(out, v);
    return buffer_ok(out, err);
}

bool own_array(size_t n, size_t size, void *out, struct error *err)
{
    void *p = NULL;

    if (n > 0) {
        p = calloc(n, size);
        if (!p)
            return no_memory(err);
    }
    memcpy(out, &p, sizeof(p)); /* *out is some pointer type of the caller's */
    return true;
}

bool own_strs(char *const *from, size_t n, char ***out, struct error *err)
{
    if (!own_array(n, sizeof(char *), out, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!own_str(from[i], &(*out)[i], err)) {
            own_strs_free(*out, n);
            *out = NULL;
            return false;
        }
    }
    return true;
}

void own_strs_free(char **strs, size_t n)
{
    for (size_t i = 0; strs && i < n; i++)
        free(strs[i]);
    free(strs);
}

static int compare_strs(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

size_t own_strs_set(char **strs, size_t n)
{
    size_t kept = 0;

    if (n > 1)
        qsort(strs, n, sizeof(*strs), compare_strs);
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && strcmp(strs[kept - 1], strs[i]) == 0)
            free(strs[i]);
        else
            strs[kept++] = strs[i];
    }
    for (size_t i = kept; i < n; i++)
        strs[i] = NULL;
    return kept;
}
