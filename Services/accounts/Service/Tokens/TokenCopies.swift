import AccountsDomain
import Identity
import Redis

/// The copies of tokens that Redis keeps for the gateway.
struct TokenCopies: Sendable {
    let redis: RedisClient

    /// Nothing replaces a tombstone, and no record replaces one of the same or a higher version: a copy that was read
    /// before a change and arrives after it changes nothing.
    private static let script = """
        for i, key in ipairs(KEYS) do
            local value, expires = ARGV[2 * i - 1], ARGV[2 * i]
            local write = value == '\(TokenRecord.tombstone)'
            if not write then
                local old = redis.call('GET', key)
                if not old then
                    write = true
                elseif old ~= '\(TokenRecord.tombstone)' then
                    local has = tonumber(string.match(old, '^1 (%d+) '))
                    write = not has or has < tonumber(string.match(value, '^1 (%d+) '))
                end
            end
            if write then redis.call('SET', key, value, 'EXAT', expires) end
        end
        return #KEYS
        """

    /// Writes copies and waits until Redis has confirmed all of them.
    ///
    /// - Throws: `RedisError` when it is not known that it has.
    func write(_ copies: [TokenChanges.Copy]) async throws {
        guard !copies.isEmpty else { return }
        _ = try await redis.send(keyed: { Self.command(copies, $0) })
    }

    /// Writes a copy for the next who asks, without waiting whether that works.
    func offer(_ copy: TokenChanges.Copy) {
        redis.eventLoop.execute { [redis] in
            _ = redis.sendOnLoop(keyed: { Self.command([copy], $0) })
        }
    }

    private static func command(_ copies: [TokenChanges.Copy], _ runID: String) -> RedisCommand {
        .eval(
            script, keys: copies.map { TokenRecord.redisKey(serverRunID: runID, hash: $0.hash) },
            arguments: copies.flatMap { copy -> [any RedisArgument] in
                [copy.record?.text ?? TokenRecord.tombstone, copy.expires.seconds]
            })
    }
}
