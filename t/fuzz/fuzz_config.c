/* fuzz_config.c: a configuration file is taken, or refused with at least one problem. */
#include "config/config.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_report report = {0};
    struct config *c = NULL;

    bool ok = config_parse("fuzz.yaml", (const char *)data, size, &c, &report);

    MUST(ok == (report.n == 0 && report.n_more == 0));
    MUST(!ok || c->n_nodes > 0);
    for (size_t i = 0; i < report.n; i++)
        MUST(report.problem[i].text[0] != '\0');
    if (ok)
        config_free(c);
    config_report_free(&report);
    return 0;
}
