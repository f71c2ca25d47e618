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

/* How many bytes the UTF-8 character at s has; 0: it is none (cut off, or from a driver that speaks
 * something else). */
static size_t character(const unsigned char *s)
{
    size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc2 ? 2 : 0;

    if (s[0] > 0xf4 || (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

/* JSON string content; text for people keeps its characters but for control characters, so that no
 * peer can forge a line of the log. What is no UTF-8 becomes '?'. */
static void append_escaped(struct buffer *b, const char *text, bool is_json)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t n;

    for (; *s != '\0'; s += n > 0 ? n : 1) {
        n = character(s);
        if (is_json && (*s == '"' || *s == '\\'))
            buffer_printf(b, "\\%c", *s);
        else if (*s < 0x20 || *s == 0x7f)
            buffer_printf(b, is_json ? "\\u%04x" : "\\x%02x", *s);
        else if (n == 2 && s[0] == 0xc2 && s[1] < 0xa0) /* C1: terminals obey some */
            buffer_printf(b, is_json ? "\\u%04x" : "\\x%02x", s[1]);
        else if (n == 0)
            buffer_append_byte(b, '?');
        else
            buffer_append(b, s, n);
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

const char *logger_trace(const char *traceparent, char out[33])
{
    out[0] = '\0';
    if (strlen(traceparent) >= 35) {
        memcpy(out, traceparent + 3, 32);
        out[32] = '\0';
    }
    return out;
}

void logger_error(struct logger *lg, enum log_level level, const struct error *e, const char *what)
{
    logger_write(lg, level, e->code, NULL, "%s: %s%s%s", what, e->cause,
                 e->advice[0] != '\0' ? "; " : "", e->advice);
}
