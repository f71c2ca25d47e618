noinst_LTLIBRARIES += libbase.la
libbase_la_SOURCES = \
	%D%/buffer.c %D%/buffer.h \
	%D%/clock.c %D%/clock.h \
	%D%/error.c %D%/error.h %D%/errors.def \
	%D%/failpoint.c %D%/failpoint.h \
	%D%/logger.c %D%/logger.h \
	%D%/pool.c %D%/pool.h \
	%D%/random.c %D%/random.h \
	%D%/thread.c %D%/thread.h \
	%D%/waiter.c %D%/waiter.h

UNIT_TESTS += t/unit/test_base
t_unit_test_base_SOURCES = t/unit/test_base.c
t_unit_test_base_LDADD = libbase.la $(CMOCKA_LIBS)
