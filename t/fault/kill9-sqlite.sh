#!/bin/bash
# kill -9 under load, 20 times, on SQLite.
set -- sqlite
. "$srcdir/t/fault/kill9.sh"
