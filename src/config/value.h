/* value.h: the text of one value to what it means. Pure. Private to config. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H
#include "config/config.h"

/* "250ms", "1.5s", "5m", "1h", "2d", "10us"; also "0". Microseconds. */
MUST_CHECK bool value_duration(const char *text, int64_t *out);
/* "512", "64KiB", "10MiB", "1GiB", "10kB", "10MB". Bytes. */
MUST_CHECK bool value_size(const char *text, int64_t *out);
MUST_CHECK bool value_int(const char *text, int64_t *out);
MUST_CHECK bool value_bool(const char *text, bool *out);
/* Index of text in "a|b|c", or -1. */
int value_choice(const char *choices, const char *text);
/* "http://host:port", "https://[::1]:port". The caller frees what is in *out. */
MUST_CHECK bool value_url(const char *text, struct config_url *out);

/* As a person writes it: "250ms", "10MiB". out holds 32. */
void value_format_duration(int64_t us, char *out);
void value_format_size(int64_t bytes, char *out);

/* Edits (insert, delete, replace, swap of neighbours) that turn a into b; up to 64 characters each.
 */
int value_distance(const char *a, const char *b);
#endif
