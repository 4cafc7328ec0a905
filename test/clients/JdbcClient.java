// What tools on JDBC do, by requests on stdin: tables and columns as they list
// them, a statement that is only described, a prepared statement, rows fetched
// in parts. Answers with a line for each thing seen, its parts parted by "|",
// and "." after the last. The one argument is the database's URL.
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.util.StringJoiner;

public class JdbcClient {
    private static final PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    private static Connection connection;
    private static PreparedStatement prepared;
    private static ResultSet portal;

    public static void main(String[] arguments) throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] request = line.split(" ", 2);
            try {
                if (connection == null)
                    connection = DriverManager.getConnection(arguments[0]);
                answer(request[0], request.length > 1 ? request[1] : "");
            } catch (SQLException error) {
                out.println("error|" + error.getSQLState() + "|" + error.getMessage());
            }
            out.println(".");
        }
    }

    private static void answer(String request, String argument) throws SQLException {
        DatabaseMetaData data = connection.getMetaData();
        switch (request) {
            case "tables" -> print(data.getTables(null, argument, "%", null),
                                   "TABLE_NAME", "TABLE_TYPE", "REMARKS");
            case "columns" -> print(data.getColumns(null, argument, "%", "%"),
                                    "TABLE_NAME", "COLUMN_NAME", "TYPE_NAME", "REMARKS");
            case "functions" -> print(data.getFunctions(null, argument, "%"), "FUNCTION_NAME", "REMARKS");
            case "arguments" -> print(data.getFunctionColumns(null, argument, "%", "%"),
                                      "FUNCTION_NAME", "COLUMN_NAME", "TYPE_NAME");
            case "keys" -> print(data.getPrimaryKeys(null, argument, "market_investor_trend"), "COLUMN_NAME");
            case "indexes" -> print(data.getIndexInfo(null, argument, "kis_market_trend", false, true), "COLUMN_NAME");
            case "describe" -> describe(argument);
            case "values" -> values(argument);
            case "prepare" -> prepared = connection.prepareStatement(argument);
            case "execute" -> {
                prepared.setString(1, argument);
                print(prepared.executeQuery());
            }
            case "open" -> open(argument, null);
            case "open_with" -> {
                String[] part = argument.split("\\|", 2);
                open(part[1], part[0]);
            }
            case "fetch" -> {
                if (portal.next())
                    printRow(portal);
            }
            case "fetch_all" -> print(portal);
            case "close" -> {
                portal.close();
                connection.setAutoCommit(true);
            }
            default -> throw new SQLException("no such request", request);
        }
    }

    // Types of parameters and columns, for which nothing is executed
    private static void describe(String sql) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            ResultSetMetaData columns = statement.getMetaData();
            for (int i = 1; i <= statement.getParameterMetaData().getParameterCount(); i++)
                out.println("parameter|" + statement.getParameterMetaData().getParameterTypeName(i));
            for (int i = 1; i <= columns.getColumnCount(); i++)
                out.println(columns.getColumnName(i) + "|" + columns.getColumnTypeName(i));
        }
    }

    // What getObject() gives, with its class
    private static void values(String sql) throws SQLException {
        try (ResultSet rows = connection.createStatement().executeQuery(sql)) {
            while (rows.next()) {
                StringJoiner line = new StringJoiner("|");
                for (int i = 1; i <= rows.getMetaData().getColumnCount(); i++)
                    line.add(rows.getObject(i).getClass().getSimpleName() + " " + rows.getObject(i));
                out.println(line);
            }
        }
    }

    // "5 SELECT ...": in a transaction, five rows at a time from a portal of the server
    private static void open(String argument, String parameter) throws SQLException {
        String[] part = argument.split(" ", 2);
        connection.setAutoCommit(false);
        PreparedStatement statement = connection.prepareStatement(part[1]);
        statement.setFetchSize(Integer.parseInt(part[0]));
        if (parameter != null)
            statement.setString(1, parameter);
        statement.closeOnCompletion();
        portal = statement.executeQuery();
    }

    private static void print(ResultSet rows, String... columns) throws SQLException {
        while (rows.next())
            printRow(rows, columns);
        rows.close();
    }

    private static void printRow(ResultSet row, String... columns) throws SQLException {
        StringJoiner line = new StringJoiner("|");
        if (columns.length > 0)
            for (String column : columns)
                line.add(String.valueOf(row.getString(column)));
        else
            for (int i = 1; i <= row.getMetaData().getColumnCount(); i++)
                line.add(String.valueOf(row.getString(i)));
        out.println(line);
    }
}
