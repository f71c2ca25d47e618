/* fuzz_message.c: the content of an envelope; the first byte says whether it was signed. */
#include "fuzz.h"
#include "wire/messages.h"

static void round_trip(const struct message *m)
{
    struct buffer out = BUFFER_INIT;
    struct message back;
    struct error err;

    if (m->kind == MESSAGE_RESPONSES)
        MUST(confirmation_responses_build(&m->as.responses, &out, &err));
    else if (m->kind == MESSAGE_RESULT)
        MUST(confirmation_result_build(&m->as.result, &out, &err));
    else if (m->kind == MESSAGE_ROOT_HASH)
        MUST(root_hash_message_build(&m->as.root_hash, &out, &err));
    else
        return;
    MUST(message_parse(buffer_bytes(&out), m->kind != MESSAGE_ROOT_HASH, &back, &err));
    MUST(back.kind == m->kind);
    message_free(&back);
    buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct message m;
    struct error err;

    if (size == 0 || !message_parse(bytes_of(data + 1, size - 1), data[0] & 1, &m, &err))
        return 0;
    round_trip(&m);
    message_free(&m);
    return 0;
}
