#include "cli/pb_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"

#define TIMESTAMP "google.protobuf.Timestamp"
#define DEPTH_MAX 32

static const void *member(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    return (const char *)m + f->offset;
}

/* ---- to JSON ---- */

static json_t *bytes_to_json(const ProtobufCBinaryData *b)
{
    char *hex = malloc(2 * b->len + 1);
    json_t *j = NULL;

    if (hex != NULL) {
        hex_encode(bytes_of(b->data, b->len), hex);
        j = json_string(hex);
    }
    free(hex);
    return j;
}

static json_t *enum_to_json(const ProtobufCEnumDescriptor *d, int value)
{
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(d, value);

    return v != NULL ? json_string(v->name) : json_integer(value);
}

static json_t *time_to_json(const ProtobufCMessage *m)
{
    const int64_t *seconds = member(m, &m->descriptor->fields[0]);
    const int32_t *nanos = member(m, &m->descriptor->fields[1]);
    char text[CLOCK_TEXT_LEN];

    clock_format(*seconds * US_PER_S + *nanos / 1000, text);
    return json_string(text);
}

static json_t *value_to_json(const ProtobufCFieldDescriptor *f, const void *at)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_BOOL:
        return json_boolean(*(const protobuf_c_boolean *)at);
    case PROTOBUF_C_TYPE_ENUM:
        return enum_to_json(f->descriptor, *(const int *)at);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return json_integer(*(const int32_t *)at);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return json_integer(*(const uint32_t *)at);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return json_integer(*(const int64_t *)at);
    case PROTOBUF_C_TYPE_FLOAT:
        return json_real((double)*(const float *)at);
    case PROTOBUF_C_TYPE_DOUBLE:
        return json_real(*(const double *)at);
    case PROTOBUF_C_TYPE_STRING:
        return json_string(*(char *const *)at);
    case PROTOBUF_C_TYPE_BYTES:
        return bytes_to_json(at);
    case PROTOBUF_C_TYPE_MESSAGE:
        return pb_to_json(*(ProtobufCMessage *const *)at);
    }
    return NULL;
}

static size_t width(const ProtobufCFieldDescriptor *f)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_ENUM:
        break;
    }
    return 4;
}

static bool is_set(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    const void *at = member(m, f);
    const void *quantity = (const char *)m + f->quantifier_offset;

    if (f->label == PROTOBUF_C_LABEL_REPEATED)
        return *(const size_t *)quantity > 0;
    if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0)
        return *(const uint32_t *)quantity == f->id;
    if (f->type == PROTOBUF_C_TYPE_MESSAGE)
        return *(void *const *)at != NULL;
    if (f->type == PROTOBUF_C_TYPE_STRING)
        return *(char *const *)at != NULL && (*(char *const *)at)[0] != '\0';
    if (f->type == PROTOBUF_C_TYPE_BYTES)
        return ((const ProtobufCBinaryData *)at)->len > 0;
    return true;
}

static json_t *list_to_json(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    size_t n = *(const size_t *)(const void *)((const char *)m + f->quantifier_offset);
    const char *items = *(char *const *)member(m, f);
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, value_to_json(f, items + i * width(f)));
    return list;
}

json_t *pb_to_json(const ProtobufCMessage *m)
{
    json_t *o = json_object();

    if (strcmp(m->descriptor->name, TIMESTAMP) == 0) {
        json_decref(o);
        return time_to_json(m);
    }
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];

        if (is_set(m, f))
            json_object_set_new(o, f->name,
                                f->label == PROTOBUF_C_LABEL_REPEATED
                                    ? list_to_json(m, f)
                                    : value_to_json(f, member(m, f)));
    }
    return o;
}

/* ---- from JSON ---- */

static void *make(const ProtobufCMessageDescriptor *d, const json_t *from, int depth,
                  struct error *err);

static bool wrong(struct error *err, const ProtobufCFieldDescriptor *f, const char *want)
{
    return error_set(err, ERR_CONFIG, NULL, "%s is not %s", f->name, want);
}

static bool number_from(const ProtobufCFieldDescriptor *f, const json_t *from, int64_t least,
                        int64_t most, int64_t *out, struct error *err)
{
    *out = json_integer_value(from);
    if (!json_is_integer(from) || *out < least || *out > most)
        return wrong(err, f, "a number of its range");
    return true;
}

static bool enum_from(const ProtobufCFieldDescriptor *f, const json_t *from, int *out,
                      struct error *err)
{
    const ProtobufCEnumValue *v =
        json_is_string(from)
            ? protobuf_c_enum_descriptor_get_value_by_name(f->descriptor, json_string_value(from))
        : json_is_integer(from)
            ? protobuf_c_enum_descriptor_get_value(f->descriptor, (int)json_integer_value(from))
            : NULL;

    if (v == NULL)
        return wrong(err, f, "a value of its enum");
    *out = v->value;
    return true;
}

static bool bytes_from(const ProtobufCFieldDescriptor *f, const json_t *from,
                       ProtobufCBinaryData *out, struct error *err)
{
    const char *hex = json_string_value(from);
    size_t n = hex != NULL ? strlen(hex) / 2 : 0;

    out->data = malloc(n + 1);
    out->len = n;
    if (hex != NULL && out->data != NULL && hex_decode(hex, out->data, n))
        return true;
    free(out->data);
    *out = (ProtobufCBinaryData){0};
    return wrong(err, f, "bytes as hex digits");
}

static bool text_from(const ProtobufCFieldDescriptor *f, const json_t *from, char **out,
                      struct error *err)
{
    if (!json_is_string(from) || strlen(json_string_value(from)) != json_string_length(from))
        return wrong(err, f, "a text");
    *out = strdup(json_string_value(from));
    return *out != NULL || error_set(err, ERR_MEMORY, NULL, "no memory");
}

static bool value_from(const ProtobufCFieldDescriptor *f, const json_t *from, int depth, void *at,
                       struct error *err)
{
    int64_t n;

    switch (f->type) {
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)at = json_is_true(from);
        return json_is_boolean(from) || wrong(err, f, "true or false");
    case PROTOBUF_C_TYPE_ENUM:
        return enum_from(f, from, at, err);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        if (!number_from(f, from, INT32_MIN, INT32_MAX, &n, err))
            return false;
        *(int32_t *)at = (int32_t)n;
        return true;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        if (!number_from(f, from, 0, UINT32_MAX, &n, err))
            return false;
        *(uint32_t *)at = (uint32_t)n;
        return true;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return number_from(f, from, INT64_MIN, INT64_MAX, at, err);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return number_from(f, from, 0, INT64_MAX, at, err);
    case PROTOBUF_C_TYPE_FLOAT:
        *(float *)at = (float)json_number_value(from);
        return json_is_number(from) || wrong(err, f, "a number");
    case PROTOBUF_C_TYPE_DOUBLE:
        *(double *)at = json_number_value(from);
        return json_is_number(from) || wrong(err, f, "a number");
    case PROTOBUF_C_TYPE_STRING:
        return text_from(f, from, at, err);
    case PROTOBUF_C_TYPE_BYTES:
        return bytes_from(f, from, at, err);
    case PROTOBUF_C_TYPE_MESSAGE:
        *(void **)at = make(f->descriptor, from, depth + 1, err);
        return *(void **)at != NULL || error_add(err, "%s", f->name);
    }
    return false;
}

static bool list_from(ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, const json_t *from,
                      int depth, struct error *err)
{
    size_t *n = (size_t *)(void *)((char *)m + f->quantifier_offset);
    char **items = (char **)(void *)((char *)m + f->offset);

    if (!json_is_array(from))
        return wrong(err, f, "a list");
    *items = calloc(json_array_size(from) + 1, width(f));
    if (*items == NULL)
        return error_set(err, ERR_MEMORY, NULL, "no memory");
    for (*n = 0; *n < json_array_size(from); ++*n)
        if (!value_from(f, json_array_get(from, *n), depth, *items + *n * width(f), err))
            return false;
    return true;
}

static bool field_from(ProtobufCMessage *m, const char *key, const json_t *from, int depth,
                       struct error *err)
{
    const ProtobufCFieldDescriptor *f =
        protobuf_c_message_descriptor_get_field_by_name(m->descriptor, key);
    void *quantity = f != NULL ? (char *)m + f->quantifier_offset : NULL;

    if (f == NULL)
        return error_set(err, ERR_CONFIG, NULL, "%.64s has no field %.64s", m->descriptor->name,
                         key);
    if (f->label == PROTOBUF_C_LABEL_REPEATED)
        return list_from(m, f, from, depth, err);
    if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        if (*(uint32_t *)quantity != 0)
            return error_set(err, ERR_CONFIG, NULL, "%s beside another of its kind", f->name);
        *(uint32_t *)quantity = f->id;
    }
    return value_from(f, from, depth, (char *)m + f->offset, err);
}

static void *make(const ProtobufCMessageDescriptor *d, const json_t *from, int depth,
                  struct error *err)
{
    ProtobufCMessage *m = calloc(1, d->sizeof_message);
    const char *key;
    json_t *value;

    if (m == NULL || depth > DEPTH_MAX || !json_is_object(from)) {
        free(m);
        error_set(err, ERR_CONFIG, NULL, "%.100s: not an object", d->name);
        return NULL;
    }
    protobuf_c_message_init(d, m);
    json_object_foreach((json_t *)(uintptr_t)from, key, value)
    {
        if (!field_from(m, key, value, depth, err)) {
            pb_message_free(m);
            return NULL;
        }
    }
    return m;
}

void *pb_from_json(const ProtobufCMessageDescriptor *d, const json_t *from, struct error *err)
{
    return make(d, from, 0, err);
}

void pb_message_free(void *message)
{
    if (message != NULL)
        protobuf_c_message_free_unpacked(message, NULL);
}
