import AccountsDomain
import Testing

@testable import AccountsService

@Suite("Housekeeping")
struct HousekeepingTests {
    @Test("What is over goes, however much of it there is; what is not stays")
    func clean() async throws {
        try await Deliveries.with { deliveries in
            let now = "to_timestamp(\(deliveries.clock.now.seconds))"
            // Of each the first is not yet over.
            func age(_ young: String, _ old: String) -> String {
                "\(now) - CASE n WHEN 1 THEN interval '\(young)' ELSE interval '\(old)' END"
            }
            try await deliveries.sql(
                """
                INSERT INTO accounts.users
                    (id, first_name, last_name, email, timezone, password_hash, created, updated)
                SELECT gen_random_uuid(), 'Cam', 'Newton', n || '@b.co', 'UTC', '', \(now), \(now)
                FROM generate_series(1, 2500) n;
                INSERT INTO accounts.codes (user_id, purpose, hash, destination, created, expires)
                SELECT id, 'email', '', email, \(now), \(age("23 hours", "25 hours"))
                FROM accounts.users, generate_series(1, 2500) n WHERE email = n || '@b.co';
                INSERT INTO accounts.resends (destination, sent)
                SELECT convert_to(n::text, 'UTF8'), \(age("59 minutes", "61 minutes")) FROM generate_series(1, 2500) n;
                INSERT INTO accounts.payment_events (id, received)
                SELECT n, \(age("29 days", "31 days")) FROM generate_series(1, 2500) n;
                """)
            try await deliveries.clean()
            #expect(try await deliveries.sql("SELECT destination FROM accounts.codes") == "1@b.co")
            #expect(try await deliveries.sql("SELECT convert_from(destination, 'UTF8') FROM accounts.resends") == "1")
            #expect(try await deliveries.sql("SELECT id FROM accounts.payment_events") == "1")
        }
    }

    @Test("Attempts to verify a form of payment go 30 days after they came to nothing; the others stay")
    func paymentAttempts() async throws {
        try await Deliveries.with { deliveries in
            let now = "to_timestamp(\(deliveries.clock.now.seconds))"
            try await deliveries.sql(
                """
                INSERT INTO accounts.users
                    (id, first_name, last_name, email, timezone, password_hash, created, updated)
                VALUES (gen_random_uuid(), 'Cam', 'Newton', 'a@b.co', 'UTC', '', \(now), \(now));
                INSERT INTO accounts.payment_attempts (id, user_id, provider, method, state, created, updated)
                SELECT gen_random_uuid(), u.id, 'sandbox', days::text, state, \(now), \(now) - make_interval(days => days)
                FROM accounts.users u, (VALUES
                    ('failed', 29), ('failed', 31), ('superseded', 29), ('superseded', 31), ('succeeded', 31),
                    ('pending', 31)) a (state, days);
                """)
            try await deliveries.clean()
            #expect(
                try await deliveries.sql("SELECT state, method FROM accounts.payment_attempts ORDER BY state")
                    == "failed|29\npending|31\nsucceeded|31\nsuperseded|29")
        }
    }
}
