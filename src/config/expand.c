/* expand.c: ${env:NAME}, ${file:PATH} and ${credential:NAME} in values. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "config/yaml_tree.h"

#define NAME_MAX_LEN 4096

static bool add_env(const char *name, struct buffer *out, char *why, size_t size)
{
    const char *value = getenv(name);

    if (value == NULL) {
        snprintf(why, size, "${env:%.100s}: the environment has no %.100s; set it", name, name);
        return false;
    }
    buffer_append_str(out, value);
    return true;
}

/* The whole file without one newline at its end. */
static bool add_file(const char *name, const char *folder, struct buffer *out, char *why,
                     size_t size)
{
    struct buffer path = BUFFER_INIT;
    char *data = malloc(YAML_SECRET_MAX + 1);
    FILE *f = NULL;
    bool ok = false;

    if (name[0] != '/' && folder != NULL)
        buffer_printf(&path, "%s/", folder);
    buffer_append_str(&path, name);
    const char *text = buffer_cstr(&path);

    if (data != NULL && text != NULL)
        f = fopen(text, "re");
    if (f == NULL) {
        snprintf(why, size, "${file:%.100s}: %s; make it readable for this account", name,
                 strerror(errno));
        goto out;
    }
    size_t n = fread(data, 1, YAML_SECRET_MAX + 1, f);

    if (ferror(f) != 0) {
        snprintf(why, size, "${file:%.100s}: %s", name, strerror(errno));
    } else if (n > YAML_SECRET_MAX || memchr(data, '\0', n) != NULL) {
        snprintf(why, size, "${file:%.100s}: not a text of at most 64 KiB", name);
    } else {
        buffer_append(out, data, n > 0 && data[n - 1] == '\n' ? n - 1 : n);
        ok = true;
    }
    explicit_bzero(data, YAML_SECRET_MAX + 1);
out:
    if (f != NULL)
        fclose(f);
    free(data);
    buffer_free(&path);
    return ok;
}

/* A credential that systemd hands over (LoadCredential=, LoadCredentialEncrypted=). */
static bool add_credential(const char *name, struct buffer *out, char *why, size_t size)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");

    if (folder == NULL || strchr(name, '/') != NULL) {
        snprintf(why, size, "${credential:%.100s}: %s", name,
                 folder == NULL ? "systemd gave no credentials to this process; write "
                                  "LoadCredential= into its unit"
                                : "not the name of a credential");
        return false;
    }
    return add_file(name, folder, out, why, size);
}

/* One ${...}, text behind the "${". Sets *after behind the "}". */
static bool add_one(const char *text, const char *folder, struct buffer *out, const char **after,
                    char *why, size_t size)
{
    const char *end = strchr(text, '}');
    char name[NAME_MAX_LEN];

    if (end == NULL || (size_t)(end - text) >= sizeof(name)) {
        snprintf(why, size,
                 "\"${\" without its \"}\"; write ${env:NAME}, ${file:PATH} or ${credential:NAME}, "
                 "or $${ for the characters themselves");
        return false;
    }
    memcpy(name, text, (size_t)(end - text));
    name[end - text] = '\0';
    *after = end + 1;
    if (strncmp(name, "env:", 4) == 0 && name[4] != '\0')
        return add_env(name + 4, out, why, size);
    if (strncmp(name, "file:", 5) == 0 && name[5] != '\0')
        return add_file(name + 5, folder, out, why, size);
    if (strncmp(name, "credential:", 11) == 0 && name[11] != '\0')
        return add_credential(name + 11, out, why, size);
    snprintf(
        why, size,
        "${%.100s}: unknown; write ${env:NAME}, ${file:PATH} or ${credential:NAME}, or $${ for the "
        "characters themselves",
        name);
    return false;
}

char *yaml_file_of(const char *text, const char *folder)
{
    static const char head[] = "${file:";
    const size_t n = strlen(text), used = sizeof(head) - 1;
    char *path = NULL;

    if (n < used + 2 || strncmp(text, head, used) != 0 || strchr(text, '}') != text + n - 1)
        return NULL;
    const int len = (int)(n - used - 1);
    const bool is_whole = text[used] == '/' || folder == NULL;
    return asprintf(&path, "%s%s%.*s", is_whole ? "" : folder, is_whole ? "" : "/", len,
                    text + used) < 0
               ? NULL
               : path;
}

char *yaml_expand(const char *text, const char *folder, char *why, size_t size)
{
    struct buffer out = BUFFER_INIT;
    char *result = NULL;

    snprintf(why, size, "no memory");
    while (*text != '\0') {
        if (strncmp(text, "$${", 3) == 0) {
            buffer_append_str(&out, "${");
            text += 3;
        } else if (strncmp(text, "${", 2) == 0) {
            if (!add_one(text + 2, folder, &out, &text, why, size))
                goto out;
        } else {
            buffer_append_byte(&out, (uint8_t)*text++);
        }
    }
    const char *whole = buffer_cstr(&out);

    result = whole != NULL ? strdup(whole) : NULL;
out:
    buffer_free(&out);
    return result;
}
