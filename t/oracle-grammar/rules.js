// rules.js: what the grammar cannot know. One row a rule: its name, why, and a function that names what
// is wrong in a statement. A statement is {sql, tokens, isBlock, ddl, schema}: ddl is what it makes (or
// null), schema the tables that all migrations make.
//   ORACLE: Oracle itself would refuse or misunderstand it.
//   SUBSET: Oracle takes it, we do not: it needs a grant, cannot be tried elsewhere, or hides a trap.
'use strict';
const {isWord, isOp, follows, places, inside, parts, names} = require('./sql.js');

const RESERVED = new Set(`ACCESS ADD ALL ALTER AND ANY AS ASC AUDIT BETWEEN BY CHAR CHECK CLUSTER COLUMN
    COLUMN_VALUE COMMENT COMPRESS CONNECT CREATE CURRENT DATE DECIMAL DEFAULT DELETE DESC DISTINCT DROP ELSE
    EXCLUSIVE EXISTS FILE FLOAT FOR FROM GRANT GROUP HAVING IDENTIFIED IMMEDIATE IN INCREMENT INDEX INITIAL
    INSERT INTEGER INTERSECT INTO IS LEVEL LIKE LOCK LONG MAXEXTENTS MINUS MLSLABEL MODE MODIFY NESTED_TABLE_ID
    NOAUDIT NOCOMPRESS NOT NOWAIT NULL NUMBER OF OFFLINE ON ONLINE OPTION OR ORDER PCTFREE PRIOR PUBLIC RAW
    RENAME RESOURCE REVOKE ROW ROWID ROWNUM ROWS SELECT SESSION SET SHARE SIZE SMALLINT START SUCCESSFUL SYNONYM
    SYSDATE TABLE THEN TO TRIGGER UID UNION UNIQUE UPDATE USER VALIDATE VALUES VARCHAR VARCHAR2 VIEW WHENEVER
    WHERE WITH`.split(/\s+/));
const FOREIGN_TYPES = new Set(`BYTEA SERIAL BIGSERIAL SMALLSERIAL BIGINT TEXT BOOL BOOLEAN JSONB UUID TIMESTAMPTZ
    INT2 INT4 INT8`.split(/\s+/));
const FOREIGN_WORDS = new Set('EXCEPT ILIKE AUTOINCREMENT LIMIT RECURSIVE TRUE FALSE'.split(' '));
const FOREIGN_CALLS = new Set('NOW STRING_AGG GROUP_CONCAT IFNULL GEN_RANDOM_UUID'.split(' '));
const LOBS = ['BLOB', 'CLOB', 'NCLOB', 'LONG'];
// What everybody may read without a grant.
const DICTIONARY = /^(DUAL|(USER|ALL)_[A-Z_]+|SESSION_PRIVS|PRODUCT_COMPONENT_VERSION|NLS_(SESSION|DATABASE|INSTANCE)_PARAMETERS)$/;

const columnNames = (s) => (s.ddl === null ? [] : s.ddl.columns.map((c) => c.name));
const isColumn = (s, name) => columnNames(s).includes(name) ||
    [...s.schema.values()].some((columns) => columns.has(name));

// The tables that a statement uses, by the names that it gives them.
function tablesUsed(s) {
    const used = new Map();
    s.tokens.forEach((token, i) => {
        const columns = isWord(token) && s.schema.get(token.text);
        if (!columns) return;
        used.set(token.text, columns);
        const next = s.tokens[i + 1];
        if (isWord(next) && !RESERVED.has(next.text) && !['USING', 'JOIN', 'FETCH'].includes(next.text))
            used.set(next.text, columns);
    });
    return used;
}

// Is token i a column of a LOB type? Not when it is handed to a function that is called from `from` on.
function isLob(s, used, i, from = i) {
    const {tokens} = s;
    if (!isWord(tokens[i])) return false;
    const isCalled = tokens.slice(0, i).some((t, k) => k > from && isOp(t, '(') && inside(tokens, k)[1] > i && isWord(tokens[k - 1]) && !RESERVED.has(tokens[k - 1].text) &&
        !s.schema.has(tokens[k - 1].text) && !['OVER', 'USING', 'KEY'].includes(tokens[k - 1].text));
    if (isCalled) return false;
    const tables = isOp(tokens[i - 1], '.') ? [used.get(tokens[i - 2].text)] : [...used.values()];
    return tables.some((columns) => columns && LOBS.includes(columns.get(tokens[i].text)));
}

// Is token i an assignment's `=`? True between SET and the WHERE of the same depth.
function isAssignment(tokens, i) {
    for (let k = i - 1; k >= 0; k--) {
        if (tokens[k].depth < tokens[i].depth) return false;
        if (tokens[k].depth > tokens[i].depth) continue;
        if (isWord(tokens[k], 'SET')) return true;
        if (isWord(tokens[k], 'WHERE', 'ON', 'AND', 'OR', 'WHEN', 'HAVING')) return false;
    }
    return false;
}

// The items of the list that begins at i and ends before one of these words of the same depth.
function listAt(tokens, i, ...until) {
    let end = i;
    while (end < tokens.length && tokens[end].depth >= tokens[i].depth &&
        !(tokens[end].depth === tokens[i].depth && isWord(tokens[end], ...until))) end++;
    return [i, end];
}

const indexes = ([from, to]) => Array.from({length: to - from}, (_, k) => from + k);

function lobComparisons(s) {
    const used = tablesUsed(s), {tokens} = s;
    const found = [];
    tokens.forEach((token, i) => {
        const compares = isOp(token, '=', '<>', '!=', '<', '>', '<=', '>=') ? !isAssignment(tokens, i)
            : isWord(token, 'IN', 'BETWEEN');
        if (!compares) return;
        const left = isWord(tokens[i - 1], 'NOT') ? i - 2 : i - 1;
        const right = isOp(tokens[i + 2], '.') ? i + 3 : i + 1;
        found.push(...[left, right].filter((k) => k >= 0 && k < tokens.length && isLob(s, used, k)));
    });
    return found.map((i) => tokens[i].text);
}

function lobLists(s) {
    const used = tablesUsed(s), {tokens} = s;
    const lists = [
        ...places(tokens, 'SELECT', 'DISTINCT').map((i) => listAt(tokens, i + 2, 'FROM')),
        ...places(tokens, '(', 'DISTINCT').map((i) => inside(tokens, i)),
        ...[...places(tokens, 'ORDER', 'BY'), ...places(tokens, 'GROUP', 'BY'), ...places(tokens, 'PARTITION', 'BY')]
            .map((i) => listAt(tokens, i + 2, 'HAVING', 'ORDER', 'FETCH', 'OFFSET', 'FOR', 'UNION', 'ROWS')),
    ];
    if (tokens.some((t, i) => isWord(t, 'MINUS', 'INTERSECT') || (isWord(t, 'UNION') && !isWord(tokens[i + 1], 'ALL'))))
        lists.push(...places(tokens, 'SELECT').map((i) => listAt(tokens, i + 1, 'FROM')));
    return lists.flatMap(([from, to]) => indexes([from, to]).filter((i) => isLob(s, used, i, from)))
        .map((i) => tokens[i].text);
}

// What stands in a column definition or CAST as the type.
function types(s) {
    const casts = places(s.tokens, 'CAST', '(').map((i) => {
        const [from, to] = inside(s.tokens, i + 1);
        const as = s.tokens.slice(from, to).findLastIndex((t) => isWord(t, 'AS') && t.depth === s.tokens[from].depth);
        return s.tokens[from + as + 1];
    });
    const columns = s.ddl === null ? [] : s.ddl.columns.map((c) => c.tokens[1]);
    return [...casts, ...columns].filter((t) => t !== undefined);
}

// The number in the parentheses behind each of these types, with the word after it.
const lengths = (s, ...type) => s.tokens.flatMap((t, i) => (isWord(t, ...type) && isOp(s.tokens[i + 1], '(')
    ? [{length: Number(s.tokens[i + 2].text), unit: s.tokens[i + 3].text}] : []));

// The names that a statement brings into the world: tables, columns, constraints, indexes, aliases.
function namesMade(s) {
    const made = columnNames(s);
    if (s.ddl !== null) made.push(s.ddl.table, ...s.ddl.keys.map((key) => key.name));
    s.tokens.forEach((t, i) => {
        const isType = places(s.tokens, 'CAST', '(').some((k) => inside(s.tokens, k + 1)[1] > i && k < i);
        if (isWord(t, 'AS') && isWord(s.tokens[i + 1]) && !isType) made.push(s.tokens[i + 1].text);
    });
    return made;
}

function mergedOnColumns(s) {
    const {tokens} = s;
    if (!isWord(tokens[0], 'MERGE')) return [];
    const on = tokens.findIndex((t) => isWord(t, 'ON') && t.depth === 0);
    if (on < 0 || !isOp(tokens[on + 1], '(')) return [];
    const target = [undefined, tokens[2].text, tokens[3].text];
    const keys = indexes(inside(tokens, on + 1)).filter((i) => isWord(tokens[i]) &&
        target.includes(isOp(tokens[i - 1], '.') ? tokens[i - 2].text : undefined)).map((i) => tokens[i].text);
    return places(tokens, 'UPDATE', 'SET')
        .flatMap((i) => parts(tokens, ...listAt(tokens, i + 2, 'WHEN', 'WHERE', 'DELETE')))
        .map((part) => (isOp(part[1], '.') ? part[2] : part[0]).text)
        .filter((name) => keys.includes(name));
}

const isRowOfTwo = (tokens, i) => isOp(tokens[i], '(') && !isWord(tokens[i - 1]) &&
    parts(tokens, ...inside(tokens, i)).length > 1;

function rowInequalities(s) {
    const {tokens} = s;
    return tokens.filter((t, i) => isOp(t, '<', '>', '<=', '>=', '<>', '!=') && (isRowOfTwo(tokens, i + 1) ||
        (isOp(tokens[i - 1], ')') && tokens.some((_, k) => k < i && isRowOfTwo(tokens, k) &&
            inside(tokens, k)[1] === i - 1)))).map((t) => t.text);
}

// Two indexes on one list of columns (ORA-01408), two of one name (ORA-00955).
function indexTwins(s) {
    if (s.ddl === null || s.earlierKeys === undefined) return [];
    return s.ddl.keys.flatMap((key, i) => [...s.earlierKeys, ...s.ddl.keys.slice(0, i)
        .map((k) => ({...k, table: s.ddl.table}))]
        .filter((other) => (key.name !== '' && other.name === key.name) ||
            (other.table === s.ddl.table && other.columns.join() === key.columns.join()))
        .map((other) => `${key.name} and ${other.name}`));
}

// The text between BEGIN and END of a block, cut at its semicolons.
function blockSteps(tokens) {
    const steps = [[]];
    for (const t of tokens.slice(1)) {
        if (isOp(t, ';')) steps.push([]);
        else steps[steps.length - 1].push(t);
    }
    return steps.filter((step) => step.length > 0);
}

const isFence = (step) => /^IF SQL % ROWCOUNT = 0 THEN RAISE_APPLICATION_ERROR \( - 20\d\d\d , '[^']+' \)$/
    .test(step.map((t) => t.text).join(' '));

function blockFaults(s) {
    if (!s.isBlock) return [];
    const steps = blockSteps(s.tokens).map((step) => ({step, text: step.map((t) => t.text).join(' ')}));
    const last = steps.pop(), commit = steps.pop();
    const faults = steps.filter(({step, text}) => !isWord(step[0], 'UPDATE', 'INSERT', 'DELETE') && !isFence(step) &&
        text !== 'END IF').map(({text}) => `a block may not hold: ${text.slice(0, 60)}`);
    if (!isWord(s.tokens[0], 'BEGIN')) faults.push('a block begins with BEGIN');
    if (!last || last.text !== 'END') faults.push('a block ends with END;');
    if (!commit || commit.text !== 'COMMIT') faults.push('a block commits behind its fence, as its last act');
    if (!steps.some(({step}) => isFence(step))) faults.push('no IF SQL%ROWCOUNT = 0 THEN RAISE_APPLICATION_ERROR(-20nnn)');
    return faults;
}

const word = (...wanted) => (s) => s.tokens.filter((t) => isWord(t, ...wanted)).map((t) => t.text);
const phrase = (...texts) => (s) => places(s.tokens, ...texts).map(() => texts.join(' '));
const lob = (s, key) => key.columns.filter((name) => LOBS.includes((s.schema.get(s.ddl.table) || new Map()).get(name) ||
    (s.ddl.columns.find((c) => c.name === name) || {}).type));

const RULES = [
    // ---- ORACLE ----
    ['foreign-type', 'not a type of Oracle', (s) => types(s).filter((t) => FOREIGN_TYPES.has(t.text)).map((t) => t.text)],
    ['foreign-word', 'not a word of Oracle', (s) => s.tokens.filter((t) => isWord(t) && !isColumn(s, t.text) &&
        (FOREIGN_WORDS.has(t.text) || FOREIGN_TYPES.has(t.text))).map((t) => t.text)],
    ['foreign-call', 'not a function of Oracle', (s) => s.tokens.filter((t, i) => isWord(t) && FOREIGN_CALLS.has(t.text) &&
        isOp(s.tokens[i + 1], '(')).map((t) => t.text)],
    ['on-conflict', 'PostgreSQL and SQLite only', phrase('ON', 'CONFLICT')],
    ['colon-cast', 'PostgreSQL only: write CAST', (s) => s.tokens.filter((t) => isOp(t, '::')).map((t) => t.text)],
    ['returning', 'RETURNING needs INTO', (s) => places(s.tokens, 'RETURNING').filter((i) =>
        !s.tokens.slice(i).some((t) => isWord(t, 'INTO'))).map(() => 'RETURNING')],
    ['locked-page', 'ORA-02014: read the ids first, then lock by id', (s) => (places(s.tokens, 'FOR', 'UPDATE').length > 0
        ? s.tokens.filter((t, i) => isWord(t, 'DISTINCT', 'GROUP', 'UNION', 'OFFSET') ||
            (isWord(t, 'FETCH') && isWord(s.tokens[i + 1], 'FIRST', 'NEXT'))).map((t) => `${t.text} with FOR UPDATE`) : [])],
    ['row-inequality', 'rows compare with = only', rowInequalities],
    ['quoted', 'quoted names are case-sensitive', (s) => s.tokens.filter((t) => t.kind === 'quoted').map((t) => t.text)],
    ['varchar2-length', 'VARCHAR2 and RAW need a length', (s) => s.tokens.filter((t, i) =>
        isWord(t, 'VARCHAR2', 'NVARCHAR2', 'RAW') && !isOp(s.tokens[i + 1], '(')).map((t) => t.text)],
    ['too-long', 'VARCHAR2 has at most 4000 bytes, RAW 2000, NUMBER 38 digits', (s) => [
        ...lengths(s, 'VARCHAR2', 'NVARCHAR2').filter((l) => l.length > 4000),
        ...lengths(s, 'RAW').filter((l) => l.length > 2000),
        ...lengths(s, 'NUMBER').filter((l) => l.length > 38)].map((l) => l.length)],
    ['bare-transaction', 'SQLEndTran ends a transaction', (s) => (s.tokens.length <= 2 || isOp(s.tokens[1], ';') ||
        isWord(s.tokens[0], 'START') ? s.tokens.slice(0, 1).filter((t) =>
            isWord(t, 'BEGIN', 'COMMIT', 'ROLLBACK', 'START')).map((t) => t.text) : [])],
    ['if-exists', 'from 23ai on only', (s) => [...places(s.tokens, 'IF', 'EXISTS'),
        ...places(s.tokens, 'IF', 'NOT', 'EXISTS')].map(() => 'IF [NOT] EXISTS')],
    ['on-update', 'no such action', (s) => ['CASCADE', 'SET', 'RESTRICT'].flatMap((action) =>
        phrase('ON', 'UPDATE', action)(s))],
    ['semicolon', 'ORA-00911 outside of a block', (s) => (!s.isBlock && s.tokens.some((t) => isOp(t, ';')) ? [';'] : [])],
    ['empty-string', "'' is NULL", (s) => s.tokens.filter((t) => t.text === "''").map((t) => t.text)],
    ['name-length', 'at most 30 bytes before 12.2', (s) => s.tokens.filter((t) => isWord(t) &&
        Buffer.byteLength(t.text) > 30).map((t) => t.text)],
    ['reserved', 'reserved by Oracle', (s) => namesMade(s).filter((name) => RESERVED.has(name))],
    ['lob-key', 'a LOB is no key', (s) => (s.ddl === null ? [] : s.ddl.keys.flatMap((key) => lob(s, key)))],
    ['lob-compared', 'ORA-00932: a LOB cannot be compared', lobComparisons],
    ['lob-sorted', 'ORA-00932: a LOB cannot be sorted or made distinct', lobLists],
    ['merge-on', 'ORA-38104: a column of ON cannot be updated', mergedOnColumns],
    ['in-list', 'ORA-01795: at most 1000', (s) => places(s.tokens, 'IN', '(').map((i) =>
        parts(s.tokens, ...inside(s.tokens, i + 1)).length).filter((n) => n > 1000)],
    ['index-twins', 'ORA-01408, ORA-00955', indexTwins],
    // ---- SUBSET ----
    ['block', 'PL/SQL is for the fenced write only', blockFaults],
    ['plsql', 'PL/SQL is for the fenced write only', (s) => (isWord(s.tokens[0], 'DECLARE') ||
        (isWord(s.tokens[0], 'CREATE') && s.tokens.slice(1, 4).some((t) =>
            isWord(t, 'PROCEDURE', 'FUNCTION', 'PACKAGE', 'TRIGGER'))) ? [s.tokens[0].text] : [])],
    ['grant-needed', 'needs a grant or cannot be tried elsewhere', (s) => s.tokens.filter((t) => isWord(t) &&
        (/^(DBMS|UTL)_|^V_?\$|^GV\$|^DBA_/.test(t.text) || ['ROWNUM', 'NEXTVAL', 'CURRVAL', 'IDENTITY',
            'SEQUENCE', 'CONNECT', 'SYS'].includes(t.text))).map((t) => t.text)],
    ['unknown-table', 'no migration makes it, and not everybody may read it', (s) => s.tokens.filter((t, i) =>
        isWord(t) && t.depth >= 0 && isWord(s.tokens[i - 1], 'FROM', 'JOIN', 'INTO') && s.schema.size > 0 &&
        !follows(s.tokens, i + 1, '.') && !s.schema.has(t.text) && !DICTIONARY.test(t.text) &&
        !s.tokens.some((w, k) => w.text === t.text && isWord(s.tokens[k + 1], 'AS') && isOp(s.tokens[k + 2], '(')) &&
        !places(s.tokens, 'EXTRACT', '(').some((k) => k < i && inside(s.tokens, k + 1)[1] > i)).map((t) => t.text)],
    ['for-update', 'NOWAIT and SKIP LOCKED only', (s) => places(s.tokens, 'FOR', 'UPDATE').filter((i) =>
        isWord(s.tokens[i + 2], 'OF', 'WAIT')).map((i) => s.tokens[i + 2].text)],
    ['time-column', 'time is NUMBER(19), microseconds', (s) => types(s).filter((t) => isWord(t, 'DATE', 'TIMESTAMP',
        'INTERVAL')).map((t) => t.text)],
    ['char-length', 'n CHAR may take 4 n bytes of the 4000', (s) => lengths(s, 'VARCHAR2').filter((l) =>
        l.unit === 'CHAR' && l.length > 1000).map((l) => `VARCHAR2(${l.length} CHAR)`)],
    ['byte-length', 'VARCHAR2(n) means bytes or characters by a setting: write CHAR', (s) => lengths(s, 'VARCHAR2').filter(
        (l) => l.unit === ')').map((l) => `VARCHAR2(${l.length})`)],
    ['merge-lob', 'ORA-01461, ORA-03146: no LOB in MERGE', (s) => (isWord(s.tokens[0], 'MERGE')
        ? s.tokens.filter((_, i) => isLob(s, tablesUsed(s), i)).map((t) => t.text) : [])],
    ['lob-last', 'ORA-03146: a LOB is bound behind all others', (s) => {
        const into = places(s.tokens, 'INSERT', 'INTO')[0];
        if (into === undefined || !isOp(s.tokens[into + 3], '(')) return [];
        const columns = s.schema.get(s.tokens[into + 2].text);
        if (columns === undefined) return [];
        const isBig = names(s.tokens, into + 3).map((name) => LOBS.includes(columns.get(name)));
        return isBig.includes(true) && isBig.slice(isBig.indexOf(true)).includes(false) ? [s.tokens[into + 2].text] : [];
    }],
    ['merge-cast', 'the engines guess the type of a bare bind differently', (s) => (isWord(s.tokens[0], 'MERGE')
        ? places(s.tokens, 'SELECT').flatMap((i) => indexes(listAt(s.tokens, i + 1, 'FROM'))).filter((i) =>
            s.tokens[i].kind === 'bind' && !follows(s.tokens, i - 2, 'CAST', '(')).map(() => '?') : [])],
    ['escape', 'no ODBC escapes', (s) => s.tokens.filter((t) => isOp(t, '{', '}')).map((t) => t.text)],
].map(([name, why, find]) => ({name, why, find}));

module.exports = {RULES, blockSteps};
