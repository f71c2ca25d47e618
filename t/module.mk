include t/fuzz/module.mk
include t/house/module.mk
include t/fault/module.mk
EXTRA_DIST += t/only.h
