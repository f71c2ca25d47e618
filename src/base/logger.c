#include "base/logger.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"

struct sink {
    int fd;
    enum log_format format;
    _Atomic int level;
};

struct logger {
    struct sink *sink;
    bool is_root;
    char name[96];
};

static const char *const level_names[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR"};

bool logger_open(int fd, enum log_format format, enum log_level level, struct logger **out,
                 struct error *err)
{
    struct logger *lg = calloc(1, sizeof(*lg));
    struct sink *sink = calloc(1, sizeof(*sink));

    if (lg == NULL || sink == NULL) {
        free(lg);
        free(sink);
        return error_set(err, ERR_MEMORY, NULL, "no memory for the logger");
    }
    sink->fd = fd;
    sink->format = format;
    atomic_store(&sink->level, (int)level);
    lg->sink = sink;
    lg->is_root = true;
    snprintf(lg->name, sizeof(lg->name), "lockstep");
    *out = lg;
    return true;
}

struct logger *logger_child(struct logger *parent, const char *component, const char *node)
{
    struct logger *lg = parent != NULL ? calloc(1, sizeof(*lg)) : NULL;

    if (lg == NULL)
        return NULL;
    lg->sink = parent->sink;
    snprintf(lg->name, sizeof(lg->name), "%s%s%s", component, node != NULL ? "/" : "",
             node != NULL ? node : "");
    return lg;
}

void logger_close(struct logger *lg)
{
    if (lg == NULL)
        return;
    if (lg->is_root)
        free(lg->sink);
    free(lg);
}

void logger_set_level(struct logger *lg, enum log_level level)
{
    if (lg != NULL)
        atomic_store(&lg->sink->level, (int)level);
}

bool logger_is_on(const struct logger *lg, enum log_level level)
{
    return lg != NULL && (int)level >= atomic_load(&lg->sink->level);
}

/* JSON string content; text for people keeps its bytes but for control characters, so that no peer
 * can forge a line of the log. */
static void append_escaped(struct buffer *b, const char *s, bool is_json)
{
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;

        if (is_json && (c == '"' || c == '\\'))
            buffer_printf(b, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            buffer_printf(b, is_json ? "\\u%04x" : "\\x%02x", c);
        else
            buffer_append_byte(b, c);
    }
}

static void format_text(struct buffer *b, const struct logger *lg, enum log_level level,
                        enum error_code code, const char *trace_id, const char *text)
{
    char at[CLOCK_TEXT_LEN];

    clock_format(clock_now_us(), at);
    buffer_printf(b, "%s %s %s ", at, level_names[level], lg->name);
    append_escaped(b, text, false);
    if (trace_id != NULL && trace_id[0] != '\0')
        buffer_printf(b, " trace=%s", trace_id);
    if (code != ERR_NONE)
        buffer_printf(b, " [%s]", error_id(code));
    buffer_append_byte(b, '\n');
}

static void format_json(struct buffer *b, const struct logger *lg, enum log_level level,
                        enum error_code code, const char *trace_id, const char *text)
{
    char at[CLOCK_TEXT_LEN];

    clock_format(clock_now_us(), at);
    buffer_printf(b, "{\"at\":\"%s\",\"level\":\"%s\",\"name\":\"", at, level_names[level]);
    append_escaped(b, lg->name, true);
    buffer_append_str(b, "\",\"message\":\"");
    append_escaped(b, text, true);
    buffer_append_str(b, "\"");
    if (trace_id != NULL && trace_id[0] != '\0') {
        buffer_append_str(b, ",\"trace\":\"");
        append_escaped(b, trace_id, true);
        buffer_append_str(b, "\"");
    }
    if (code != ERR_NONE)
        buffer_printf(b, ",\"code\":\"%s\"", error_id(code));
    buffer_append_str(b, "}\n");
}

void logger_write(struct logger *lg, enum log_level level, enum error_code code,
                  const char *trace_id, const char *fmt, ...)
{
    struct buffer line = BUFFER_INIT;
    va_list ap;
    char small[1024];

    if (!logger_is_on(lg, level))
        return;
    va_start(ap, fmt);
    vsnprintf(small, sizeof(small), fmt, ap);
    va_end(ap);
    if (lg->sink->format == LOG_JSON)
        format_json(&line, lg, level, code, trace_id, small);
    else
        format_text(&line, lg, level, code, trace_id, small);
    if (!line.failed && write(lg->sink->fd, line.data, line.len) < 0) {
        /* Nowhere left to say it. */
    }
    buffer_free(&line);
}

void logger_error(struct logger *lg, enum log_level level, const struct error *e, const char *what)
{
    logger_write(lg, level, e->code, NULL, "%s: %s%s%s", what, e->cause,
                 e->advice[0] != '\0' ? "; " : "", e->advice);
}
