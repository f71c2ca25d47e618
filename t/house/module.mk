# The house: what no compiler checks.
HOUSE_TESTS = t/house/layers.sh t/house/files.sh t/house/errors.sh
BLACKBOX_TESTS += $(HOUSE_TESTS)
EXTRA_DIST += $(HOUSE_TESTS)
