import Events
import Logging
import NIOCore
import Postgres
import Redis
import ServiceKit

extension EventConsumer {
    /// Keeps the copies of users as accounts has them.
    static func users(
        postgres: PostgresClient, redis: RedisConfiguration, eventLoop: any EventLoop, owner: InternalClient,
        logger: Logger
    ) -> EventConsumer {
        let store: Handler = { event, transaction in
            try await UserCopies.store([try PublicUser(event.data)], in: transaction)
        }
        // An event's effect takes the lock of a hero and then that of the directory's edition, in the order of everybody
        // else; of several events in one transaction the second would take a hero's while it has the edition's.
        var settings = ConsumerSettings()
        settings.batch = 1
        return EventConsumer(
            of: "accounts", schema: HeroesSchema.name, postgres: postgres, redis: redis, eventLoop: eventLoop,
            owner: owner,
            snapshot: Snapshot(path: "/internal/v1/users") { items, transaction in
                try await UserCopies.store(try items.map { try PublicUser($0) }, in: transaction)
            },
            handlers: ["user.registered": store, "user.updated": store], settings: settings, logger: logger)
    }
}
