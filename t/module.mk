include t/fakeora/module.mk
include t/fuzz/module.mk
include t/house/module.mk
include t/fault/module.mk
include t/proxy/module.mk
include t/blackbox/module.mk
EXTRA_DIST += t/only.h t/nightly.sh
include t/participant/module.mk
include t/topology/module.mk
include t/bench/module.mk
include t/oracle-grammar/module.mk
include t/model/module.mk
