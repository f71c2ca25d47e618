/* command.h: the fault proxy's commands, one a line. Pure; t/proxy/README says what they do. */
#ifndef T_PROXY_COMMAND_H
#define T_PROXY_COMMAND_H
#include "pattern.h"

enum verb {
    VERB_PASS,
    VERB_DELAY,     /* us */
    VERB_THROTTLE,  /* n: bytes a second */
    VERB_HOLD,      /* is_for */
    VERB_BLACKHOLE, /* */
    VERB_NO_SYN,    /* */
    VERB_REFUSE,    /* */
    VERB_CUT,       /* */
    VERB_HALF_OPEN, /* side: which goes away */
    VERB_LOSE,      /* side: whose bytes, n: which occurrence, pattern */
    VERB_SWALLOW,   /* the same */
    VERB_CUT_AFTER, /* side: whose bytes, n: how many */
    VERB_TO,        /* host, n: port */
    VERB_STATS,
};

/* A side, and what it sends: a client requests, a server answers. */
enum side { CLIENT, SERVER, SIDES };

struct command {
    enum verb verb;
    enum side side;
    bool is_for[SIDES];
    int64_t n, us;
    char host[64];
    struct pattern pattern;
};

/* Fails: ERR_CONFIG, one line that says what is expected. */
MUST_CHECK bool command_parse(const char *line, struct command *out, struct error *err);
#endif
