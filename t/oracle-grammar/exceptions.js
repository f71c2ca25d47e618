// exceptions.js: what the gate would refuse and is right all the same. One row for one text and one rule;
// a text that changes is judged anew. why: how it is known to be right.
'use strict';
const schema = {name: 'session_schema', sql: 'ALTER SESSION SET CURRENT_SCHEMA = {schema}'};
module.exports = [
    {name: 'session_setup', rule: 'grammar',
        sql: 'ALTER SESSION SET NLS_COMP = BINARY NLS_SORT = BINARY COMMIT_LOGGING = IMMEDIATE COMMIT_WAIT = WAIT',
        why: 'the grammar knows no parameters of ALTER SESSION SET; Oracle: "parameter_name = parameter_value ..."'},
    {...schema, rule: 'grammar', why: 'nor CURRENT_SCHEMA, which Oracle documents for ALTER SESSION SET'},
    {...schema, rule: 'escape', why: '{schema} is replaced by the name before it is sent'},
];
