/* command.c: parses a command. */
#include "command.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* The server's CommandComplete of COMMIT, PostgreSQL protocol 3. */
#define COMMIT_ANSWER "C\\x00\\x00\\x00\\x0bCOMMIT\\x00"

enum takes { NOTHING, NUMBER, WHICH, SIDE, TEXT, COMMIT_N, SIDE_NUMBER, ADDRESS };

static const struct {
    const char *word;
    enum verb verb;
    enum takes takes;
    const char *expected;
} words[] = {
    {"pass", VERB_PASS, NOTHING, ""},
    {"delay", VERB_DELAY, NUMBER, "MS"},
    {"throttle", VERB_THROTTLE, NUMBER, "BYTES-A-SECOND"},
    {"hold", VERB_HOLD, WHICH, "[requests|answers]"},
    {"blackhole", VERB_BLACKHOLE, NOTHING, ""},
    {"no-syn", VERB_NO_SYN, NOTHING, ""},
    {"refuse", VERB_REFUSE, NOTHING, ""},
    {"cut", VERB_CUT, NOTHING, ""},
    {"half-open", VERB_HALF_OPEN, SIDE, "client|server"},
    {"lose", VERB_LOSE, TEXT, "requests|answers N TEXT"},
    {"swallow", VERB_SWALLOW, TEXT, "requests|answers N TEXT"},
    {"lose-commit-answer", VERB_LOSE, COMMIT_N, "[N]"},
    {"swallow-commit-answer", VERB_SWALLOW, COMMIT_N, "[N]"},
    {"cut-after", VERB_CUT_AFTER, SIDE_NUMBER, "requests|answers BYTES"},
    {"to", VERB_TO, ADDRESS, "HOST PORT"},
    {"stats", VERB_STATS, NOTHING, ""},
};

/* The next word, "" at the end; *line moves behind it and one space. */
static void next_word(const char **line, char *out, size_t size)
{
    const size_t n = strcspn(*line, " ");
    const size_t len = n < size ? n : size - 1;

    memcpy(out, *line, len);
    out[len] = '\0';
    *line += n;
    *line += **line == ' ';
}

static bool number(const char **line, int64_t *out)
{
    char word[24], *end;

    next_word(line, word, sizeof(word));
    *out = strtoll(word, &end, 10);
    return *word && !*end && *out >= 0;
}

static bool side(const char **line, const char *client, const char *server, enum side *out)
{
    char word[24];

    next_word(line, word, sizeof(word));
    *out = strcmp(word, server) == 0 ? SERVER : CLIENT;
    return *out == SERVER || strcmp(word, client) == 0;
}

static bool arguments(enum takes takes, const char *line, struct command *c, struct error *err)
{
    bool ok = true;

    switch (takes) {
    case NOTHING:
        break;
    case NUMBER:
        ok = number(&line, &c->n);
        break;
    case WHICH:
        ok = !*line || side(&line, "requests", "answers", &c->side);
        c->is_for[CLIENT] = c->side != SERVER;
        c->is_for[SERVER] = c->side != CLIENT;
        break;
    case SIDE:
        ok = side(&line, "client", "server", &c->side);
        break;
    case TEXT:
        ok = side(&line, "requests", "answers", &c->side) && number(&line, &c->n) && c->n > 0;
        return ok && pattern_parse(line, &c->pattern, err);
    case COMMIT_N:
        c->side = SERVER;
        c->n = 1;
        ok = !*line || (number(&line, &c->n) && c->n > 0);
        return ok && !*line && pattern_parse(COMMIT_ANSWER, &c->pattern, err);
    case SIDE_NUMBER:
        ok = side(&line, "requests", "answers", &c->side) && number(&line, &c->n);
        break;
    case ADDRESS:
        next_word(&line, c->host, sizeof(c->host));
        ok = number(&line, &c->n) && c->n > 0 && c->n < 65536;
        break;
    }
    return ok && !*line;
}

bool command_parse(const char *line, struct command *out, struct error *err)
{
    char word[32];

    memset(out, 0, sizeof(*out));
    out->side = SIDES;
    next_word(&line, word, sizeof(word));
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i].word, word) != 0)
            continue;
        out->verb = words[i].verb;
        err->code = ERR_NONE;
        if (arguments(words[i].takes, line, out, err)) {
            out->us = out->n * US_PER_MS;
            return true;
        }
        if (err->code != ERR_NONE)
            return error_add(err, "%s %s", word, words[i].expected);
        return error_set(err, ERR_CONFIG, NULL, "expected: %s %s", word, words[i].expected);
    }
    return error_set(err, ERR_CONFIG, NULL, "no command '%.30s', t/proxy/README has them", word);
}
