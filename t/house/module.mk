# The house: what no compiler checks.
BLACKBOX_TESTS += t/house/layers.sh
EXTRA_DIST += t/house/layers.sh
