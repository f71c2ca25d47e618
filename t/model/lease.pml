/* lease.pml: the lease and its fence (storage/lease.h, doc/architecture.md "Lease and fencing").
 *
 * Time is left out: a contender may try to take over at any moment, for safety must not rest on time. A process
 * that is stopped is one that takes no step for as long as it likes, at any point; so is a paused contender. A
 * request, once sent, is done by the database at any later moment, or never (its session was ended), and its
 * sender may stop waiting for the answer: an unknown outcome. Once the database goes back to an older state
 * (restore, failover that loses the end).
 *
 * Invariants, asserted where the database acts:
 *   A  a write commits only under the newest acquisition: none of an older epoch or holder after a newer one
 *   B  an epoch has one holder, in one history of the database
 *   C  once a settling is answered, the write whose outcome was unknown is there or never will be
 *
 * Mutations, each of which must break an invariant: MUTATION_SPLIT (the fence is checked in one step, the row
 * written in the next), MUTATION_EPOCH (the fence compares the epoch alone), MUTATION_TAKE (a take-over does not
 * compare what was seen), MUTATION_SETTLE (settling only reads). */
#ifndef NODES
#define NODES 2
#endif
#ifndef EPOCHS
#define EPOCHS 4
#endif
#ifndef DRAWS
#define DRAWS 4 /* how many holders may be drawn in one run */
#endif
#define FORGET(f) f.epoch = 0; f.holder = 0 /* what is over makes no states */

mtype = { NONE, TAKE, WRITE, RELEASE };

typedef fence { byte epoch; byte holder };

/* The database. */
fence row;
bool row_released = true;
fence old;
bool old_released, is_saved;

byte owner[EPOCHS]; /* ghost: who got this epoch, in this history */
byte draws;         /* ghost: a holder is random, so never drawn twice */

/* What is under way: for each node a take-over or release, and a write. */
mtype act[NODES];
fence act_seen[NODES], act_new[NODES];
bool act_done[NODES];
bool is_writing[NODES], is_checked[NODES], write_done[NODES];
fence write_f[NODES];
fence settled[NODES]; /* ghost: the fence under which no write may commit any more */

inline commit_write(n)
{
    assert(write_f[n].epoch == row.epoch && write_f[n].holder == row.holder);               /* A */
    assert(settled[n].holder == 0 || settled[n].holder != write_f[n].holder);               /* C */
}

/* The server's side of node n: does what was asked, when it likes. */
proctype server(byte n)
{
end:
    do
    :: atomic { act[n] == TAKE && !act_done[n] ->
        if
#ifdef MUTATION_TAKE
        :: true ->
#else
        :: row.epoch == act_seen[n].epoch && row.holder == act_seen[n].holder ->
#endif
            row.epoch = act_new[n].epoch;
            row.holder = act_new[n].holder;
            row_released = false;
            assert(owner[row.epoch] == 0);                                                  /* B */
            owner[row.epoch] = row.holder
        :: else
        fi;
        act_done[n] = true }
    :: atomic { act[n] == RELEASE && !act_done[n] ->
        if
        :: row.epoch == act_seen[n].epoch && row.holder == act_seen[n].holder -> row_released = true
        :: else
        fi;
        act_done[n] = true }
    :: atomic { is_writing[n] && !write_done[n] && !is_checked[n] ->
        if
#ifdef MUTATION_EPOCH
        :: row.epoch == write_f[n].epoch ->
#else
        :: row.epoch == write_f[n].epoch && row.holder == write_f[n].holder ->
#endif
#ifdef MUTATION_SPLIT
            is_checked[n] = true
#else
            commit_write(n);
            write_done[n] = true
#endif
        :: else -> write_done[n] = true
        fi }
    :: atomic { is_checked[n] -> commit_write(n); is_checked[n] = false; write_done[n] = true }
    :: atomic { act[n] != NONE && !act_done[n] -> act_done[n] = true }        /* its session was ended */
    :: atomic { is_writing[n] && !write_done[n] -> is_checked[n] = false; write_done[n] = true }
    od
}

inline ask_take(seen_epoch, seen_holder)
{
    act_seen[n].epoch = seen_epoch;
    act_seen[n].holder = seen_holder;
    draws++;
    act_new[n].epoch = seen_epoch + 1;
    act_new[n].holder = draws;
    act_done[n] = false;
    act[n] = TAKE
}

inline answered()
{
    act[n] = NONE;
    act_done[n] = false;
    FORGET(act_seen[n]);
    FORGET(act_new[n])
}

/* A replica: contender and holder in turn. */
proctype node(byte n)
{
    fence mine, seen;
    bool is_held, is_unknown;

end:
    do
    /* Contender: reads, and takes over if it likes; the row may be its own attempt whose answer was lost. */
    :: atomic { !is_held && (act[n] == NONE || act_done[n]) && row.epoch + 1 < EPOCHS && draws < DRAWS ->
        if
        :: act[n] == TAKE && row.holder == act_new[n].holder && row.epoch == act_new[n].epoch && !row_released ->
            mine.epoch = row.epoch;
            mine.holder = row.holder;
            is_held = true
        :: else ->
            seen.epoch = row.epoch;
            seen.holder = row.holder
        fi;
        answered() }
       if
       :: is_held
       :: atomic { !is_held && draws < DRAWS -> ask_take(seen.epoch, seen.holder); FORGET(seen) }
       :: atomic { !is_held -> FORGET(seen) } /* not now */
       fi
    /* Holder: a write under its fence, also under one that it has lost without knowing. */
    :: atomic { is_held && !is_writing[n] && !is_unknown ->
        write_f[n].epoch = mine.epoch;
        write_f[n].holder = mine.holder;
        write_done[n] = false;
        is_writing[n] = true }
    :: atomic { is_writing[n] && write_done[n] && !is_unknown -> is_writing[n] = false; write_done[n] = false; FORGET(write_f[n]) }
    :: atomic { is_writing[n] && !is_unknown && is_held -> is_unknown = true }   /* the answer was lost */
    /* Settling: moves the own epoch, then what it wrote is there or never will be. */
    :: atomic { is_unknown && act[n] == NONE && row.epoch + 1 < EPOCHS && draws < DRAWS ->
#ifdef MUTATION_SETTLE
        settled[n].holder = mine.holder;
        is_unknown = false
#else
        ask_take(mine.epoch, mine.holder)
#endif
        }
    :: atomic { is_unknown && act[n] == TAKE && act_done[n] ->
        is_unknown = false;
        if
        :: row.holder == act_new[n].holder && row.epoch == act_new[n].epoch ->
            settled[n].holder = mine.holder;
            mine.epoch = row.epoch;
            mine.holder = row.holder
        :: else -> is_held = false; FORGET(mine) /* fenced */
        fi;
        answered() }
    /* A clean stop. */
    :: atomic { is_held && !is_unknown && !is_writing[n] && act[n] == NONE ->
        act_seen[n].epoch = mine.epoch;
        act_seen[n].holder = mine.holder;
        act_done[n] = false;
        act[n] = RELEASE;
        FORGET(mine);
        is_held = false }
    /* A renewal that finds another's row. */
    :: atomic { is_held && !is_unknown && row.holder != mine.holder && act[n] == NONE && !is_writing[n] -> is_held = false; FORGET(mine) }
    od
}

/* Once: an older state comes back, and with it the epochs that were given since. */
proctype time_machine()
{
    byte e;

end:
    atomic { !is_saved -> old.epoch = row.epoch; old.holder = row.holder; old_released = row_released; is_saved = true };
    atomic {
        row.epoch = old.epoch;
        row.holder = old.holder;
        row_released = old_released;
        FORGET(old);
        old_released = false;
        e = row.epoch + 1;
        do
        :: e < EPOCHS -> owner[e] = 0; e++
        :: else -> break
        od;
        e = 0;
        do /* what was settled in the other history says nothing of this one */
        :: e < NODES -> settled[e].holder = 0; e++
        :: else -> break
        od
    }
}

init {
    byte n;

    atomic {
        do
        :: n < NODES -> run server(n); run node(n); n++
        :: else -> break
        od;
        run time_machine()
    }
}
