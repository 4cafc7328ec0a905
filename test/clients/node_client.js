// What programs on node-postgres do, by requests on stdin: statements, whose
// rows are answered with a line each, a value's type before it, parts parted by
// "|", and "." after the last. Of a Date also what it is in the zone of the process.
'use strict';

const readline = require('readline');
const { Client } = require('pg');

const two = number => String(number).padStart(2, '0');

function shown(value) {
    if (!(value instanceof Date))
        return value === null ? 'null' : `${typeof value} ${value}`;
    return `Date ${value.toISOString()} = ${value.getFullYear()}-${two(value.getMonth() + 1)}-${two(value.getDate())}`
        + ` ${two(value.getHours())}:${two(value.getMinutes())}:${two(value.getSeconds())}`;
}

async function main() {
    const client = new Client();
    await client.connect();
    for await (const sql of readline.createInterface({ input: process.stdin })) {
        try {
            for (const row of (await client.query({ text: sql, rowMode: 'array' })).rows)
                console.log(row.map(shown).join('|'));
        } catch (error) {
            console.log(`error|${error.code}|${error.message}`);
        }
        console.log('.');
    }
    await client.end();
}

main();
