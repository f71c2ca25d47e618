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

function dialect_text(sql, d)
{
    gsub(/\{page\}/, d == "sqlite" ? "LIMIT :limit" : "FETCH FIRST :limit ROWS ONLY", sql)
    gsub(/[ ]*\{lock\}/, d == "sqlite" ? "" : " FOR UPDATE", sql)
    gsub(/[ ]*\{dual\}/, d == "oracle" ? " FROM dual" : "", sql)
    return sql
}

# One text: :name becomes ?, the order is noted. Returns C rows of struct step.
function step(sql, id, nparams,    out, order, n, word, i)
{
    if (sql ~ /::/ || sql ~ /\?/)
        die("write CAST(...) for `::`, and :name for `?`")
    while (match(sql, /:[a-z][a-z0-9_]*/)) {
        word = substr(sql, RSTART + 1, RLENGTH - 1)
        out = out substr(sql, 1, RSTART - 1)
        sql = substr(sql, RSTART + RLENGTH)
        n++
        if (word == "rows") {
            if (!has_row)
                die(":rows without `row:`")
            out = out ":rows"
            order = order "STEP_ROWS, "
            continue
        }
        for (i = 0; i < nparams; i++)
            if (col["p", i] == word)
                break
        if (i == nparams)
            die(":" word " is not in `params:`")
        out = out "?"
        order = order i ", "
    }
    out = out sql
    gsub(/[ \t]+/, " ", out)
    if (n)
        print "static const int8_t " id "[] = {" order "};"
    return "{" c_string(trim(out)) ", " (n ? id : "NULL") ", " n + 0 "}, "
}

# Splits at the lines that end with `;`: fills texts[1..], returns how many.
function split_steps(body, texts,    n, line, lines, i, current, count)
{
    n = split(body, lines, "\n")
    for (i = 1; i <= n; i++) {
        line = lines[i]
        sub(/[ \t\r]+$/, "", line)
        if (line ~ /^[ \t]*--/ || line == "")
            continue
        if (line ~ /;$/) {
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
            else if (key ~ /^(rows|locks|plan|called)$/)
                notes = notes (notes == "" ? "" : "   ") key ": " value
            else {
                finish_statement()
                name = key
                purpose = value
                dialects = params = row = result = fenced = notes = body = ""
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
    if (count > 1 && (sql_fenced[key] == "" || d == "postgresql"))
        die("several texts: only a fenced write, and not on postgresql")
    for (i = 1; i <= count; i++)
        steps = steps step(texts[i], id "_o" i, np)
    print "static const struct step " id "_s[] = {" steps "};"
    return "    {" c_string(n) ", " c_string(sql_purpose[key]) ", " c_string(sql_notes[key]) ", " \
        (sql_fenced[key] == "" ? "NULL" : c_string(sql_fenced[key])) ", " (np ? id "_p" : "NULL") ", " \
        (nr ? id "_r" : "NULL") ", " (nc ? id "_c" : "NULL") ", " np ", " nr ", " nc ", " id "_s, " \
        count "},\n"
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
}

$1 == "statements" { read_statements($6) }
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
            (migration_n[d] ? "migrations_" d : "NULL") ", " migration_n[d] + 0 "},\n"
    }
    print "const struct catalogue_table catalogue_tables[DIALECT_N] = {\n" tables "};"
}
