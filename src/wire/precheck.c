/* precheck.c: the walk in front of protobuf-c.
 * Invariants: stack[depth - 1] is the message being read, and its range lies in that of the one
 * below; each byte is read once at each level that holds it. */
#include "wire/precheck.h"

#include <stdlib.h>
#include <string.h>

#include "wire/scan.h"

struct frame {
    const ProtobufCMessageDescriptor *desc;
    struct scan in;
};

static enum scan_wire wire_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_ENUM:
        return SCAN_VARINT;
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return SCAN_FIXED32;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return SCAN_FIXED64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return SCAN_BYTES;
    }
    return SCAN_BYTES;
}

static bool packed_ok(enum scan_wire wire, struct bytes in)
{
    struct scan s = scan_of(in);
    uint64_t v;

    switch (wire) {
    case SCAN_VARINT:
        while (s.at < s.end)
            if (!scan_varint(&s, &v))
                return false;
        return true;
    case SCAN_FIXED32:
        return in.len % 4 == 0;
    case SCAN_FIXED64:
        return in.len % 8 == 0;
    case SCAN_BYTES:
        return false;
    }
    return false;
}

/* One known field that is not a message. */
static bool field_ok(const ProtobufCMessageDescriptor *desc, const ProtobufCFieldDescriptor *known,
                     const struct scan_field *f, struct error *err)
{
    enum scan_wire wire = wire_of(known->type);

    if (f->wire != wire) {
        if (known->label == PROTOBUF_C_LABEL_REPEATED && f->wire == SCAN_BYTES &&
            packed_ok(wire, f->bytes))
            return true;
        return error_set(err, ERR_MALFORMED, NULL, "%s.%s has the wrong wire type",
                         desc->short_name, known->name);
    }
    if (known->type == PROTOBUF_C_TYPE_STRING && !utf8_valid(f->bytes))
        return error_set(err, ERR_MALFORMED, NULL, "%s.%s is not UTF-8 without NUL",
                         desc->short_name, known->name);
    return true;
}

bool wire_check(const ProtobufCMessageDescriptor *desc, struct bytes in, struct error *err)
{
    struct frame stack[WIRE_DEPTH_MAX];
    size_t depth = 1;

    if (in.len > WIRE_SIZE_MAX)
        return error_set(err, ERR_LIMIT, NULL, "%s of %zu bytes is larger than %u",
                         desc->short_name, in.len, WIRE_SIZE_MAX);
    stack[0] = (struct frame){desc, scan_of(in)};
    while (depth > 0) {
        struct frame *top = &stack[depth - 1];
        const ProtobufCFieldDescriptor *known;
        struct scan_field f;

        if (!scan_next(&top->in, &f)) {
            if (top->in.failed)
                return error_set(err, ERR_MALFORMED, NULL, "%s is cut short or no protobuf",
                                 top->desc->short_name);
            depth--;
            continue;
        }
        known = protobuf_c_message_descriptor_get_field(top->desc, f.number);
        if (!known)
            continue;
        if (known->type != PROTOBUF_C_TYPE_MESSAGE || f.wire != SCAN_BYTES) {
            if (!field_ok(top->desc, known, &f, err))
                return false;
            continue;
        }
        if (depth == WIRE_DEPTH_MAX)
            return error_set(err, ERR_LIMIT, NULL, "%s nests deeper than %d", desc->short_name,
                             WIRE_DEPTH_MAX);
        stack[depth++] = (struct frame){known->descriptor, scan_of(f.bytes)};
    }
    return true;
}

struct budget {
    size_t left;
    bool exceeded;
};

static void *budget_alloc(void *data, size_t size)
{
    struct budget *b = data;

    if (size > b->left) {
        b->exceeded = true;
        return NULL;
    }
    b->left -= size;
    return malloc(size);
}

static void budget_free(void *data, void *p)
{
    (void)data;
    free(p);
}

void *wire_unpack(const ProtobufCMessageDescriptor *desc, struct bytes in, struct error *err)
{
    static const uint8_t nothing[1] = {0};
    struct budget budget = {.left = ((size_t)64 << 10) + 32 * in.len};
    ProtobufCAllocator allocator = {budget_alloc, budget_free, &budget};
    ProtobufCMessage *m;

    if (!wire_check(desc, in, err))
        return NULL;
    if (budget.left > WIRE_MEMORY_MAX)
        budget.left = WIRE_MEMORY_MAX;
    m = protobuf_c_message_unpack(desc, &allocator, in.len, in.len ? in.data : nothing);
    if (!m && budget.exceeded)
        error_set(err, ERR_LIMIT, NULL, "%s of %zu bytes would take too much memory",
                  desc->short_name, in.len);
    else if (!m)
        error_set(err, ERR_MALFORMED, NULL, "%s does not parse", desc->short_name);
    return m;
}

void wire_message_free(void *message)
{
    if (message)
        protobuf_c_message_free_unpacked(message, NULL);
}

bool wire_pack(const void *message, struct buffer *out, struct error *err)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *at = buffer_reserve(out, size);

    if (at)
        out->len += protobuf_c_message_pack(message, at);
    return buffer_ok(out, err);
}
