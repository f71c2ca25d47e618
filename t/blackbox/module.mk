# Hostile clients, databases and networks against real lockstepd processes.
EXTRA_DIST += t/blackbox/lockstep.py
BLACKBOX_TESTS += t/blackbox/bad_requests.py
EXTRA_DIST += t/blackbox/bad_requests.py
BLACKBOX_TESTS += t/blackbox/participants.py
EXTRA_DIST += t/blackbox/participants.py
# Tests of the whole: what is installed, the two commands of the root.
BLACKBOX_TESTS += %D%/install.sh
EXTRA_DIST += %D%/install.sh
