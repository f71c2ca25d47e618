# Promela models, checked by spin; each script also shows that its mutations break them.
BLACKBOX_TESTS += %D%/lease.sh
EXTRA_DIST += %D%/lease.sh %D%/lease.pml %D%/watch.pml %D%/sequencer.pml
