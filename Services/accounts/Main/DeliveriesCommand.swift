import AccountsService
import ArgumentParser

struct DeliveriesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deliveries", abstract: "Mail and text messages on their way.",
        subcommands: [List.self, Retry.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists messages, the newest first.")
        @Option(help: "waiting, sent or parked; without it all that were not sent.") var state: DeliveryRecords.State?
        @Option(help: "How many at most.") var limit = 100

        func validate() throws {
            guard (1...100_000).contains(limit) else { throw ValidationError("--limit is from 1 to 100000") }
        }

        func run() async throws {
            try await Accounts.run { settings, _, logger in
                let rows = try await DeliveryRecords(settings, logger: logger).list(state, limit: limit)
                print("id\tstate\tchannel\tkind\ttries\tcreated\tnext try\treason")
                for row in rows {
                    let erased = row.state == "parked" && !row.canBeRetried ? " (erased)" : ""
                    print(
                        """
                        \(row.id)\t\(row.state)\(erased)\t\(row.channel)\t\(row.kind)\t\(row.attempts)\t\(row.created)\t\
                        \(row.next ?? "-")\t\(row.reason ?? "-")
                        """)
                }
            }
        }
    }

    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Has messages tried again that were given up.")
        @Argument(help: "The message's id.") var id: Int64?
        @Flag(help: "All that are still of use.") var all = false

        func validate() throws {
            guard (id == nil) == all else { throw ValidationError("give an id or --all") }
        }

        func run() async throws {
            try await Accounts.run { settings, _, logger in
                let deliveries = DeliveryRecords(settings, logger: logger)
                guard let id else { return print("\(try await deliveries.retryAll()) wait again") }
                switch try await deliveries.retry(id) {
                case .waits: print("\(id) waits again")
                case .isErased: throw ValidationError("\(id) was erased: it would be of no more use")
                case .isNotParked: throw ValidationError("\(id) was not given up")
                }
            }
        }
    }
}

extension DeliveryRecords.State: ExpressibleByArgument {}
