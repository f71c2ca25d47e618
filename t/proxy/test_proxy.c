/* test_proxy.c: the fault proxy does to connections what its README says. The test is the client
 * and the server; the proxy is the real program. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../only.h"

#include "base/clock.h"
#include "command.h"

struct world {
    pid_t pid;
    FILE *to, *from;
    uint16_t port;
    int listener;
    char heard[256];
};

static int tcp(void)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval limit = {10, 0};

    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return fd;
}

static void hear(struct world *w)
{
    assert_non_null(fgets(w->heard, sizeof(w->heard), w->from));
}

static void tell(struct world *w, const char *command)
{
    fprintf(w->to, "%s\n", command);
    fflush(w->to);
    hear(w);
    if (strncmp(w->heard, "OK", 2) != 0)
        fail_msg("%s: %s", command, w->heard);
}

static int setup(void **state)
{
    static struct world w;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(a);
    const char *build = getenv("builddir");
    char program[512], port[16];
    int in[2], out[2], ready = 0;

    w.listener = tcp();
    assert_int_equal(bind(w.listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(w.listener, 16), 0);
    assert_int_equal(getsockname(w.listener, (struct sockaddr *)&a, &len), 0);
    snprintf(program, sizeof(program), "%s/t/proxy/proxy", build ? build : ".");
    snprintf(port, sizeof(port), "%d", ntohs(a.sin_port));
    assert_true(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    w.pid = fork();
    if (w.pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        execl(program, "proxy", "0", "127.0.0.1", port, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    w.to = fdopen(in[1], "w");
    w.from = fdopen(out[0], "r");
    hear(&w);
    assert_int_equal(sscanf(w.heard, "READY %d", &ready), 1);
    w.port = (uint16_t)ready;
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    int status = -1;

    fclose(w->to); /* its standard input ends, and so does it */
    assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
    assert_int_equal(status, 0);
    fclose(w->from);
    close(w->listener);
    return 0;
}

static bool join(const struct world *w, int fd)
{
    const struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(w->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};

    return connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0;
}

struct ends {
    int client, server;
};

static struct ends joined(const struct world *w)
{
    struct ends e = {tcp(), -1};
    const struct timeval limit = {10, 0};

    assert_true(join(w, e.client));
    e.server = accept(w->listener, NULL, NULL);
    assert_true(e.server >= 0);
    setsockopt(e.server, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return e;
}

static void leave(struct ends e)
{
    close(e.client);
    close(e.server);
}

static void put(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void gets_text(int fd, const char *text)
{
    char got[64] = "";
    const size_t want = strlen(text);

    for (size_t n = 0; n < want;) {
        const ssize_t r = recv(fd, got + n, want - n, 0);
        assert_true(r > 0);
        n += (size_t)r;
    }
    assert_string_equal(got, text);
}

static void gets_nothing(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};

    assert_int_equal(poll(&p, 1, 100), 0);
}

static void gets_end(int fd)
{
    char c;

    assert_int_equal(recv(fd, &c, 1, 0), 0);
}

static void is_reset(int fd)
{
    char c;

    assert_int_equal(recv(fd, &c, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
}

static void carries(struct ends e)
{
    put(e.client, "question");
    gets_text(e.server, "question");
    put(e.server, "answer");
    gets_text(e.client, "answer");
}

/* ---- the tests ---- */

static void a_pattern_is_found_across_pieces(void **state)
{
    struct pattern p;
    struct error e;
    size_t at = 0, end = 0;

    (void)state;
    assert_true(pattern_parse("aab\\x00", &p, &e));
    assert_false(pattern_feed(&p, &at, bytes_of("xaa", 3), &end));
    assert_true(pattern_feed(&p, &at, bytes_of("ab\0y", 4), &end)); /* "aaab": one a too many */
    assert_int_equal(end, 3);
    assert_int_equal(at, 0);
    assert_false(pattern_feed(&p, &at, bytes_of("aab", 3), &end));
    assert_false(pattern_feed(&p, &at, bytes_of("\1", 1), &end));
    assert_false(pattern_parse("", &p, &e));
    assert_false(pattern_parse("\\q", &p, &e));
}

static void a_wrong_command_is_told_what_is_expected(void **state)
{
    static const char *const wrong[] = {"delay",      "delay x", "lose answers 0 x", "half-open",
                                        "to 1.2.3.4", "cut now", "hold both",        "nonsense"};
    struct command c;
    struct error e;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(command_parse(wrong[i], &c, &e));
    assert_true(command_parse("lose answers 3 a b", &c, &e));
    assert_int_equal(c.n, 3);
    assert_memory_equal(c.pattern.text, "a b", 3);
    assert_true(command_parse("lose-commit-answer", &c, &e));
    assert_int_equal(c.pattern.len, 12);
    assert_int_equal(c.n, 1);
}

static void it_carries_both_ways_and_the_end(void **state)
{
    struct world *w = *state;
    struct ends e = joined(w);

    carries(e);
    put(e.client, "bye");
    shutdown(e.client, SHUT_WR);
    gets_text(e.server, "bye");
    gets_end(e.server);
    put(e.server, "last words");
    close(e.server);
    gets_text(e.client, "last words");
    gets_end(e.client);
    close(e.client);
    do
        tell(w, "stats");
    while (!strstr(w->heard, "open=0 accepted=1"));
}

static void what_is_held_goes_on_later(void **state)
{
    struct world *w = *state;
    struct ends e = joined(w);
    struct pollfd p = {w->listener, POLLIN, 0};
    const int late = tcp();

    carries(e);
    tell(w, "hold answers");
    put(e.client, "one way");
    gets_text(e.server, "one way");
    tell(w, "hold");
    put(e.client, "question");
    put(e.server, "answer");
    gets_nothing(e.server);
    gets_nothing(e.client);
    assert_true(join(w, late));
    assert_int_equal(poll(&p, 1, 50), 0);
    tell(w, "pass");
    gets_text(e.server, "question");
    gets_text(e.client, "answer");
    assert_int_equal(poll(&p, 1, 10000), 1);
    leave(e);
    leave((struct ends){late, accept(w->listener, NULL, NULL)});
}

static void a_black_hole_swallows_for_ever(void **state)
{
    struct world *w = *state;
    struct ends e = joined(w), late;
    const int swallowed = tcp();

    carries(e);
    tell(w, "blackhole");
    put(e.client, "question");
    assert_true(join(w, swallowed));
    put(swallowed, "hello");
    gets_nothing(e.server);
    tell(w, "pass");
    put(e.server, "answer");
    gets_nothing(e.client);
    gets_nothing(swallowed);
    late = joined(w);
    carries(late);
    leave(late);
    leave(e);
    close(swallowed);
}

static void a_cut_resets_both_sides(void **state)
{
    struct world *w = *state;
    struct ends e = joined(w), late;

    carries(e);
    tell(w, "cut");
    is_reset(e.client);
    is_reset(e.server);
    late = joined(w);
    carries(late);
    leave(late);
    leave(e);
}

static void half_open_tells_one_side_only(void **state)
{
    struct world *w = *state;
    struct ends e = joined(w);

    carries(e);
    tell(w, "half-open server");
    gets_end(e.server);
    put(e.client, "anybody?");
    gets_nothing(e.client);
    leave(e);
}

static void it_refuses_and_listens_again(void **state)
{
    struct world *w = *state;
    struct ends e = joined(w);
    const int fd = tcp();

    tell(w, "refuse");
    assert_false(join(w, fd));
    assert_int_equal(errno, ECONNREFUSED);
    carries(e);
    leave(e);
    tell(w, "pass");
    e = joined(w);
    carries(e);
    leave(e);
    close(fd);
}

static void a_syn_is_not_answered(void **state)
{
    struct world *w = *state;
    const int fd = tcp();
    struct pollfd p = {fd, POLLOUT, 0};
    struct ends e;

    tell(w, "no-syn");
    fcntl(fd, F_SETFL, O_NONBLOCK);
    assert_false(join(w, fd));
    assert_int_equal(errno, EINPROGRESS);
    assert_int_equal(poll(&p, 1, 200), 0);
    tell(w, "pass");
    e = joined(w); /* a new one; the old one asks again by itself, after a second */
    carries(e);
    close(fd);
    leave(e);
}

static void an_answer_is_lost_at_its_first_byte(void **state)
{
    struct world *w = *state;
    struct ends e = joined(w), other = joined(w);

    tell(w, "lose answers 2 DONE");
    put(e.client, "work");
    gets_text(e.server, "work");
    put(e.server, "1 DONE");
    gets_text(e.client, "1 DONE");
    put(e.server, "2 DONE");
    gets_text(e.client, "2 ");
    is_reset(e.client);
    tell(w, "stats");
    assert_non_null(strstr(w->heard, "fired=1"));
    put(other.server, "3 DONE"); /* once only */
    gets_text(other.client, "3 DONE");
    tell(w, "swallow-commit-answer");
    assert_int_equal(send(other.server, "xC\0\0\0\013COMMIT\0", 13, 0), 13);
    gets_nothing(other.client);
    gets_nothing(other.server);
    leave(e);
    leave(other);
}

static void a_request_is_lost_behind_so_many_bytes(void **state)
{
    struct world *w = *state;
    struct ends e = joined(w);

    carries(e);
    tell(w, "cut-after requests 3");
    put(e.client, "abcdef");
    gets_text(e.server, "abc");
    is_reset(e.server);
    leave(e);
}

static void it_delays_and_throttles(void **state)
{
    struct world *w = *state;
    struct ends e = joined(w);
    int64_t start = clock_mono_us();
    char many[1001];

    tell(w, "delay 50");
    carries(e);
    assert_true(clock_mono_us() - start >= 100 * US_PER_MS);
    tell(w, "pass");
    tell(w, "throttle 5000");
    memset(many, 'x', 1000);
    many[1000] = '\0';
    start = clock_mono_us();
    put(e.client, many);
    for (size_t n = 0; n < 1000;) {
        const ssize_t r = recv(e.server, many, sizeof(many), 0);
        assert_true(r > 0);
        n += (size_t)r;
    }
    assert_true(clock_mono_us() - start >= 150 * US_PER_MS);
    leave(e);
}

static void it_can_be_led_elsewhere(void **state)
{
    struct world *w = *state;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(a);
    const int other = tcp(), fd = tcp();
    char command[64];

    assert_int_equal(bind(other, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(other, 1), 0);
    assert_int_equal(getsockname(other, (struct sockaddr *)&a, &len), 0);
    snprintf(command, sizeof(command), "to 127.0.0.1 %d", ntohs(a.sin_port));
    tell(w, command);
    assert_true(join(w, fd));
    const struct ends e = {fd, accept(other, NULL, NULL)};
    carries(e);
    leave(e);
    close(other);
}

static void a_server_that_is_gone_resets_the_client(void **state)
{
    struct world *w = *state;
    const int fd = tcp();

    close(w->listener);
    assert_true(join(w, fd));
    is_reset(fd);
    close(fd);
    w->listener = tcp();
}

int main(void)
{
#define WITH_PROXY(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pattern_is_found_across_pieces),
        cmocka_unit_test(a_wrong_command_is_told_what_is_expected),
        WITH_PROXY(it_carries_both_ways_and_the_end),
        WITH_PROXY(what_is_held_goes_on_later),
        WITH_PROXY(a_black_hole_swallows_for_ever),
        WITH_PROXY(a_cut_resets_both_sides),
        WITH_PROXY(half_open_tells_one_side_only),
        WITH_PROXY(it_refuses_and_listens_again),
        WITH_PROXY(a_syn_is_not_answered),
        WITH_PROXY(an_answer_is_lost_at_its_first_byte),
        WITH_PROXY(a_request_is_lost_behind_so_many_bytes),
        WITH_PROXY(it_delays_and_throttles),
        WITH_PROXY(it_can_be_led_elsewhere),
        WITH_PROXY(a_server_that_is_gone_resets_the_client),
    };

    test_only();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
