#!/bin/bash
# Chaos on "Oracle", of each kind once: both mediators and a sequencer killed, sessions lost, answers to
# commits lost before and after they were done, the database restarted.
export LS_TEST_FAULT="${LS_TEST_FAULT-mediators unsaid sequencer undone restart lost}"
export LS_TEST_ROUNDS=${LS_TEST_ROUNDS:-3}
set -- oracle
. "$srcdir/t/fault/chaos.sh"
