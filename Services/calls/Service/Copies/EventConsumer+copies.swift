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
            try await transaction.execute(UserCopies.storing([try UserCopy(event.data)]))
        }
        return EventConsumer(
            of: "accounts", schema: CallsSchema.name, postgres: postgres, redis: redis, eventLoop: eventLoop,
            owner: owner,
            snapshot: Snapshot(path: "/internal/v1/users") { items, transaction in
                try await transaction.execute(UserCopies.storing(try items.map { try UserCopy($0) }))
            },
            handlers: ["user.registered": store, "user.updated": store], logger: logger)
    }

    /// Keeps the copies of heroes as heroes has them.
    static func heroes(
        postgres: PostgresClient, redis: RedisConfiguration, eventLoop: any EventLoop, owner: InternalClient,
        logger: Logger
    ) -> EventConsumer {
        let store: Handler = { event, transaction in
            try await transaction.execute(HeroCopies.storing([try HeroCopy(event.data)]))
        }
        return EventConsumer(
            of: "heroes", schema: CallsSchema.name, postgres: postgres, redis: redis, eventLoop: eventLoop,
            owner: owner,
            snapshot: Snapshot(path: "/internal/v1/heroes") { items, transaction in
                try await transaction.execute(HeroCopies.storing(try items.map { try HeroCopy($0) }))
            },
            handlers: [
                "hero.applied": store, "hero.accepted": store, "hero.declined": store, "hero.updated": store,
            ], logger: logger)
    }
}
