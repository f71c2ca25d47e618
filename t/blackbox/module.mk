# Hostile clients, databases and networks against real lockstepd processes.
EXTRA_DIST += t/blackbox/lockstep.py
BLACKBOX_TESTS += t/blackbox/bad_requests.py
EXTRA_DIST += t/blackbox/bad_requests.py
BLACKBOX_TESTS += t/blackbox/participants.py
EXTRA_DIST += t/blackbox/participants.py
