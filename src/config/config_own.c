/* config_own.c: who frees what of a configuration, and the storage that is derived. */
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/options.h"

static void free_secret(char **s)
{
    if (*s != NULL)
        explicit_bzero(*s, strlen(*s));
    free(*s);
    *s = NULL;
}

static void free_urls(struct config_urls *u)
{
    for (size_t i = 0; i < u->n; i++) {
        free(u->url[i].text);
        free(u->url[i].host);
    }
    free(u->url);
    *u = (struct config_urls){0};
}

static void free_named_urls(struct config_named_urls *u)
{
    for (size_t i = 0; i < u->n; i++) {
        free(u->entry[i].name);
        free_urls(&u->entry[i].urls);
    }
    free(u->entry);
    *u = (struct config_named_urls){0};
}

static void free_field(const struct option *o, void *base)
{
    void *field = (char *)base + o->offset;

    switch (o->type) {
    case OPT_STRING:
    case OPT_HIDDEN:
    case OPT_PATH:
        free_secret(field);
        break;
    case OPT_URLS:
        free_urls(field);
        break;
    case OPT_NAMED_URLS:
        free_named_urls(field);
        break;
    case OPT_BOOL:
    case OPT_INT:
    case OPT_DURATION:
    case OPT_SIZE:
    case OPT_ENUM:
        break;
    }
}

void config_free(struct config *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; c->node != NULL && i < c->n_nodes; i++) {
        for (size_t k = 0; k < n_node_options; k++)
            free_field(&node_options[k], &c->node[i]);
        free(c->node[i].name);
        free(c->node[i].places);
    }
    for (size_t k = 0; k < n_top_options; k++)
        free_field(&top_options[k], c);
    free(c->node);
    free(c->path);
    free(c);
}

void config_storage_free(struct config_storage *s)
{
    char **text[] = {&s->file,
                     &s->driver,
                     &s->dsn,
                     &s->server,
                     &s->database,
                     &s->schema,
                     &s->user,
                     &s->password,
                     &s->options,
                     &s->password_file,
                     &s->tls_root_file,
                     &s->tls_cert_file,
                     &s->tls_key_file,
                     &s->migration_user,
                     &s->migration_password,
                     &s->migration_password_file};

    for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++)
        free_secret(text[i]);
}

static char *copy(const char *s, bool *ok)
{
    char *c = s != NULL ? strdup(s) : NULL;

    *ok = *ok && (s == NULL || c != NULL);
    return c;
}

/* "demo.db" to "demo-mediator.db"; a dot in a folder's name is no extension. */
static char *mediator_file(const char *file)
{
    const char *slash = strrchr(file, '/'), *name = slash != NULL ? slash + 1 : file;
    const char *dot = strrchr(name, '.');
    int stem = (int)(dot != NULL && dot > name ? dot - file : (ptrdiff_t)strlen(file));
    char *out = NULL;

    return asprintf(&out, "%.*s-mediator%s", stem, file, file + stem) < 0 ? NULL : out;
}

bool config_storage_of_mediator(const struct config_storage *from, struct config_storage *out,
                                struct error *err)
{
    bool ok = true;

    *out = *from;
    out->driver = copy(from->driver, &ok);
    out->dsn = copy(from->dsn, &ok);
    out->server = copy(from->server, &ok);
    out->database = copy(from->database, &ok);
    out->user = copy(from->user, &ok);
    out->password = copy(from->password, &ok);
    out->options = copy(from->options, &ok);
    out->password_file = copy(from->password_file, &ok);
    out->migration_user = copy(from->migration_user, &ok);
    out->migration_password = copy(from->migration_password, &ok);
    out->migration_password_file = copy(from->migration_password_file, &ok);
    out->tls_root_file = copy(from->tls_root_file, &ok);
    out->tls_cert_file = copy(from->tls_cert_file, &ok);
    out->tls_key_file = copy(from->tls_key_file, &ok);
    out->file = from->file != NULL ? mediator_file(from->file) : NULL;
    out->schema = NULL;
    ok = ok && (from->file == NULL || out->file != NULL);
    if (from->type != CONFIG_SQLITE &&
        asprintf(&out->schema, "%s_mediator", from->schema != NULL ? from->schema : "lockstep") <
            0) {
        out->schema = NULL;
        ok = false;
    }
    if (ok)
        return true;
    config_storage_free(out);
    return error_set(err, ERR_MEMORY, NULL, "no memory for the embedded mediator's storage");
}
