"""What tools on ODBC do (Excel, Tableau, Power BI), by requests on stdin:
tables and columns as they list them, statements, rows fetched in parts.
Answers with a line for each thing seen, its parts parted by "|", and "." after
the last. The one argument is the connection string.
"""

import sys

import pyodbc

connection = pyodbc.connect(sys.argv[1], autocommit=True)
cursor = connection.cursor()


def show(rows, columns=None):
    for row in rows:
        parts = [getattr(row, name) for name in columns] if columns else row
        print("|".join(str(part) for part in parts))


def answer(request, argument):
    if request == "tables":
        show(cursor.tables(schema=argument), ("table_name", "table_type", "remarks"))
    elif request == "columns":
        show(cursor.columns(schema=argument), ("table_name", "column_name", "type_name", "remarks"))
    elif request == "keys":
        show(cursor.primaryKeys("market_investor_trend", schema=argument), ("column_name",))
    elif request == "indexes":
        show(cursor.statistics("kis_market_trend", schema=argument), ("column_name",))
    elif request == "describe":
        cursor.execute(argument)
        show((name, kind.__name__) for name, kind, *_ in cursor.description)
    elif request == "query":
        show(cursor.execute(argument).fetchall())
    elif request == "values":
        show([f"{type(part).__name__} {part}" for part in row] for row in cursor.execute(argument).fetchall())
    elif request == "with":
        sql, *parameters = argument.split("|")
        show(cursor.execute(sql, *parameters).fetchall())
    elif request == "open":
        cursor.execute(argument)
    elif request == "fetch":
        show(cursor.fetchmany(int(argument)))
    elif request == "close":
        cursor.close()
        globals()["cursor"] = connection.cursor()
    else:
        raise ValueError(request)


for line in sys.stdin:
    request, _, argument = line.rstrip("\n").partition(" ")
    try:
        answer(request, argument)
    except pyodbc.Error as error:
        print("error", *error.args, sep="|")
    print(".", flush=True)
