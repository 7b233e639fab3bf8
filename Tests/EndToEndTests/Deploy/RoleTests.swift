import Foundation
import TestKit
import Testing

/// What Deploy/role.sql gives each service, seen by psql with the role's own password.
@Suite("The services' roles in Postgres")
struct RoleTests {
    static let services = ["accounts", "heroes", "calls"]

    struct Installation: Sendable {
        let postgres: TestPostgres
        let database: String
        let passwords: [String: String]

        /// Runs SQL as a service.
        func sql(_ text: String, as service: String) async throws -> CommandResult {
            try await runToEnd(
                [
                    "psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1",
                    "--set=VERBOSITY=verbose",
                    "--dbname=\(postgres.uri(database: database, user: service, password: passwords[service]))",
                ], input: text)
        }

        func makeRole(_ service: String) async throws {
            let file = try await temporaryFolder("password").appendingPathComponent("password")
            try Data((passwords[service] ?? "").utf8).write(to: file)
            try await postgres.asAdministrator(
                file: "Deploy/role.sql", variables: ["service": service, "file": file.path], database: database)
        }
    }

    private static func with(_ body: @Sendable (Installation) async throws -> Void) async throws {
        // Roles belong to the server, so this one is for the test alone.
        let postgres = try await TestPostgres.start()
        let passwords = Dictionary(uniqueKeysWithValues: services.map { ($0, "p-\(UUID().uuidString)") })
        let installation = Installation(
            postgres: postgres, database: try await postgres.database(), passwords: passwords)
        for service in services { try await installation.makeRole(service) }
        do {
            try await body(installation)
        } catch {
            try await postgres.kill9()
            throw error
        }
        try await postgres.kill9()
    }

    @Test("Each makes, fills, changes and drops what it likes in its own schema")
    func own() async throws {
        try await Self.with { installation in
            for service in Self.services {
                let result = try await installation.sql(
                    """
                    CREATE TABLE \(service).things (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text UNIQUE);
                    CREATE INDEX ON \(service).things (name);
                    CREATE FUNCTION \(service).one() RETURNS integer LANGUAGE sql AS 'SELECT 1';
                    INSERT INTO \(service).things (name) VALUES ('a'), ('b');
                    UPDATE \(service).things SET name = 'c' WHERE name = 'b';
                    DELETE FROM \(service).things WHERE name = 'a';
                    ALTER TABLE \(service).things ADD COLUMN more integer DEFAULT 5;
                    SELECT name, more, \(service).one() FROM \(service).things;
                    DROP FUNCTION \(service).one();
                    SELECT pg_advisory_lock(1);
                    """, as: service)
                #expect(result.status == 0 && result.output.contains("c|5|1"), "\(result.output)")
            }
        }
    }

    @Test("In the others' it can do nothing, not even look")
    func others() async throws {
        try await Self.with { installation in
            for service in Self.services {
                let made = try await installation.sql(
                    """
                    CREATE TABLE \(service).things (id integer); INSERT INTO \(service).things VALUES (1);
                    CREATE SEQUENCE \(service).numbers;
                    CREATE FUNCTION \(service).one() RETURNS integer LANGUAGE sql AS 'SELECT 1';
                    """, as: service)
                #expect(made.status == 0, "\(made.output)")
            }
            for service in Self.services {
                for other in Self.services where other != service {
                    let statements = [
                        "SELECT * FROM \(other).things", "SELECT count(*) FROM \(other).things",
                        "INSERT INTO \(other).things VALUES (2)", "UPDATE \(other).things SET id = 3",
                        "DELETE FROM \(other).things", "TRUNCATE \(other).things", "DROP TABLE \(other).things",
                        "ALTER TABLE \(other).things ADD COLUMN x integer", "BEGIN; LOCK TABLE \(other).things",
                        "CREATE TABLE \(other).mine (id integer)", "SELECT nextval('\(other).numbers')",
                        "SELECT \(other).one()", "DROP SCHEMA \(other) CASCADE", "ALTER SCHEMA \(other) RENAME TO mine",
                        "GRANT USAGE ON SCHEMA \(other) TO \(service)",
                        "CREATE TABLE \(service).copies (id integer REFERENCES \(other).things)",
                        "CREATE VIEW \(service).view AS SELECT * FROM \(other).things",
                    ]
                    for statement in statements { await Self.expectRefusal(statement, service, installation) }
                }
                #expect(
                    try await installation.postgres.psql(
                        "SELECT count(*) FROM \(service).things", database: installation.database) == "1")
            }
        }
    }

    @Test("It makes no schema, role or database, becomes nobody else, and leaves public alone")
    func elsewhere() async throws {
        try await Self.with { installation in
            for service in Self.services {
                let other = Self.services.first { $0 != service } ?? ""
                let statements = [
                    "CREATE SCHEMA more", "CREATE SCHEMA more AUTHORIZATION \(service)", "CREATE ROLE more",
                    "CREATE DATABASE more", "CREATE TABLE public.mine (id integer)",
                    "CREATE VIEW public.view AS SELECT 1",
                    "CREATE FUNCTION public.one() RETURNS integer LANGUAGE sql AS 'SELECT 1'", "SET ROLE \(other)",
                    "SET ROLE postgres", "SET SESSION AUTHORIZATION \(other)", "ALTER ROLE \(service) SUPERUSER",
                    "ALTER ROLE \(service) CREATEROLE", "ALTER ROLE \(other) PASSWORD 'x'", "DROP ROLE \(other)",
                    "GRANT \(other) TO \(service)", "DROP SCHEMA public", "COPY (SELECT 1) TO '/tmp/never'",
                    "COPY (SELECT 1) TO PROGRAM 'true'", "SELECT pg_read_file('/etc/passwd')",
                    "SELECT rolpassword FROM pg_authid", "ALTER SYSTEM SET fsync = off",
                ]
                for statement in statements { await Self.expectRefusal(statement, service, installation) }
            }
            let schemas = try await installation.postgres.psql(
                "SELECT string_agg(nspname, ' ' ORDER BY nspname) FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'",
                database: installation.database)
            #expect(schemas == "accounts calls heroes public")
        }
    }

    @Test("Each needs its own password, and the file can be run again: with another password that one counts")
    func passwords() async throws {
        try await Self.with { installation in
            let wrong = Installation(
                postgres: installation.postgres, database: installation.database,
                passwords: ["accounts": installation.passwords["heroes"] ?? ""])
            #expect(try await wrong.sql("SELECT 1", as: "accounts").status != 0)
            let made = try await installation.sql(
                "CREATE TABLE accounts.things AS SELECT 7 AS id", as: "accounts")
            #expect(made.status == 0)
            let renewed = Installation(
                postgres: installation.postgres, database: installation.database,
                passwords: ["accounts": "it's \"another\" $(one) `x` \\ % &"])
            try await renewed.makeRole("accounts")
            #expect(try await installation.sql("SELECT 1", as: "accounts").status != 0)
            let file = try await temporaryFolder("pass").appendingPathComponent("pgpass")
            try Data("*:*:*:*:it's \"another\" $(one) `x` \\\\ % &\n".utf8).write(to: file)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
            let result = try await run(
                [
                    "env", "PGPASSFILE=\(file.path)", "psql", "--no-psqlrc", "--tuples-only", "--no-align",
                    "--dbname=postgres://accounts@127.0.0.1:\(installation.postgres.port)/\(installation.database)",
                    "--command=SELECT id FROM accounts.things",
                ])
            #expect(result.trimmingCharacters(in: .whitespacesAndNewlines) == "7")
        }
    }

    /// 42501 is insufficient_privilege, 3F000 no schema that may be seen.
    private static func expectRefusal(_ statement: String, _ service: String, _ installation: Installation) async {
        do {
            let result = try await installation.sql(statement, as: service)
            #expect(
                result.status != 0 && (result.output.contains("42501") || result.output.contains("3F000")),
                "\(service): \(statement): \(result.output)")
        } catch {
            Issue.record("\(statement): \(error)")
        }
    }
}
