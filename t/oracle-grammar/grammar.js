// grammar.js: does a text parse? The PL/SQL grammar comes with the package antlr4ts-sql.
'use strict';
const {CharStreams, CommonTokenStream} = require('antlr4ts');
const {PlSqlParser} = require('antlr4ts-sql/dist/src/grammar-output/plsql/PlSqlParser');
const {PlSqlLexer} = require('antlr4ts-sql/dist/src/grammar-output/plsql/PlSqlLexer');
const {CaseChangingStream} = require('antlr4ts-sql/dist/src/models/CaseChangingStream');

// What the parser complains about, "line:column text" each. The text is one statement as it is given to
// the driver, so binds are `?`, and `;` is only at the end of a block.
function complaints(tokens, sql, isBlock) {
    const found = [];
    const listener = {syntaxError: (_, symbol, line, column, text) => found.push(`${line}:${column} ${text}`)};
    let script = '', from = 0;
    for (const [n, bind] of tokens.filter((t) => t.kind === 'bind').entries()) {
        script += `${sql.slice(from, bind.at)}:p${n + 1}`;
        from = bind.at + bind.text.length;
    }
    script += sql.slice(from) + (isBlock ? '\n/\n' : ';');
    const lexer = new PlSqlLexer(new CaseChangingStream(CharStreams.fromString(script), true));
    const parser = new PlSqlParser(new CommonTokenStream(lexer));
    for (const recognizer of [lexer, parser]) {
        recognizer.removeErrorListeners();
        recognizer.addErrorListener(listener);
    }
    parser.sql_script();
    return found;
}

module.exports = {complaints};
