EXTRA_DIST += %D%/participant.h
