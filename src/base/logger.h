/* logger.h: diagnostics for people (text) or machines (one JSON object a line).
 *   2026-11-23T19:55:26.123456Z WARN mediator/m1 active -> passive: fenced by a newer epoch
 * [LS-FENCED] A struct logger is a handle with a name on a shared sink: "component/node". Never
 * pass a secret. Threads: any. A line is written by one write(2). */
#ifndef BASE_LOGGER_H
#define BASE_LOGGER_H
#include "base/error.h"

enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

struct logger;

/* The root handle, on fd (not closed). The caller owns *out. Fails: ERR_MEMORY. */
MUST_CHECK bool logger_open(int fd, enum log_format format, enum log_level level,
                            struct logger **out, struct error *err);
/* A handle "component/node" on the same sink; node may be NULL. NULL when out of memory, which
 * every function here accepts (and then writes nothing). Close it before the root. */
struct logger *logger_child(struct logger *parent, const char *component, const char *node);
void logger_close(struct logger *lg);

void logger_set_level(struct logger *lg, enum log_level level); /* for the whole sink */
bool logger_is_on(const struct logger *lg, enum log_level level);

/* Writes one line. code: ERR_NONE for none. trace_id: 32 hex digits, "" or NULL for none. */
void logger_write(struct logger *lg, enum log_level level, enum error_code code,
                  const char *trace_id, const char *fmt, ...) PRINTF_LIKE(5, 6);
#define log_debug(lg, ...)       logger_write((lg), LOG_DEBUG, ERR_NONE, NULL, __VA_ARGS__)
#define log_info(lg, ...)        logger_write((lg), LOG_INFO, ERR_NONE, NULL, __VA_ARGS__)
#define log_warn(lg, code, ...)  logger_write((lg), LOG_WARN, (code), NULL, __VA_ARGS__)
#define log_error(lg, code, ...) logger_write((lg), LOG_ERROR, (code), NULL, __VA_ARGS__)
/* The trace id for logger_write in a W3C traceparent ("00-<32 hex>-..."), "" when it is none; out
 * holds it. Returns out. */
const char *logger_trace(const char *traceparent, char out[33]);
/* "what: cause; advice [LS-ID]" */
void logger_error(struct logger *lg, enum log_level level, const struct error *e, const char *what);
#endif
