/* watch.pml: the rule of observation (storage/lease_watch.c), in ticks of a clock. A holder beats every RENEW
 * ticks unless it is stopped; a contender looks every POLL ticks unless it is paused. Either may be stopped for
 * any time, both together too (a machine that sleeps).
 * Invariant: who takes over has looked, awake, for the whole expiry since the last beat that it saw and since
 * its last pause. Mutation that must break it: MUTATION_GAP (a gap does not start the count again). */
#define POLL   1
#define RENEW  1
#define EXPIRY 4
#define END    18

byte now, beat;
byte beat_at, woke_at, looked_at; /* ghosts: when it beat last, when the contender's last pause ended */
bool is_stopped, is_paused;

/* The watch. */
bool is_started;
byte seen_beat, seen_at, since;

inline observe()
{
    bool is_continuous;

    is_continuous = is_started && now - seen_at <= 2 * POLL;
#ifdef MUTATION_GAP
    is_continuous = is_started;
#endif
    if
    :: !is_continuous || seen_beat != beat -> since = now
    :: else
    fi;
    seen_beat = beat;
    seen_at = now;
    is_started = true;
    if
    :: now - since >= EXPIRY ->
        assert(now - beat_at >= EXPIRY && now - woke_at >= EXPIRY - POLL);
        is_started = false
    :: else
    fi
}

active proctype clock()
{
end:
    do
    :: atomic { now < END ->
        now++;
        if /* the holder */
        :: !is_stopped -> beat++; beat_at = now
        :: is_stopped
        fi;
        if
        :: is_stopped = true
        :: is_stopped = false
        fi;
        if /* the contender; one tick more or less is no pause */
        :: !is_paused -> observe(); looked_at = now
        :: is_paused
        fi;
        if
        :: is_paused = true
        :: is_paused && now - looked_at > 2 * POLL -> is_paused = false; woke_at = now
        :: is_paused && now - looked_at <= 2 * POLL -> is_paused = false
        :: else
        fi }
    od
}
