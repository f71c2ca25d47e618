#!/bin/sh
# embed.sh AWK SRCDIR OUT FILE...: writes OUT, the catalogue in C, from the files of a sql/ folder
# (paths below SRCDIR): .../statements/X.sql, and .../DIALECT/NNNN-name.sql with their checksums.
set -e
awk=$1 srcdir=$2 out=$3
shift 3
mkdir -p "$(dirname "$out")"
for f; do
    dir=$(basename "$(dirname "$f")") base=$(basename "$f" .sql)
    case $dir in
    statements) echo "statements 0 0 0 0 $srcdir/$f"; continue ;;
    postgres) dir=postgresql ;;
    esac
    sum=$(sha256sum < "$srcdir/$f")
    echo "migration $dir ${base%%-*} ${base#*-} ${sum%% *} $srcdir/$f"
done | LC_ALL=C sort | LC_ALL=C $awk -f "$srcdir/storage/embed.awk" > "$out.tmp"
mv "$out.tmp" "$out"
