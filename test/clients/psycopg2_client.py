"""What programs on psycopg2 do, by requests on stdin: statements with
parameters, cursors of the server, COPY. Answers with a line for each row, its
parts parted by "|", and "." after the last.
"""

import io
import sys

import psycopg2

connection = psycopg2.connect("")
named = None


def show(rows):
    for row in rows:
        print("|".join(str(part) for part in row))


def answer(request, argument):
    global named
    if request == "query":
        sql, *parameters = argument.split("|")
        with connection, connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            show(cursor.fetchall())
    elif request == "values":
        with connection, connection.cursor() as cursor:
            cursor.execute(argument)
            show([f"{type(part).__name__} {part}" for part in row] for row in cursor.fetchall())
    elif request == "describe":
        with connection, connection.cursor() as cursor:
            cursor.execute(argument)
            show((column.name, column.type_code) for column in cursor.description)
    elif request == "open":
        named = connection.cursor("named")
        named.itersize = 5
        sql, *parameters = argument.split("|")
        named.execute(sql, parameters or None)
    elif request == "open_scroll":
        named = connection.cursor("named", scrollable=True, withhold=True)
        named.execute(argument)
        connection.commit()
    elif request == "fetch":
        show(named.fetchmany(int(argument)))
    elif request == "scroll":
        named.scroll(int(argument), mode="absolute")
    elif request == "iterate":
        show(named)
    elif request == "close":
        named.close()
        connection.commit()
    elif request == "copy":
        with connection, connection.cursor() as cursor:
            text = io.StringIO()
            cursor.copy_expert(argument, text)
            print(text.getvalue(), end="")
    else:
        raise ValueError(request)


for line in sys.stdin:
    request, _, argument = line.rstrip("\n").partition(" ")
    try:
        answer(request, argument)
    except psycopg2.Error as error:
        connection.rollback()
        print("error", error.pgcode, str(error).strip(), sep="|")
    print(".", flush=True)
