"""What LibreOffice Base does with a data source, by requests on stdin: a statement,
of a query the columns are answered with their types, and then a line for each row, its
parts parted by "|", and "." after the last. Starts an office without a window;
the one argument is a directory for its settings.
"""

import os
import pathlib
import subprocess
import sys
import time

import uno
from com.sun.star.connection import NoConnectException
from com.sun.star.sdbc import DataType, SQLException

TYPES = {getattr(DataType, name): name for name in
         ("BIGINT", "BIT", "BOOLEAN", "CHAR", "DATE", "DECIMAL", "DOUBLE", "INTEGER", "LONGVARCHAR",
          "NUMERIC", "OTHER", "REAL", "TIMESTAMP", "VARCHAR")}


def start_office(directory):
    """The office's process, and a context of its components once it is there."""
    pipe = "kis%d" % os.getpid()
    office = subprocess.Popen(
        ["soffice", "--headless", "--norestore", "--nologo", "-env:UserInstallation=" + pathlib.Path(directory).as_uri(),
         "--accept=pipe,name=%s;urp;" % pipe], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    local = uno.getComponentContext()
    resolver = local.ServiceManager.createInstanceWithContext("com.sun.star.bridge.UnoUrlResolver", local)
    while office.poll() is None:
        try:
            return office, resolver.resolve("uno:pipe,name=%s;urp;StarOffice.ComponentContext" % pipe)
        except NoConnectException:
            time.sleep(0.1)
    raise SystemExit("no office: status %d" % office.returncode)


def shown(row, column, kind):
    """A value as a cell gets it, by its column's type."""
    if kind == "DOUBLE":
        return "%.10g" % row.getDouble(column)
    if kind == "DATE":
        value = row.getDate(column)
        return "%d-%02d-%02d" % (value.Year, value.Month, value.Day)
    if kind == "TIMESTAMP":
        value = row.getTimestamp(column)
        return "%d-%02d-%02d %02d:%02d:%02d" % (value.Year, value.Month, value.Day, value.Hours, value.Minutes, value.Seconds)
    return row.getString(column)


def answer(connection, sql):
    statement = connection.createStatement()
    if not sql.startswith("SELECT"):
        statement.executeUpdate(sql)
        return
    rows = statement.executeQuery(sql)
    columns = rows.getMetaData()
    kinds = [TYPES.get(columns.getColumnType(i), "unknown") for i in range(1, columns.getColumnCount() + 1)]
    print("|".join("%s %s" % (columns.getColumnName(i), kind) for i, kind in enumerate(kinds, 1)))
    while rows.next():
        print("|".join(shown(rows, i, kind) for i, kind in enumerate(kinds, 1)))


def main():
    office, context = start_office(sys.argv[1])
    source = context.ServiceManager.createInstanceWithContext("com.sun.star.sdb.DatabaseContext", context).createInstance()
    source.URL = "sdbc:postgresql:host=%(PGHOST)s port=%(PGPORT)s dbname=%(PGDATABASE)s" % os.environ
    connection = source.getConnection(os.environ["PGUSER"], "")
    for line in sys.stdin:
        try:
            answer(connection, line.rstrip("\n"))
        except SQLException as error:
            print("error", error.SQLState, error.Message, sep="|")
        print(".", flush=True)
    connection.close()
    try:
        context.ServiceManager.createInstanceWithContext("com.sun.star.frame.Desktop", context).terminate()
    finally:
        office.wait()


main()
