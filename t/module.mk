include t/fuzz/module.mk
include t/house/module.mk
