#!/bin/sh
# embed.sh AWK SRCDIR OUT FILE...: writes OUT, the catalogue in C, from the files of a sql/ folder
# (paths below SRCDIR): .../statements/X.sql, .../DIALECT/NNNN-name.sql with their checksums, and
# .../DIALECT/{setup,grants}.sql.
set -e
awk=$1 srcdir=$2 out=$3
shift 3
mkdir -p "$(dirname "$out")"
list=$(for f; do
    dir=$(basename "$(dirname "$f")") base=$(basename "$f" .sql)
    case $dir in
    statements) echo "statements 0 0 0 0 $srcdir/$f"; continue ;;
    postgres) dir=postgresql ;;
    esac
    case $base in
    setup | grants) echo "$base $dir 0 0 0 $srcdir/$f"; continue ;;
    [0-9]*-expand-* | [0-9]*-contract-[0-9][0-9][0-9][0-9]-* | 000[1-4]-* | 9*) ;; # 9*: the tests'
    *) echo "$f: name it NNNN-expand-NAME.sql or NNNN-contract-MMMM-NAME.sql, see sql/statements/README" >&2; exit 1 ;;
    esac
    sum=$(sha256sum < "$srcdir/$f")
    echo "migration $dir ${base%%-*} ${base#*-} ${sum%% *} $srcdir/$f"
done)
printf '%s\n' "$list" | LC_ALL=C sort | LC_ALL=C $awk -f "$srcdir/storage/embed.awk" > "$out.tmp"
mv "$out.tmp" "$out"
