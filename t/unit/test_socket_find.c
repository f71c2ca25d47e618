/* test_socket_find.c: which of our sockets a driver uses. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "storage/socket_find.h"

/* ---- picking ---- */

static struct socket_seen tcp(uint64_t inode, uint16_t local, uint16_t to, uint64_t sent)
{
    return (struct socket_seen){
        .inode = inode, .sent = sent, .local_port = local, .peer_port = to, .has_peer = true};
}

/* Sorted by inode, as sockets_read gives them. */
struct seen {
    struct socket_seen before[4], connected[4], now[4];
    size_t nbefore, nconnected, nnow;
};

static uint64_t pick(struct seen *s, const char *ports, bool has_connected, uint16_t own_port)
{
    const struct sockets before = {s->before, s->nbefore, 4};
    const struct sockets connected = {s->connected, s->nconnected, 4};
    const struct sockets now = {s->now, s->nnow, 4};
    const struct socket_peer peer = {.ports = ports};

    return sockets_pick(&before, has_connected ? &connected : NULL, &now, &peer, own_port);
}

static void test_one(void **state)
{
    struct seen s = {.nnow = 0};

    (void)state;
    assert_int_equal(pick(&s, NULL, false, 0), 0);
    s.before[s.nbefore++] = s.now[s.nnow++] = tcp(5, 1000, 5432, 0);
    assert_int_equal(pick(&s, NULL, false, 0), 0); /* it was there */
    s.now[s.nnow++] = tcp(7, 1001, 5432, 0);
    assert_int_equal(pick(&s, NULL, false, 0), 7);
    s.now[s.nnow++] = tcp(9, 1002, 443, 0);
    assert_int_equal(pick(&s, NULL, false, 0), 0); /* two, and nothing tells them apart */
    assert_int_equal(pick(&s, "5432", false, 0), 7);
    assert_int_equal(pick(&s, "1,443", false, 0), 9);
    assert_int_equal(pick(&s, "54321,4", false, 0), 0);
    s.now[1].has_peer = false; /* leads nowhere */
    assert_int_equal(pick(&s, "5432", false, 0), 0);
}

static void test_several(void **state)
{
    struct seen s = {.nnow = 3, .nconnected = 3};

    (void)state;
    for (size_t i = 0; i < 3; i++)
        s.now[i] = s.connected[i] = tcp(10 + i, (uint16_t)(1000 + i), 5432, 50);
    assert_int_equal(pick(&s, "5432", true, 0), 0);
    s.now[1].sent = 60;
    assert_int_equal(pick(&s, "5432", true, 0), 11);    /* the one that spoke */
    assert_int_equal(pick(&s, "5432", true, 1002), 12); /* the server knows better */
    assert_int_equal(pick(&s, "5432", true, 4444), 11); /* a port that was translated on the way */
    s.now[2].sent = 60;
    assert_int_equal(pick(&s, "5432", true, 0), 0); /* two spoke */
    assert_int_equal(pick(&s, "5432", true, 1001), 11);
    s.nconnected = 2; /* the third came behind the login */
    assert_int_equal(pick(&s, "5432", true, 0), 11);
    assert_int_equal(pick(&s, "5432", true, 1002), 11);
}

static void test_forgotten(void **state)
{
    struct socket_seen all[] = {tcp(3, 1, 5432, 0), tcp(4, 2, 5432, 0)};
    struct sockets now = {all, 2, 2};
    const struct sockets before = {NULL, 0, 0};
    const struct socket_peer any = {.ports = NULL}, local = {.is_unix = true};

    (void)state;
    assert_int_equal(sockets_only_new(&before, &now, &any), 0);
    sockets_forget(&now, 3);
    assert_int_equal(sockets_only_new(&before, &now, &any), 4);
    assert_int_equal(sockets_only_new(&before, &now, &local), 0);
    all[1].is_unix = true;
    assert_int_equal(sockets_only_new(&before, &now, &local), 4);
}

/* ---- what a thread waits for ---- */

struct reader {
    int fd, quiet; /* polled as well when it is not -1 */
    bool polls;
    atomic_int tid;
    ssize_t got;
    pthread_t thread;
};

static void *reader_run(void *ctx)
{
    struct reader *r = ctx;
    struct pollfd p[] = {{.fd = r->fd, .events = POLLIN}, {.fd = r->quiet, .events = POLLIN}};
    char c;

    atomic_store(&r->tid, (int)gettid());
    if (r->polls)
        poll(p, 2, -1);
    r->got = read(r->fd, &c, 1);
    return NULL;
}

static uint64_t inode_of(int fd)
{
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    return st.st_ino;
}

/* Until the thread waits for something that is a stream socket; the runner ends a test that hangs.
 */
static uint64_t await_inode(struct reader *r)
{
    uint64_t inode = 0;

    while (!socket_awaited(atomic_load(&r->tid), &inode) || inode == 0)
        usleep(1000);
    return inode;
}

static void cut_reader(bool polls, int quiet)
{
    int pair[2], other[2];
    struct reader r = {.polls = polls, .quiet = quiet, .got = -1};

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
    r.fd = pair[0];
    assert_int_equal(pthread_create(&r.thread, NULL, reader_run, &r), 0);
    const uint64_t inode = await_inode(&r);
    assert_int_equal(inode, inode_of(pair[0]));
    assert_true(socket_cut(inode));
    assert_int_equal(pthread_join(r.thread, NULL), 0);
    assert_int_equal(r.got, 0); /* the end, not an error */
    for (int i = 0; i < 2; i++) {
        close(pair[i]);
        close(other[i]);
    }
}

static bool is_told(void)
{
    uint64_t inode;

    return access("/proc/self/syscall", R_OK) == 0 && socket_awaited(gettid(), &inode);
}

static void test_awaited(void **state)
{
    int datagrams[2];

    (void)state;
    if (!is_told())
        skip();
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, datagrams), 0);
    cut_reader(false, -1);
    cut_reader(true, -1);
    cut_reader(true, datagrams[0]); /* beside what is no stream */
    close(datagrams[0]);
    close(datagrams[1]);
}

/* Of two it is not known which, and of no thread nothing is. */
static void test_not_awaited(void **state)
{
    int pair[2], other[2];
    struct reader r = {.polls = true};
    uint64_t inode = 1;

    (void)state;
    assert_false(socket_awaited(0, &inode));
    assert_int_equal(inode, 0);
    assert_false(socket_cut(0));
    if (!is_told())
        skip();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
    r.fd = pair[0];
    r.quiet = other[0];
    assert_int_equal(pthread_create(&r.thread, NULL, reader_run, &r), 0);
    for (int i = 0; i < 50; i++) {
        (void)socket_awaited(atomic_load(&r.tid), &inode);
        assert_int_equal(inode, 0);
        usleep(1000);
    }
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_int_equal(pthread_join(r.thread, NULL), 0);
    for (int i = 0; i < 2; i++) {
        close(pair[i]);
        close(other[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one),         cmocka_unit_test(test_several),
        cmocka_unit_test(test_forgotten),   cmocka_unit_test(test_awaited),
        cmocka_unit_test(test_not_awaited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
