#!/bin/bash
# kill -9 under load, 20 times, on a private PostgreSQL.
set -- postgres
. "$srcdir/t/fault/kill9.sh"
