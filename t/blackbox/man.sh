# Every manual page is well-formed, and gives mandoc no reason to complain.
. "$srcdir/t/lib.sh"
command -v mandoc >/dev/null || skip "no mandoc: apt-get install mandoc"
for page in "$srcdir"/man/*.[1-9]; do
    # Pages refer to each other and to the system's; whether those are installed is no matter here.
    mandoc -T lint -W style "$page" > "$work/lint" 2>&1 || :
    if grep -v 'referenced manual not found\|outdated mandoc.db' "$work/lint"; then fail "$page"; fi
done
