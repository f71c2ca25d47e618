# The fault proxy: t/proxy/README. Tests use it by proxy_start and proxy_cmd of t/lib.sh.
check_PROGRAMS += %D%/proxy
t_proxy_proxy_SOURCES = %D%/proxy.c %D%/relay.c %D%/relay.h %D%/command.c %D%/command.h %D%/pattern.c %D%/pattern.h
t_proxy_proxy_LDADD = libbase.la

UNIT_TESTS += %D%/test_proxy
t_proxy_test_proxy_SOURCES = %D%/test_proxy.c %D%/command.c %D%/command.h %D%/pattern.c %D%/pattern.h
t_proxy_test_proxy_LDADD = libbase.la $(CMOCKA_LIBS)
EXTRA_DIST += %D%/README
