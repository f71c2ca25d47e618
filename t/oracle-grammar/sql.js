// sql.js: an Oracle text as tokens, and the tables that a list of DDL makes.
'use strict';

// A token: kind (word, quoted, string, number, bind, op), text (words in upper case), and depth,
// how many parentheses are open around it.
const KINDS = [
    ['space', /\s+|--[^\n]*|\/\*[^+][\s\S]*?\*\//y],
    ['hint', /\/\*\+[\s\S]*?\*\//y],
    ['string', /'(?:[^']|'')*'/y],
    ['quoted', /"[^"]*"/y],
    ['number', /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y],
    ['word', /[A-Za-z_][A-Za-z0-9_$#]*/y],
    ['bind', /\?|:[A-Za-z][A-Za-z0-9_]*/y],
    ['op', /::|<=|>=|<>|!=|\|\||:=|=>|[^\s]/y],
];

function tokenize(sql) {
    const tokens = [];
    let depth = 0;
    for (let at = 0; at < sql.length;) {
        const [kind, text] = KINDS.reduce((found, [name, pattern]) => {
            if (found) return found;
            pattern.lastIndex = at;
            const m = pattern.exec(sql);
            return m && [name, m[0]];
        }, null);
        if (text === ')') depth--;
        if (kind !== 'space' && kind !== 'hint')
            tokens.push({kind, text: kind === 'word' ? text.toUpperCase() : text, depth, at});
        if (text === '(') depth++;
        at += text.length;
    }
    return tokens;
}

const isWord = (token, ...words) => token !== undefined && token.kind === 'word' &&
    (words.length === 0 || words.includes(token.text));
const isOp = (token, ...texts) => token !== undefined && token.kind === 'op' && texts.includes(token.text);
// Do the tokens from i on begin with these texts?
const follows = (tokens, i, ...texts) => texts.every((text, k) => tokens[i + k] !== undefined &&
    tokens[i + k].kind !== 'string' && tokens[i + k].text === text);
// The indexes where these texts stand one behind the other.
const places = (tokens, ...texts) => tokens.map((_, i) => i).filter((i) => follows(tokens, i, ...texts));

// What stands in the parentheses that open at i: [first, behind the last].
function inside(tokens, i) {
    let end = i + 1;
    while (end < tokens.length && !(isOp(tokens[end], ')') && tokens[end].depth === tokens[i].depth)) end++;
    return [i + 1, end];
}

// Cuts tokens[from..to) at the commas of the depth of the first one.
function parts(tokens, from, to) {
    const found = [[]];
    for (let i = from; i < to; i++) {
        if (isOp(tokens[i], ',') && tokens[i].depth === tokens[from].depth) found.push([]);
        else found[found.length - 1].push(tokens[i]);
    }
    return found.filter((part) => part.length > 0);
}

// The names in the parentheses that open at i.
const names = (tokens, i) => parts(tokens, ...inside(tokens, i)).map((part) => part[0].text);

const OUT_OF_LINE = ['CONSTRAINT', 'PRIMARY', 'UNIQUE', 'FOREIGN', 'CHECK'];

// What one DDL says: {table, columns: [{name, type, tokens}], keys: [{name, columns}], index}, else null.
function readDdl(tokens) {
    if (isWord(tokens[0], 'ALTER') && isWord(tokens[1], 'TABLE') && isWord(tokens[3], 'ADD')) {
        const range = isOp(tokens[4], '(') ? inside(tokens, 4) : [4, tokens.length];
        return readParts(tokens[2].text, parts(tokens, ...range));
    }
    if (!isWord(tokens[0], 'CREATE')) return null;
    const table = tokens.findIndex((t) => isWord(t, 'TABLE'));
    const index = tokens.findIndex((t) => isWord(t, 'INDEX'));
    const open = tokens.findIndex((t) => isOp(t, '('));
    if (open < 0) return null;
    if (index >= 0 && index < open && isWord(tokens[index + 2], 'ON'))
        return {table: tokens[index + 3].text, columns: [],
            keys: [{name: tokens[index + 1].text, columns: names(tokens, open)}]};
    if (table < 0 || table > open) return null;
    return readParts(tokens[open - 1].text, parts(tokens, ...inside(tokens, open)));
}

function readParts(table, definitions) {
    const ddl = {table, columns: [], keys: []};
    for (const part of definitions) {
        if (!isWord(part[0], ...OUT_OF_LINE)) {
            ddl.columns.push({name: part[0].text, type: part[1] ? part[1].text : '', tokens: part});
            if (part.some((t) => isWord(t, 'PRIMARY', 'UNIQUE'))) ddl.keys.push({name: '', columns: [part[0].text]});
        } else if (part.some((t) => isWord(t, 'PRIMARY', 'UNIQUE'))) {
            const open = part.findIndex((t) => isOp(t, '('));
            ddl.keys.push({name: isWord(part[0], 'CONSTRAINT') ? part[1].text : '', columns: names(part, open)});
        }
    }
    return ddl;
}

// The tables that these texts make: Map of name to Map of column to type.
function readSchema(texts) {
    const schema = new Map();
    for (const ddl of texts.map((text) => readDdl(tokenize(text))).filter((d) => d !== null)) {
        if (!schema.has(ddl.table)) schema.set(ddl.table, new Map());
        for (const column of ddl.columns) schema.get(ddl.table).set(column.name, column.type);
    }
    return schema;
}

module.exports = {tokenize, isWord, isOp, follows, places, inside, parts, names, readDdl, readSchema};
