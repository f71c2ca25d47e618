include t/fuzz/module.mk
