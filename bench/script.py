#!/usr/bin/env python3
"""The script that users run today: requests without a session, psycopg2.

    script.py url headers.txt [conninfo table]

For each line with a number on its input it fetches the reply so many times
and prints the seconds that this took, and the median of each. With a table, each reply becomes a row
there, as `INSERT` with its members by name, committed.
"""

import statistics
import sys
import time

import psycopg2
import requests


def read_headers(name):
    with open(name, encoding='ascii') as file:
        return dict(line.rstrip('\n').split(': ', 1) for line in file)


def fetch(url, headers):
    reply = requests.get(url, headers=headers, timeout=10)
    reply.raise_for_status()
    answer = reply.json()
    if answer['rt_cd'] != '0':
        raise SystemExit(answer['msg1'])
    return answer['output'][0]


def store(connection, table, row):
    columns = ', '.join(row)
    places = ', '.join('%s' for _ in row)
    with connection.cursor() as cursor:
        cursor.execute('INSERT INTO %s (%s) VALUES (%s)' % (table, columns, places),
                       [int(value) for value in row.values()])
    connection.commit()


def main():
    url, headers = sys.argv[1], read_headers(sys.argv[2])
    connection = psycopg2.connect(sys.argv[3]) if len(sys.argv) > 3 else None
    for line in sys.stdin:
        took = []
        for _ in range(int(line.split()[0])):
            start = time.perf_counter()
            row = fetch(url, headers)
            if connection:
                store(connection, sys.argv[4], row)
            took.append(time.perf_counter() - start)
        print('%.9f %.9f' % (sum(took), statistics.median(took)), flush=True)


if __name__ == '__main__':
    main()
