/* report.h: the problems of a file, gathered. Private to config. */
#ifndef CONFIG_REPORT_H
#define CONFIG_REPORT_H
#include "config/config.h"

/* Adds "text [LS-CONFIG]" at a place; a repetition (an anchor used twice) is dropped. */
void report_add(struct config_report *r, struct config_place at, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
bool report_is_clean(const struct config_report *r);
/* In the order of the file. */
void report_sort(struct config_report *r);
#endif
