/* fuzz_recipients.c: what parses is written canonically, reads back the same, and can be filtered.
 */
#include "fuzz.h"
#include "wire/recipients.h"

static bool odd_groups(void *ctx, const struct recipient *group)
{
    (void)ctx;
    return group->kind == RECIPIENT_MEDIATOR_GROUP && group->group % 2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer once = BUFFER_INIT, twice = BUFFER_INIT;
    struct recipients r, back, seen;
    struct error err;

    if (!recipients_parse(bytes_of(data, size), &r, &err))
        return 0;
    MUST(recipients_build(&r, &once, &err));
    MUST(recipients_parse(buffer_bytes(&once), &back, &err));
    MUST(recipients_build(&back, &twice, &err));
    MUST(bytes_equal(buffer_bytes(&once), buffer_bytes(&twice)));
    MUST(recipients_filter(&r, r.all[r.n_all / 2].text, odd_groups, NULL, &seen, &err));
    MUST(r.all[r.n_all / 2].kind != RECIPIENT_MEMBER || seen.n_nodes > 0);
    recipients_free(&seen);
    recipients_free(&back);
    recipients_free(&r);
    buffer_free(&once);
    buffer_free(&twice);
    return 0;
}
