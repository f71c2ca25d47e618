# make install puts everything where the manual pages say, for a packager too (DESTDIR): the installed
# programs run, the installed samples are good, a program compiles against the installed library with
# nothing but pkg-config, the manual's example does too, and make uninstall takes every file back.
. "$srcdir/t/lib.sh"
command -v pkg-config >/dev/null || skip "no pkg-config: apt-get install pkg-config"
unset MAKEFLAGS MFLAGS MAKELEVEL
root=$work/root
var() { sed -n "s/^$1 = //p" "$builddir/Makefile"; }
make -C "$builddir" -s install DESTDIR="$root" > "$work/install.log" 2>&1 || fail "make install: $(tail -20 "$work/install.log")"
prefix=$root$(var prefix)

# installed FOLDER NAME...: exactly these files are there.
installed() {
    local dir=$prefix/$1
    shift
    [ "$(ls "$dir")" = "$(printf '%s\n' "$@" | LC_ALL=C sort)" ] || fail "$dir holds $(ls "$dir" 2>&1), not $*"
}
export LC_ALL=C
names() { (cd "$srcdir/$1" && ls $2); }
installed bin lockstep
installed sbin lockstepd
installed include/lockstep lockstep.h
installed lib/pkgconfig lockstep.pc
installed lib liblockstep.la liblockstep.so liblockstep.so.0 liblockstep.so.0.0.0 pkgconfig
installed etc/lockstep $(names etc '*.yaml')
installed share/lockstep/sql/postgres $(names sql/postgres '*.sql')
installed share/lockstep/sql/sqlite $(names sql/sqlite '*.sql')
installed share/lockstep/sql/statements $(names sql/statements '*.sql')
for page in $(names man '*.[1-9]'); do
    [ -f "$prefix/share/man/man${page##*.}/$page" ] || fail "$page is not installed"
done

version=$(sed -n 's/^AC_INIT(\[lockstep\], \[\([^]]*\)\].*/\1/p' "$srcdir/configure.ac")
for program in sbin/lockstepd bin/lockstep; do
    "$prefix/$program" --version > "$work/out" 2>&1 || fail "$program: $(cat "$work/out")"
    grep -qF "$version" "$work/out" || fail "$program --version: $(cat "$work/out"), not $version"
done
# A value for each variable that a sample asks for.
for name in $(sed -n 's/.*\${env:\([A-Z_]*\)}.*/\1/p' "$prefix"/etc/lockstep/*.yaml); do
    eval "export $name=${work}"
done
export LOCKSTEP_KEY=$LOCKSTEP_ENCRYPTION_KEY
for sample in "$prefix"/etc/lockstep/*.yaml; do
    "$prefix/sbin/lockstepd" -c "$sample" --check-config > "$work/out" 2>&1 || fail "$sample: $(cat "$work/out")"
    [ ! -s "$work/out" ] || fail "$sample: $(cat "$work/out")"
done

# pkg-config alone says how to compile and link.
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$root"
[ "$(pkg-config --modversion lockstep)" = "$version" ] || fail "pkg-config: version $(pkg-config --modversion lockstep)"
sanitize=$(var LS_LDFLAGS | grep -o -e '-fsanitize=[a-z,]*' || :)
compile() {
    $(var CC) -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror $sanitize "$work/$1.c" -o "$work/$1" \
        $(pkg-config --cflags --libs lockstep) > "$work/cc.log" 2>&1 || fail "$1.c: $(cat "$work/cc.log")"
}
cat > "$work/example.c" <<'C'
#include <stdio.h>
#include <string.h>

#include <lockstep/lockstep.h>

int main(void)
{
    const char *endpoints[] = {"http://127.0.0.1:1"};
    struct lockstep_options o = {.endpoints = endpoints, .n_endpoints = 1,
                                 .member = "PAR::alice::1220", .key_file = "/nowhere.pem"};
    struct lockstep *ls;

    if (lockstep_connect(&o, 0, &ls) != LOCKSTEP_INVALID || ls)
        return 1;
    printf("%s %s\n", lockstep_version(), lockstep_error(NULL));
    lockstep_close(ls);
    return 0;
}
C
compile example
LD_LIBRARY_PATH=$prefix/lib "$work/example" > "$work/out" 2>&1 || fail "the example: $(cat "$work/out")"
grep -q "^$version ." "$work/out" || fail "the example: $(cat "$work/out")"
{
    printf '#include <err.h>\n#include <lockstep/lockstep.h>\n'
    printf 'static int on_event(void *c, const struct lockstep_event *e) { (void)c; (void)e; return 0; }\n'
    printf 'int main(void)\n{\nconst char *to[] = {"PAR::bob::1220"};\n'
    sed -n '/^\.Sh EXAMPLES/,/^\.Ed/p' "$prefix/share/man/man3/liblockstep.3" | grep -v '^\.'
    printf 'return 0;\n}\n'
} > "$work/manual.c"
compile manual

make -C "$builddir" -s uninstall DESTDIR="$root" > "$work/install.log" 2>&1 || fail "make uninstall: $(tail -20 "$work/install.log")"
left=$(find "$root" ! -type d)
[ -z "$left" ] || fail "left by make uninstall: $left"
