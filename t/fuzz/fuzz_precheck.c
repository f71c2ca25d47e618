/* fuzz_precheck.c: bytes that pass the pre-check and unpack can be packed and unpacked again. */
#include "fuzz.h"
#include "protocol_v31.pb-c.h"
#include "wire/precheck.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const ProtobufCMessageDescriptor *const types[] = {&p31__envelope_content__descriptor,
                                                              &p31__sequenced_event__descriptor};

    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        struct buffer again = BUFFER_INIT;
        struct error err;
        void *m = wire_unpack(types[i], bytes_of(data, size), &err);

        if (!m)
            continue;
        MUST(wire_pack(m, &again, &err));
        wire_message_free(m);
        MUST(wire_check(types[i], buffer_bytes(&again), &err));
        buffer_free(&again);
    }
    return 0;
}
