# Hostile clients, databases and networks against real lockstepd processes.
EXTRA_DIST += t/blackbox/lockstep.py
BLACKBOX_TESTS += t/blackbox/bad_requests.py
EXTRA_DIST += t/blackbox/bad_requests.py
BLACKBOX_TESTS += t/blackbox/participants.py
EXTRA_DIST += t/blackbox/participants.py
BLACKBOX_TESTS += t/blackbox/logs.sh
EXTRA_DIST += t/blackbox/logs.sh t/blackbox/logs_check.py
BLACKBOX_TESTS += t/blackbox/bad_database.py
EXTRA_DIST += t/blackbox/bad_database.py
BLACKBOX_TESTS += t/blackbox/tls.sh
EXTRA_DIST += t/blackbox/tls.sh
BLACKBOX_TESTS += t/blackbox/bad_postgres.sh
EXTRA_DIST += t/blackbox/bad_postgres.sh t/blackbox/bad_postgres_check.py
BLACKBOX_TESTS += t/blackbox/topology.sh
EXTRA_DIST += t/blackbox/topology.sh t/blackbox/topology_check.py
BLACKBOX_TESTS += t/blackbox/hostile_member.py t/blackbox/junk.py
EXTRA_DIST += t/blackbox/hostile_member.py t/blackbox/junk.py
# Tests of the whole: what is installed, the two commands of the root.
WHOLE_TESTS = %D%/install.sh %D%/quickstart.sh %D%/quickstart-postgres.sh
BLACKBOX_TESTS += $(WHOLE_TESTS)
EXTRA_DIST += $(WHOLE_TESTS)
BLACKBOX_TESTS += t/blackbox/dsn.sh
EXTRA_DIST += t/blackbox/dsn.sh
BLACKBOX_TESTS += t/blackbox/keys.sh
EXTRA_DIST += t/blackbox/keys.sh
BLACKBOX_TESTS += t/blackbox/topology_admin.sh
EXTRA_DIST += t/blackbox/topology_admin.sh
