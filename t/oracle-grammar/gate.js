// gate.js: no text reaches Oracle that Oracle's grammar does not know, or that a rule forbids.
//   lockstep db statements --dialect oracle -o json | node gate.js
//   node gate.js --samples FILE   the gate's own test, see samples.txt
// Ends with 0 when nothing was found, else 1. antlr4ts and antlr4ts-sql are found by NODE_PATH.
'use strict';
const fs = require('fs');
const {complaints} = require('./grammar.js');
const {tokenize, isWord, isOp, readDdl, readSchema} = require('./sql.js');
const {RULES, blockSteps} = require('./rules.js');
const exceptions = require('./exceptions.js');

function statementOf(sql, schema, earlierKeys) {
    const tokens = tokenize(sql);
    const isBlock = isWord(tokens[0], 'BEGIN', 'DECLARE') && tokens.some((t) => isOp(t, ';')) && tokens.length > 2;
    return {sql, tokens, isBlock, ddl: readDdl(tokens), schema, earlierKeys};
}

// The statements inside of a block are judged like others.
function partsOf(s) {
    if (!s.isBlock) return [];
    return blockSteps(s.tokens).filter((step) => isWord(step[0], 'UPDATE', 'INSERT', 'DELETE', 'MERGE', 'SELECT'))
        .map((step) => statementOf(s.sql.slice(step[0].at, step.at(-1).at + step.at(-1).text.length), s.schema));
}

// What is wrong with a statement: [{rule, text}].
function judge(s) {
    const found = [s, ...partsOf(s)].flatMap((one) => RULES.flatMap((rule) => rule.find(one)
        .map((what) => ({rule: rule.name, text: `${what} (${rule.why})`}))));
    const [first] = complaints(s.tokens, s.sql, s.isBlock);
    if (first !== undefined) found.push({rule: 'grammar', text: first.slice(0, 160)});
    return found;
}

// Every row of `lockstep db statements -o json`. An exception holds for one text and one rule; one
// that nothing needs any more is a fault itself.
function gate(rows) {
    const isDdl = (row) => /^(CREATE|ALTER)\s/i.test(row.sql);
    const schema = readSchema(rows.filter(isDdl).map((row) => row.sql));
    const open = new Set(exceptions), keys = [], faults = [];
    for (const row of rows) {
        const s = statementOf(row.sql, schema, [...keys]);
        if (s.ddl !== null) keys.push(...s.ddl.keys.map((key) => ({...key, table: s.ddl.table})));
        for (const {rule, text} of judge(s)) {
            const known = exceptions.find((e) => e.name === row.name && e.rule === rule && e.sql === row.sql);
            if (known !== undefined) open.delete(known);
            else faults.push(`${row.name} (text ${row.step}): ${rule}: ${text}\n    ${row.sql}`);
        }
    }
    for (const e of open) faults.push(`exceptions.js: ${e.name}, ${e.rule}: nothing needs it`);
    if (rows.length === 0) faults.push('no statement at all');
    faults.forEach((fault) => console.log(fault));
    console.log(`${rows.length} texts, ${schema.size} tables, ${faults.length} faults`);
    return faults.length === 0;
}

// Samples: `RULE | SQL` must be refused by that rule, `ok | SQL` by none, `schema | SQL` makes a table
// that the others may use. Every rule must have refused one.
function test(lines) {
    const samples = lines.filter((line) => /^[a-z0-9-]+ *\|/.test(line)).map((line) => {
        const bar = line.indexOf('|');
        return {want: line.slice(0, bar).trim(), sql: line.slice(bar + 1).trim()
            .replace(/\{(\d+)x([^}]*)\}/g, (_, n, text) => Array(Number(n)).fill(text).join(', '))};
    });
    const schema = readSchema(samples.filter(({want}) => want === 'schema').map(({sql}) => sql));
    const keys = [], faults = [], seen = new Set();
    for (const {want, sql} of samples) {
        const s = statementOf(sql, schema, keys);
        if (want === 'schema' && s.ddl !== null) keys.push(...s.ddl.keys.map((key) => ({...key, table: s.ddl.table})));
        const found = judge(s.ddl !== null && want === 'schema' ? {...s, earlierKeys: []} : s);
        if (want === 'ok' || want === 'schema' ? found.length > 0 : !found.some(({rule}) => rule === want))
            faults.push(`${want}: ${found.map(({rule, text}) => `${rule}: ${text}`).join('; ') || 'accepted'}\n    ${sql}`);
        seen.add(want);
    }
    for (const name of ['grammar', ...RULES.map((rule) => rule.name)])
        if (!seen.has(name)) faults.push(`no sample for the rule ${name}`);
    faults.forEach((fault) => console.log(fault));
    console.log(`${samples.length} samples, ${RULES.length} rules, ${faults.length} faults`);
    return faults.length === 0;
}

const isGood = process.argv[2] === '--samples'
    ? test(fs.readFileSync(process.argv[3], 'utf8').split('\n'))
    : gate(JSON.parse(fs.readFileSync(0, 'utf8')));
process.exitCode = isGood ? 0 : 1;
