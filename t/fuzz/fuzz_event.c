/* fuzz_event.c: an event is parsed, built from its fields, and parsed again. */
#include "fuzz.h"
#include "wire/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct event e, back;
    struct error err;

    if (!event_parse(bytes_of(data, size), &e, &err))
        return 0;
    if (e.is_error)
        free(wire_status_reason(&e.status));
    MUST(event_build(&e, &err));
    MUST(event_parse(buffer_bytes(&e.raw), &back, &err));
    MUST(back.ts == e.ts && back.is_error == e.is_error && back.batch.n == e.batch.n);
    event_free(&back);
    event_free(&e);
    return 0;
}
