/* status.c: google.rpc.Status, the same bytes from everyone. */
#include "wire/status.h"

#include <stdlib.h>
#include <string.h>

#include "wire/own.h"
#include "wire/precheck.h"
#include "wire/scan.h"
#include "wire/status_message.h"

#define TEXT_MAX        512
#define STATUS_MAX      4096
#define META_MAX        16
#define TYPE_ERROR_INFO "type.googleapis.com/google.rpc.ErrorInfo"
#define TYPE_RETRY_INFO "type.googleapis.com/google.rpc.RetryInfo"

const struct status_id status_ids[STATUS_KNOWN_N] = {
#define X(name, id, category, retry, redacted) [STATUS_##name] = {id, category, retry, redacted},
#include "wire/status_ids.def"
#undef X
};

int status_code_of_category(int category)
{
    static const uint8_t codes[] = {13, 14, 10, 4, 13, 3, 16, 7, 3, 9, 6, 5, 11, 13, 12};

    return category >= 0 && category < (int)sizeof(codes) ? codes[category] : 13;
}

/* The longest prefix of at most max bytes that ends between characters. */
static size_t cut_length(const char *s, size_t len, size_t max)
{
    if (len <= max)
        return len;
    while (max > 0 && ((uint8_t)s[max] & 0xc0) == 0x80)
        max--;
    return max;
}

/* How many bytes the first TEXT_MAX characters take. */
static size_t text_length(const char *s)
{
    size_t characters = 0, i = 0;

    for (; s[i]; i++)
        if (((uint8_t)s[i] & 0xc0) != 0x80 && ++characters > TEXT_MAX)
            break;
    return i;
}

struct entry {
    const char *key, *value;
    size_t len;  /* of the value, as written */
    bool is_cut; /* "..." follows */
};

static void put_entry(struct buffer *info, const struct entry *e)
{
    struct buffer one = BUFFER_INIT, value = BUFFER_INIT;

    buffer_append(&value, e->value, e->len);
    if (e->is_cut)
        buffer_append_str(&value, "...");
    put_str(&one, 1, e->key);
    put_bytes(&one, 2, buffer_bytes(&value));
    put_bytes(info, 3, buffer_bytes(&one));
    info->failed = info->failed || one.failed || value.failed;
    buffer_free(&one);
    buffer_free(&value);
}

/* Appends an Any. */
static void put_any(struct buffer *out, const char *type, struct bytes value)
{
    struct buffer any = BUFFER_INIT;

    put_str(&any, 1, type);
    put_bytes(&any, 2, value);
    put_bytes(out, 3, buffer_bytes(&any));
    out->failed = out->failed || any.failed;
    buffer_free(&any);
}

static void put_status(struct buffer *out, const struct status_id *id, const char *message,
                       const struct entry *entries, size_t n)
{
    static const uint8_t one_second[] = {0x0a, 2, 8, 1};
    struct buffer info = BUFFER_INIT;
    char category[12] = {0};

    put_varint(out, 1, (uint64_t)status_code_of_category(id->category));
    put_str(out, 2, message);
    if (id->redacted)
        return;
    put_str(&info, 1, id->id);
    for (size_t i = 0; i < n; i++)
        put_entry(&info, &entries[i]);
    category[0] = (char)('0' + id->category % 10);
    if (id->category >= 10) {
        category[1] = category[0];
        category[0] = '1';
    }
    put_entry(&info, &(struct entry){"category", category, strlen(category), false});
    put_any(out, TYPE_ERROR_INFO, buffer_bytes(&info));
    if (id->retry)
        put_any(out, TYPE_RETRY_INFO, bytes_of(one_second, sizeof(one_second)));
    out->failed = out->failed || info.failed;
    buffer_free(&info);
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    size_t nx = strlen(x->key) + strlen(x->value), ny = strlen(y->key) + strlen(y->value);

    if (nx != ny)
        return nx < ny ? -1 : 1;
    return strcmp(x->key, y->key);
}

/* Shortens the largest entry by what is too much, or drops it. */
static void shorten(struct entry *entries, size_t *n, size_t excess)
{
    struct entry *last = &entries[*n - 1];

    if (last->len > excess + 8) {
        last->len = cut_length(last->value, last->len, last->len - excess - 8);
        last->is_cut = true;
    } else {
        (*n)--;
    }
}

static void put_message(struct buffer *out, const struct status_id *id, const char *trace,
                        const char *text)
{
    size_t len = text_length(text);

    if (id->redacted) {
        buffer_printf(out,
                      "An error occurred. Please contact the operator and inquire about the "
                      "request <no-correlation-id> with tid <%s>",
                      trace ? trace : "no-tid");
        return;
    }
    buffer_printf(out, "%s(%d,%.8s): ", id->id, id->category, trace ? trace : "0");
    buffer_append(out, text, len);
    if (text[len])
        buffer_append_str(out, "...");
}

bool wire_status_make(enum status_known id, const char *trace, const struct status_meta *meta,
                      size_t n_meta, const char *text, struct wire_status *out, struct error *err)
{
    const struct status_id *known = &status_ids[id];
    struct buffer message = BUFFER_INIT, all = BUFFER_INIT;
    struct entry entries[META_MAX + 1];
    size_t n = 0;
    bool ok;

    put_message(&message, known, trace, text);
    for (size_t i = 0; i < n_meta && n < META_MAX; i++)
        if (*meta[i].key && *meta[i].value)
            entries[n++] = (struct entry){meta[i].key, meta[i].value, strlen(meta[i].value), false};
    if (trace)
        entries[n++] = (struct entry){"tid", trace, strlen(trace), false};
    qsort(entries, n, sizeof(*entries), compare_entries);
    for (;;) {
        buffer_clear(&all);
        put_status(&all, known, message.failed ? "" : buffer_cstr(&message), entries, n);
        if (all.failed || all.len <= STATUS_MAX || n == 0)
            break;
        shorten(entries, &n, all.len - STATUS_MAX);
    }
    ok = buffer_ok(&message, err) && buffer_ok(&all, err) &&
         wire_status_parse(buffer_bytes(&all), out, err);
    buffer_free(&message);
    buffer_free(&all);
    return ok;
}

bool wire_status_make_event(enum status_known id, const char *text, struct wire_status *out,
                            struct error *err)
{
    static const struct status_meta meta = {"definite_answer", "true"};

    return wire_status_make(id, NULL, &meta, 1, text, out, err);
}

bool wire_status_from(const Rpc__Status *m, struct wire_status *out, struct error *err)
{
    *out = (struct wire_status){.code = m->code};
    if (!own_str(m->message, &out->message, err) ||
        !own_array(m->n_details, sizeof(*out->details), &out->details, err)) {
        wire_status_free(out);
        return false;
    }
    out->n_details = m->n_details;
    for (size_t i = 0; i < m->n_details; i++) {
        if (!own_str(m->details[i]->type_url, &out->details[i].type_url, err) ||
            !own_bytes(bytes_pb(m->details[i]->value), &out->details[i].value, err)) {
            wire_status_free(out);
            return false;
        }
    }
    return true;
}

bool wire_status_to(const struct wire_status *s, Rpc__Status **out, struct error *err)
{
    struct block {
        Rpc__Status status;
        Google__Protobuf__Any *list[];
    } * block;
    Google__Protobuf__Any *details;

    if (!own_array(1, sizeof(*block) + s->n_details * (sizeof(*block->list) + sizeof(*details)),
                   &block, err))
        return false;
    rpc__status__init(&block->status);
    details = (Google__Protobuf__Any *)(void *)(block->list + s->n_details);
    block->status.code = s->code;
    if (s->message)
        block->status.message = s->message;
    block->status.n_details = s->n_details;
    block->status.details = block->list;
    for (size_t i = 0; i < s->n_details; i++) {
        google__protobuf__any__init(&details[i]);
        details[i].type_url = s->details[i].type_url;
        details[i].value = pb_bytes(buffer_bytes(&s->details[i].value));
        block->list[i] = &details[i];
    }
    *out = &block->status; /* the first member: freeing it frees the block */
    return true;
}

bool wire_status_parse(struct bytes in, struct wire_status *out, struct error *err)
{
    Rpc__Status *m = wire_unpack(&rpc__status__descriptor, in, err);
    bool ok = m && wire_status_from(m, out, err);

    wire_message_free(m);
    return ok;
}

bool wire_status_build(const struct wire_status *s, struct buffer *out, struct error *err)
{
    Rpc__Status *m;
    bool ok;

    if (!wire_status_to(s, &m, err))
        return false;
    ok = wire_pack(m, out, err);
    free(m);
    return ok;
}

void wire_status_free(struct wire_status *s)
{
    if (!s)
        return;
    free(s->message);
    for (size_t i = 0; s->details && i < s->n_details; i++) {
        free(s->details[i].type_url);
        buffer_free(&s->details[i].value);
    }
    free(s->details);
    *s = (struct wire_status){0};
}

/* The one ErrorInfo; NULL when there is none, or several, or it does not parse. */
static Rpc__ErrorInfo *error_info(const struct wire_status *s)
{
    const struct status_detail *found = NULL;

    for (size_t i = 0; i < s->n_details; i++) {
        if (strcmp(s->details[i].type_url, TYPE_ERROR_INFO) != 0)
            continue;
        if (found)
            return NULL;
        found = &s->details[i];
    }
    return found ? wire_unpack(&rpc__error_info__descriptor, buffer_bytes(&found->value), NULL)
                 : NULL;
}

static const char *info_meta(const Rpc__ErrorInfo *info, const char *key)
{
    for (size_t i = info->n_metadata; i-- > 0;) /* of equal keys the last counts */
        if (strcmp(info->metadata[i]->key, key) == 0)
            return info->metadata[i]->value;
    return NULL;
}

char *wire_status_reason(const struct wire_status *s)
{
    Rpc__ErrorInfo *info = error_info(s);
    char *reason = info && info_meta(info, "category") ? strdup(info->reason) : NULL;

    wire_message_free(info);
    return reason;
}

char *wire_status_meta(const struct wire_status *s, const char *key)
{
    Rpc__ErrorInfo *info = error_info(s);
    const char *value = info ? info_meta(info, key) : NULL;
    char *copy = value ? strdup(value) : NULL;

    wire_message_free(info);
    return copy;
}

bool wire_status_is_retryable(const struct wire_status *s)
{
    for (size_t i = 0; i < s->n_details; i++)
        if (strcmp(s->details[i].type_url, TYPE_RETRY_INFO) == 0)
            return true;
    return false;
}
