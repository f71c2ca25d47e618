/* versioned.c: the wrapper with the version number. */
#include "wire/versioned.h"

#include "wire/precheck.h"
#include "wire/scan.h"

static int number_of(enum versioned_rule rule)
{
    switch (rule) {
    case VERSIONED_V30:
        return 30;
    case VERSIONED_V31:
        return 31;
    case VERSIONED_V1:
        return 1;
    }
    return 0;
}

bool versioned_unwrap(struct bytes in, enum versioned_rule rule, struct bytes *data, int *version,
                      struct error *err)
{
    struct scan s = scan_of(in);
    struct scan_field f;
    bool has_data = false;
    int number = 0;

    while (scan_next(&s, &f)) {
        if (f.number == 1 && f.wire == SCAN_BYTES) {
            *data = f.bytes;
            has_data = true;
        } else if (f.number == 2 && f.wire == SCAN_VARINT) {
            number = (int)(int32_t)(uint32_t)f.value;
        }
    }
    if (s.failed)
        return error_set(err, ERR_MALFORMED, NULL,
                         "a versioned message is cut short or no protobuf");
    if (!has_data)
        return error_set(err, ERR_MALFORMED, NULL, "a versioned message has no data");
    if (rule == VERSIONED_V31 && number == 30)
        return error_set(err, ERR_UNSUPPORTED,
                         "this release speaks protocol version 35 only, which writes 31",
                         "version 30 belongs to protocol version 34");
    if (version)
        *version = number;
    return true;
}

void *versioned_unpack(struct bytes in, enum versioned_rule rule,
                       const ProtobufCMessageDescriptor *desc, struct error *err)
{
    struct bytes data;

    if (!versioned_unwrap(in, rule, &data, NULL, err)) {
        error_add(err, "%s", desc->short_name);
        return NULL;
    }
    return wire_unpack(desc, data, err);
}

bool versioned_wrap(struct bytes data, enum versioned_rule rule, struct buffer *out,
                    struct error *err)
{
    put_bytes(out, 1, data);
    put_varint(out, 2, (uint64_t)number_of(rule));
    return buffer_ok(out, err);
}

bool versioned_pack(const void *message, enum versioned_rule rule, struct buffer *out,
                    struct error *err)
{
    buffer_append_varint(out, 1 << 3 | SCAN_BYTES);
    buffer_append_varint(out, protobuf_c_message_get_packed_size(message));
    if (!wire_pack(message, out, err))
        return false;
    put_varint(out, 2, (uint64_t)number_of(rule));
    return buffer_ok(out, err);
}
