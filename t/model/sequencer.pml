/* sequencer.pml: active-active sequencers on one database (doc/architecture.md "Join"): claim, start, write, settle,
 * leave, mark offline and read, as the statements of sql/statements/sequencer.sql do them.
 *
 * A statement under READ COMMITTED looks at one moment and commits at a later one; what it compares in the row that
 * it changes is compared again when it has the lock, so that is true at the commit. So: compare and set of an own
 * row is one step; a MAX over other rows is a step before. A write, once sent, is done by the database at any later
 * moment or never, also when its sender has died, been taken over or stopped waiting.
 *
 * Time is left out: a node is marked offline at any moment, a clock shows anything (a timestamp is any of the node's
 * residue class above its own watermark, a beat any number), as safety must not rest on either. The holder is left
 * out: lease.pml shows that an epoch has one. So is the page of the log: by A what it has at or below S is settled
 * when S is read, so it may be read later. Not here: a database that loses history (lease.pml, t/fault).
 *
 * Invariants:
 *   A  no row of the log appears at or below what a reader has passed
 *   B  timestamps are unique
 *   C  the frontier of a reader never moves back, nor does a watermark
 *   D  who is offline or was taken over never commits again
 *   E  once a settling is answered, the write whose answer was lost is there or never will be
 *
 * Mutations, each of which must break an invariant:
 *   MUTATION_JOIN        one commit: online and the largest watermark in one statement
 *   MUTATION_START       the start is the largest watermark of rows read before the claim
 *   MUTATION_STATEMENTS  a frontier of two statements: who is online, then the watermarks
 *   MUTATION_CACHE       a frontier of the rows of the last poll and one newer watermark (a hint)
 *   MUTATION_MAXIMUM     a reader does not keep its own maximum
 *   MUTATION_FENCE       a write that compares nothing
 *   MUTATION_EPOCH       a write that compares only that its index is online
 *   MUTATION_SPLIT       watermark and rows in two commits
 *   MUTATION_RESIDUE     timestamps of any residue class
 *   MUTATION_SETTLE      settling only reads */
#ifndef NODES
#define NODES 3 /* processes, and node indexes: a process may take any */
#endif
#ifndef ONLINE
#define ONLINE 2 /* so many are online at first; the other indexes have no row yet */
#endif
#define READERS 2
#ifndef JOINS
#define JOINS 2
#endif
#ifdef MUTATION_SETTLE
#undef LOSSES
#define LOSSES 1
#endif
#ifndef LOSSES
#define LOSSES 0 /* answers that are lost */
#endif
#ifndef KILLS
#define KILLS 0 /* restarts of a process that was killed */
#endif
#ifndef TOP
#define TOP 2 /* the largest timestamp; all start at 0 */
#endif

mtype = { OFF, PICKED, CLAIMED, STARTING, ON, WAITING, UNKNOWN }; /* a process */
mtype = { NONE, SENT, HALF };                                     /* its write */

/* ls_node; ls_log: a bit for each ts. Epochs only rise and are only compared, so three values do: 1 is the newest,
 * 0 an older one, or for a row that there is none. bump() is epoch + 1.
 * What an older one has in mind does not matter any more: forgotten, so that it makes no states. */
typedef ls_node { byte epoch; bool is_online; byte watermark };
ls_node row[NODES];
short log;

/* What a process has sent. */
typedef write { mtype state = NONE; byte index; byte epoch; byte previous; byte ts; byte rows; bool is_settled };
write w[NODES];

/* A process: struct node_claim. mine: its watermark; while joining the MAX that a statement has read. */
typedef replica { mtype state = OFF; byte index; byte epoch; byte mine };
replica n[NODES];
#define STATE n[p].state
#define INDEX n[p].index
#define EPOCH n[p].epoch
#define MINE  n[p].mine

byte joins, losses, kills;
byte safe[READERS]; /* struct frontier */
hidden byte k, low, high; /* of one d_step */

inline largest()
{
    MINE = 0;
    k = 0;
    do
    :: k < NODES -> MINE = (row[k].watermark > MINE -> row[k].watermark : MINE); k++
    :: else -> break
    od
}

/* The row at x becomes visible. */
inline appear(x)
{
#ifdef LOG
    assert(!(log & (1 << (x))));                                                           /* B */
    log = log | (1 << (x));
#endif
    k = 0;
    do
    :: k < READERS -> assert((x) > safe[k]); k++                                           /* A */
    :: else -> break
    od
}

inline rows_appear()
{
    if
    :: w[p].rows == 2 -> appear(w[p].ts - NODES)
    :: else
    fi;
    if
    :: w[p].rows > 0 -> appear(w[p].ts)
    :: else
    fi
}

inline forget()
{
    w[p].state = NONE;
    w[p].index = 0;
    w[p].epoch = 0;
    w[p].previous = 0;
    w[p].ts = 0;
    w[p].rows = 0;
    w[p].is_settled = false
}

inline bump(at)
{
    k = 0;
    do
    :: k < NODES ->
        if
        :: n[k].index == at -> n[k].epoch = 0
        :: else
        fi;
        if
        :: w[k].index == at -> w[k].epoch = 0; w[k].previous = 0
        :: else
        fi;
        k++
    :: else -> break
    od;
    row[at].epoch = 1
}

inline go_off()
{
    STATE = OFF;
    INDEX = 0;
    EPOCH = 0;
    MINE = 0
}

/* All that are idle are alike: the first joins. */
#define IS_IDLE(q) (n[q].state == OFF && w[q].state == NONE)
#define IS_MINE (row[INDEX].epoch == EPOCH && row[INDEX].is_online)
#define W_ROW   row[w[p].index]

/* The answer, unless it was lost or its sender has gone (which are decided before: nothing depends on the order). */
inline committed()
{
    if
    :: STATE == WAITING -> MINE = w[p].ts; STATE = ON
    :: else
    fi;
    forget()
}

/* refused(), on_fenced(): node_store_own. */
inline refused()
{
    forget();
    if
    :: STATE == WAITING && IS_MINE -> STATE = ON
    :: STATE == WAITING && !IS_MINE -> go_off()
    :: else
    fi
}

/* A replica: writer_runner.c, and the server's side of its session. */
proctype node(byte p)
{
end:
    do
    /* join(): node_store_read, pick_index: any index that nobody has. Also the MAX of sequencer_node_insert. */
    :: atomic { IS_IDLE(p) && (p == 0 || !IS_IDLE(0)) && (p < 2 || !IS_IDLE(1)) && joins < JOINS ->
        do
        :: INDEX < NODES - 1 -> INDEX++
        :: break
        od;
        if
        :: row[INDEX].is_online -> INDEX = 0
        :: else ->
            joins++;
            EPOCH = row[INDEX].epoch;
#if !defined(MUTATION_JOIN) && !defined(MUTATION_START)
            if
            :: EPOCH == 0 -> largest()
            :: else
            fi;
#else
            largest();
#endif
            STATE = PICKED
        fi }
    /* sequencer_node_claim, sequencer_node_insert: first commit; the old watermark stays, as the floor. */
    :: d_step { STATE == PICKED ->
        if
        :: row[INDEX].epoch == EPOCH && !row[INDEX].is_online ->
            high = EPOCH;
            bump(INDEX);
            EPOCH = 1;
            row[INDEX].is_online = true;
            STATE = CLAIMED;
#ifdef MUTATION_JOIN
            row[INDEX].watermark = MINE;
            STATE = ON;
#else
            if
            :: high == 0 -> row[INDEX].watermark = MINE
            :: else
            fi;
#ifndef MUTATION_START
            MINE = 0;
#endif
#endif
        :: else -> go_off() /* somebody was faster */
        fi }
    /* sequencer_node_start: second commit; its MAX, and then the row. */
    :: d_step { STATE == CLAIMED ->
#ifndef MUTATION_START
        largest();
#endif
        STATE = STARTING }
    :: d_step { STATE == STARTING ->
        if
        :: IS_MINE ->
#ifndef MUTATION_START
            assert(MINE >= row[INDEX].watermark);                                          /* C */
#endif
            row[INDEX].watermark = MINE;
            STATE = ON
        :: else -> go_off()
        fi }

    /* write_batch(), beat(): sequencer_append of one or two rows, sequencer_beat. */
    :: atomic { STATE == ON && w[p].state == NONE && MINE < TOP ->
        w[p].ts = MINE + 1;
        do
        :: w[p].ts < TOP -> w[p].ts++
        :: break
        od;
        if
        :: w[p].rows = 0
#ifdef MUTATION_RESIDUE
        :: w[p].rows = 1
#else
        :: w[p].ts % NODES == INDEX -> w[p].rows = 1
        :: w[p].ts % NODES == INDEX && w[p].ts > MINE + NODES -> w[p].rows = 2
#endif
        fi;
        w[p].index = INDEX;
        w[p].epoch = EPOCH;
        w[p].previous = MINE;
        w[p].state = SENT;
        STATE = WAITING }
    /* The database does it: fence, rows and watermark at once. */
    :: d_step { w[p].state == SENT ->
        if
#if defined(MUTATION_FENCE)
        :: true ->
#elif defined(MUTATION_EPOCH)
        :: W_ROW.is_online ->
#else
        :: W_ROW.epoch == w[p].epoch && W_ROW.is_online && W_ROW.watermark == w[p].previous && W_ROW.watermark < w[p].ts ->
#endif
#ifdef MUTATION_SPLIT
            W_ROW.watermark = w[p].ts;
            w[p].state = HALF
#else
            assert(W_ROW.epoch == w[p].epoch && W_ROW.is_online);                          /* D */
            assert(!w[p].is_settled);                                                      /* E */
            assert(w[p].ts > W_ROW.watermark);                                             /* C */
            rows_appear();
            W_ROW.watermark = w[p].ts;
            committed()
#endif
        :: else -> refused()
        fi }
#ifdef MUTATION_SPLIT
    :: d_step { w[p].state == HALF -> rows_appear(); committed() }
#endif
    /* Or never: refused for another reason (a clock far ahead, a full disk), or its session was ended. */
    :: d_step { w[p].state == SENT -> refused() }
    /* The answer is lost: unknown(), settle(): sequencer_node_settle, then node_store_own. */
    :: d_step { STATE == WAITING && losses < LOSSES -> losses++; STATE = UNKNOWN }
    :: d_step { STATE == UNKNOWN ->
        if
        :: w[p].state != NONE -> w[p].is_settled = true
        :: else
        fi;
        if
        :: IS_MINE ->
#ifndef MUTATION_SETTLE
            bump(INDEX);
            EPOCH = 1;
#endif
            MINE = row[INDEX].watermark;
            STATE = ON
        :: else -> go_off()
        fi }

    /* sequencer_node_leave, at a clean stop or when the own clock is wrong: nothing is under way then. */
    :: d_step { STATE == ON && w[p].state == NONE ->
        if
        :: IS_MINE -> row[INDEX].is_online = false
        :: else
        fi;
        go_off() }
    /* Killed, and started again; what it sent may still be done. (One that stays dead takes no step any more.) */
    :: d_step { STATE != OFF && STATE != PICKED && kills < KILLS -> kills++; go_off() }
    od
}

/* sequencer_node_reap: anybody marks any index offline; it compares what it saw, so looking is no step of its own. */
active proctype reaper()
{
    byte i;

end:
    do
    :: atomic { i = 0;
        do
        :: i < NODES - 1 -> i++
        :: break
        od;
        if
        :: row[i].is_online -> d_step { row[i].is_online = false; bump(i) }
        :: else
        fi;
        i = 0 }
    od
}

#ifdef MUTATION_STATEMENTS
#define IS_ONLINE(i) is_online[i]
#define WATERMARK(i) row[i].watermark
#elif defined(MUTATION_CACHE)
#define IS_ONLINE(i) is_online[i]
#define WATERMARK(i) (i == hinted -> row[i].watermark : watermark[i])
#else
#define IS_ONLINE(i) row[i].is_online
#define WATERMARK(i) row[i].watermark
#endif

/* Tailers: node_store_read (sequencer_nodes) and frontier_advance. Readers differ in what they have passed only, so
 * they are kept in that order. */
active proctype readers()
{
    byte r;
#if defined(MUTATION_STATEMENTS) || defined(MUTATION_CACHE)
    bool is_online[NODES];
    byte watermark[NODES], hinted;
#endif

end:
    do
    ::
#if defined(MUTATION_STATEMENTS) || defined(MUTATION_CACHE)
        d_step {
            k = 0;
            do
            :: k < NODES -> is_online[k] = row[k].is_online; watermark[k] = row[k].watermark; k++
            :: else -> break
            od
        };
        if
        :: hinted = 0
        :: hinted = 1
        :: hinted = 2
        fi;
#endif
        atomic { if
        :: r = 0
        :: r = 1
        fi;
        d_step {
            low = 255;
            high = 0;
            k = 0;
            do
            :: k < NODES ->
                low = (IS_ONLINE(k) && WATERMARK(k) < low -> WATERMARK(k) : low);
                high = (WATERMARK(k) > high -> WATERMARK(k) : high);
                k++
            :: else -> break
            od;
            low = (low == 255 -> high : low);
#ifdef MUTATION_MAXIMUM
            assert(low >= safe[r]);                                                        /* C */
            safe[r] = low;
#else
            high = safe[r];
            safe[r] = (low > high -> low : high);
            assert(safe[r] >= high);                                                       /* C */
#endif
            r = 0;
            if
            :: safe[0] < safe[1] -> low = safe[0]; safe[0] = safe[1]; safe[1] = low
            :: else
            fi
        } }
    od
}

init {
    byte i;

    atomic {
        do
        :: i < NODES ->
            if
            :: i < ONLINE -> row[i].epoch = 1; row[i].is_online = true; n[i].state = ON; n[i].index = i; n[i].epoch = 1
            :: else
            fi;
            run node(i);
            i++
        :: else -> break
        od
    }
}
