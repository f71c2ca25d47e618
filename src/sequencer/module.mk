noinst_LTLIBRARIES += libsequencer.la
libsequencer_la_SOURCES = \
	%D%/clock.c %D%/clock.h \
	%D%/frontier.c %D%/frontier.h \
	%D%/sequencer.h

UNIT_TESTS += t/unit/test_sequencer_clock
t_unit_test_sequencer_clock_SOURCES = t/unit/test_sequencer_clock.c
t_unit_test_sequencer_clock_LDADD = libsequencer.la libbase.la $(CMOCKA_LIBS)
