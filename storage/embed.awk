# embed.awk: turns sql/ into C (the catalogue). POSIX awk.
# Input: one line a file: "statements - - - - PATH" or "migration DIALECT VERSION NAME SHA256 PATH".
# The formats are described in sql/statements/README.

function die(text)
{
    print where ": " text > "/dev/stderr"
    failed = 1
    exit 1
}

function c_string(s)
{
    gsub(/\\/, "\\\\", s)
    gsub(/"/, "\\\"", s)
    return "\"" s "\""
}

function trim(s)
{
    gsub(/^[ \t]+|[ \t\r]+$/, "", s)
    return s
}

# "name text(64), n i64" -> the C rows; fills names[table, i]; returns how many.
function columns(spec, table, out,    n, i, part, word, kind, max)
{
    n = spec == "" ? 0 : split(spec, part, ",")
    for (i = 1; i <= n; i++) {
        split(trim(part[i]), word, " ")
        max = 0
        if (table != "c" && word[2] ~ /^(text|bytes)\([1-9][0-9]*\)$/) {
            max = word[2]
            gsub(/[^0-9]/, "", max)
            sub(/\(.*/, "", word[2])
        }
        kind = word[2] == "i64" ? "VALUE_I64" : word[2] == "text" ? "VALUE_TEXT" : \
            word[2] == "bytes" ? "VALUE_BYTES" : ""
        if (kind == "" || word[3] != "" || word[1] !~ /^[a-z][a-z0-9_]*$/)
            die("`" trim(part[i]) "`: expected NAME i64|text|bytes" (table == "c" ? "" : ", text(MOST)"))
        col[table, i - 1] = word[1]
        col_rows = (i == 1 ? "" : col_rows) "{" c_string(word[1]) ", " kind ", " max "}, "
    }
    if (n > 120)
        die("more than 120 columns")
    return n
}

# What differs by dialect in few words.
function dialect_text(sql, d,    n)
{
    gsub(/[{]i64[}]/, d == "oracle" ? "NUMBER(19)" : "BIGINT", sql)
    while (match(sql, /[{]text [1-9][0-9]*[}]/)) {
        n = substr(sql, RSTART + 6, RLENGTH - 7)
        sql = substr(sql, 1, RSTART - 1) (d == "oracle" ? "VARCHAR2(" n " CHAR)" : "VARCHAR(" n ")") \
            substr(sql, RSTART + RLENGTH)
    }
    gsub(/[{]now_us[}]/, now_us[d], sql)
    gsub(/\{page\}/, d == "sqlite" ? "LIMIT :limit" : "FETCH FIRST :limit ROWS ONLY", sql)
    gsub(/[ ]*\{lock\}/, d == "sqlite" ? "" : " FOR UPDATE", sql)
    gsub(/[ ]*\{dual\}/, d == "oracle" ? " FROM dual" : "", sql)
    return sql
}

# The place of a name in a table, or -1.
function column_at(table, name, n,    i)
{
    for (i = 0; i < n; i++)
        if (col[table, i] == name)
            return i
    return -1
}

# One text: :name becomes ?, the order is noted. Returns C rows of struct step.
function step(sql, id, nparams,    out, order, n, word, i, only)
{
    only = 0
    if (sql ~ /::/ || sql ~ /\?/)
        die("write CAST(...) for `::`, and :name for `?`")
    while (match(sql, /:(row[.])?[a-z][a-z0-9_]*!?/)) {
        word = substr(sql, RSTART + 1, RLENGTH - 1)
        out = out substr(sql, 1, RSTART - 1)
        sql = substr(sql, RSTART + RLENGTH)
        n++
        if (word ~ /^row[.]/) {
            i = word
            gsub(/^row[.]|!$/, "", i)
            i = column_at("r", i, has_row)
            if (i < 0)
                die(":" word " is not in `row:`")
            if (word ~ /!$/)
                only = i + 1
            out = out "?"
            order = order "STEP_COLUMN(" i "), "
            continue
        }
        if (word == "rows") {
            if (!has_row)
                die(":rows without `row:`")
            out = out ":rows"
            order = order "STEP_ROWS, "
            continue
        }
        i = column_at("p", word, nparams)
        if (i < 0)
            die(":" word " is not in `params:`")
        out = out "?"
        order = order i ", "
    }
    out = out sql
    gsub(/[ \t]+/, " ", out)
    if (n)
        print "static const int8_t " id "[] = {" order "};"
    return "{" c_string(trim(out)) ", " (n ? id : "NULL") ", " n + 0 ", " only "}, "
}

# Splits at the lines that end with `;`: fills texts[1..], returns how many. From a line BEGIN to a
# line END; is one text, a block, and keeps its `;`.
function split_steps(body, texts,    n, line, lines, i, current, count, is_block)
{
    n = split(body, lines, "\n")
    for (i = 1; i <= n; i++) {
        line = lines[i]
        sub(/[ \t\r]+$/, "", line)
        if (line ~ /^[ \t]*--/ || line == "")
            continue
        if (line == "BEGIN")
            is_block = 1
        if (is_block && line == "END;") {
            texts[++count] = trim(current " " line)
            current = ""
            is_block = 0
        } else if (line ~ /;$/ && !is_block) {
            sub(/;$/, "", line)
            texts[++count] = trim(current " " line)
            current = ""
        } else
            current = current " " line
    }
    if (trim(current) != "")
        texts[++count] = trim(current)
    return count + 0
}

# A fenced statement on oracle ends with a block of exactly this shape (t/fakeora and the grammar gate
# know it): the UPDATE of the fence, the refusal, further changes, COMMIT.
function check_block(text, table)
{
    if (text !~ ("^BEGIN UPDATE " table " SET [^;]*; IF SQL%ROWCOUNT = 0 THEN" \
                 " RAISE_APPLICATION_ERROR[(]-20001, 'fenced'[)]; END IF;" \
                 "( (UPDATE|INSERT|DELETE) [^;]*;)* COMMIT; END;$"))
        die("its last text is not the block of a fenced write, see sql/statements/README")
}

function finish_statement(    i, d, key)
{
    if (name == "")
        return
    if (trim(body) == "")
        die(name ": no text")
    if (dialects == "")
        dialects = "general"
    for (i = split(dialects, d, " "); i > 0; i--) {
        key = name SUBSEP d[i]
        if (d[i] !~ /^(general|postgresql|sqlite|oracle)$/)
            die(name ": no such dialect: " d[i])
        if (key in sql_body)
            die(name ": twice for " d[i])
        sql_body[key] = body
        sql_params[key] = params
        sql_row[key] = row
        sql_columns[key] = result
        sql_fenced[key] = fenced
        sql_texts[key] = several
        sql_notes[key] = notes
        sql_purpose[key] = purpose
        sql_where[key] = where
    }
    known[name] = 1
    name = ""
}

function join(a, b)
{
    sub(/,$/, "", b)
    return a == "" ? b : a ", " b
}

function read_statements(path,    line, key, value)
{
    while ((status = (getline line < path)) > 0) {
        where = path ":" ++line_no[path]
        if (match(line, /^-- [a-z][a-z0-9_]*:/)) {
            key = substr(line, 4, RLENGTH - 4)
            value = trim(substr(line, RLENGTH + 1))
            if (key == "dialect") dialects = value
            else if (key == "params") params = join(params, value)
            else if (key == "row") row = join(row, value)
            else if (key == "columns") result = join(result, value)
            else if (key == "fenced") fenced = value
            else if (key == "texts") several = value
            else if (key ~ /^(rows|locks|plan|called)$/)
                notes = notes (notes == "" ? "" : "   ") key ": " value
            else {
                finish_statement()
                name = key
                purpose = value
                dialects = params = row = result = fenced = several = notes = body = ""
            }
        } else if (line !~ /^[ \t]*--/) {
            if (name == "" && trim(line) != "")
                die("text before the first header")
            body = body "\n" line
        }
    }
    if (status < 0) {
        where = path
        die("cannot be read")
    }
    finish_statement()
    close(path)
}

function emit_statement(n, d, serial,    key, id, np, nr, nc, steps, texts, count, i, p, r, c)
{
    key = (n SUBSEP d) in sql_body ? n SUBSEP d : n SUBSEP "general"
    if (!(key in sql_body))
        return ""
    where = sql_where[key] " (" n ")"
    id = d "_" serial
    np = columns(sql_params[key], "p"); p = col_rows
    if (np) print "static const struct column " id "_p[] = {" p "};"
    nr = columns(sql_row[key], "r"); r = col_rows
    if (nr) print "static const struct column " id "_r[] = {" r "};"
    nc = columns(sql_columns[key], "c"); c = col_rows
    if (nc) print "static const struct column " id "_c[] = {" c "};"
    has_row = nr
    count = split_steps(dialect_text(sql_body[key], d), texts)
    if (count > 1 && d == "postgresql")
        die("several texts: not on postgresql")
    if (count > 1 && sql_fenced[key] == "" && sql_texts[key] !~ /^(all|first)$/)
        die("several texts: say `texts: all` or `texts: first`")
    for (i = 1; i <= count; i++)
        gsub(/[ \t]+/, " ", texts[i])
    if (d == "oracle" && sql_fenced[key] != "")
        check_block(texts[count], sql_fenced[key])
    for (i = 1; i <= count; i++)
        steps = steps step(texts[i], id "_o" i, np)
    print "static const struct step " id "_s[] = {" steps "};"
    return "    {" c_string(n) ", " c_string(sql_purpose[key]) ", " c_string(sql_notes[key]) ", " \
        (sql_fenced[key] == "" ? "NULL" : c_string(sql_fenced[key])) ", " (np ? id "_p" : "NULL") ", " \
        (nr ? id "_r" : "NULL") ", " (nc ? id "_c" : "NULL") ", " np ", " nr ", " nc ", " id "_s, " \
        count ", " (sql_texts[key] == "first" ? "true" : "false") "},\n"
}

# Texts without a version: of `lockstep db sql`, with {marks}.
function emit_texts(kind, d, path,    line, text, texts, count, i, id)
{
    where = path
    while ((status = (getline line < path)) > 0)
        text = text "\n" line
    if (status < 0)
        die("cannot be read")
    close(path)
    count = split_steps(text, texts)
    id = kind "_" d
    printf "static const char *const %s[] = {\n", id
    for (i = 1; i <= count; i++)
        print "    " c_string(texts[i]) ","
    print "};"
    texts_of[kind, d] = id ", " count
}

# Programs of before must still run: what they know stays as it is, and what is new may stay empty.
function check_expand(text)
{
    if (text ~ /^CREATE TABLE / || text ~ /^CREATE INDEX /)
        return
    if (text ~ /^ALTER TABLE [a-z0-9_]+ ADD (COLUMN (IF NOT EXISTS )?)?[a-z][a-z0-9_]* / && \
        (text !~ /NOT NULL/ || text ~ / DEFAULT /) && text !~ /,|UNIQUE|PRIMARY|REFERENCES|CHECK/)
        return
    die("an expand migration has only CREATE TABLE, CREATE INDEX and ALTER TABLE t ADD column that may be NULL" \
        " or has a DEFAULT: " text)
}

function emit_migration(d, version, n, sum, path,    line, text, texts, count, i, id)
{
    where = path
    while ((status = (getline line < path)) > 0)
        text = text "\n" line
    if (status < 0)
        die("cannot be read")
    close(path)
    count = split_steps(text, texts)
    id = "migration_" d "_" (version + 0)
    printf "static const char *const %s[] = {\n", id
    for (i = 1; i <= count; i++) {
        gsub(/[ \t]+/, " ", texts[i])
        if (n !~ /^contract-/ && version < 9000) # 9000 and above are the tests' own
            check_expand(texts[i])
        print "    " c_string(texts[i]) ","
    }
    print "};"
    if (version + 0 <= last_version[d])
        die("migrations are not in rising order")
    last_version[d] = version + 0
    migrations[d] = migrations[d] "    {" version + 0 ", " c_string(n) ", " c_string(sum) ", " id ", " \
        count "},\n"
    migration_n[d]++
}

BEGIN {
    print "/* Made by storage/embed.awk from sql/: do not edit. */"
    print "#include \"storage/catalogue_table.h\"\n"
    now_us["postgresql"] = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"
    now_us["sqlite"] = "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"
    # One reading of the clock, as digits, because an interval gives no number that all releases agree on.
    now_us["oracle"] = "(SELECT (CAST(SUBSTR(c.t, 1, 7) AS NUMBER(10)) - 2440588) * 86400000000" \
        " + CAST(SUBSTR(c.t, 8, 2) AS NUMBER(10)) * 3600000000 + CAST(SUBSTR(c.t, 10, 2) AS NUMBER(10)) * 60000000" \
        " + CAST(SUBSTR(c.t, 12, 8) AS NUMBER(10))" \
        " FROM (SELECT TO_CHAR(SYS_EXTRACT_UTC(SYSTIMESTAMP), 'JHH24MISSFF6') AS t FROM dual) c)"
}

$1 == "statements" { read_statements($6) }
$1 == "setup" || $1 == "grants" { emit_texts($1, $2, $6) }
$1 == "migration" { emit_migration($2, $3, $4, $5, $6) }

END {
    if (failed)
        exit 1
    for (n in known)
        order[++total] = n
    for (i = 2; i <= total; i++) # insertion sort, by bytes
        for (j = i; j > 1 && (order[j] "") < (order[j - 1] ""); j--) {
            t = order[j]; order[j] = order[j - 1]; order[j - 1] = t
        }
    split("postgresql sqlite oracle", dialect, " ")
    for (k = 1; k <= 3; k++) {
        d = dialect[k]
        table = ""
        count = 0
        for (i = 1; i <= total; i++) {
            one = emit_statement(order[i], d, i)
            if (one != "")
                count++
            table = table one
        }
        if (count)
            print "static const struct statement statements_" d "[] = {\n" table "};"
        if (migration_n[d])
            print "static const struct migration migrations_" d "[] = {\n" migrations[d] "};"
        tables = tables "    {" (count ? "statements_" d : "NULL") ", " count ", " \
            (migration_n[d] ? "migrations_" d : "NULL") ", " migration_n[d] + 0 ", " \
            (("setup", d) in texts_of ? texts_of["setup", d] : "NULL, 0") ", " \
            (("grants", d) in texts_of ? texts_of["grants", d] : "NULL, 0") "},\n"
    }
    print "const struct catalogue_table catalogue_tables[DIALECT_N] = {\n" tables "};"
}
