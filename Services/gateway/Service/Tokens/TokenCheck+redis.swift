import Identity
import Logging
import NIOCore
import Redis

extension TokenCheck {
    /// So long may accounts take to say whose a token is.
    static let ownerTimeout = TimeAmount.seconds(2)

    /// The check of one event loop, and the connection by which Redis tells of changes; called on that loop.
    static func onRedis(
        lane: Lane, configuration: RedisConfiguration, secret: SecretKey, logger: Logger
    ) -> (check: TokenCheck, tracking: RedisTracking) {
        let loop = lane.eventLoop
        let box = NIOLoopBoundBox<TokenCheck?>(nil, eventLoop: loop)
        let tracking = RedisTracking(
            configuration, eventLoop: loop, prefixes: [TokenRecord.redisKeyPrefix], logger: logger,
            onInvalidate: { keys in
                guard let keys else {
                    box.value?.forgetAll()
                    return
                }
                for key in keys {
                    // The hash is the last part of the key, whichever run of the server it belongs to.
                    if let hash = TokenHash(hex: String(buffer: key).suffix(64)) { box.value?.forget(hash) }
                }
            },
            onTrusted: { isTrusted in
                // Also when it is trusted again: nothing that was kept before may still count.
                _ = isTrusted
                box.value?.forgetAll()
            })
        let sources = TokenSources(
            isTrusted: { tracking.isTrusted },
            copy: { hash, answer in
                tracking.sendOnLoop(keyed: { runID in ["GET", TokenRecord.redisKey(serverRunID: runID, hash: hash)] })
                    .assumeIsolated().whenComplete { answer($0.map(Self.copy(from:))) }
            },
            owner: { [unowned lane] hash, answer in
                UpstreamFetch.get(
                    "/internal/v1/tokens/\(hash.hex)", from: lane.pool(.accounts), isSigned: true,
                    timeout: ownerTimeout
                ) { result in
                    answer(Self.record(from: result))
                }
            },
            fence: { done in tracking.fence().assumeIsolated().whenComplete { _ in done() } })
        let check = TokenCheck(
            secret: secret, sources: sources, time: { [unowned lane] in lane.unixTime },
            uptime: { [unowned lane] in lane.now })
        box.value = check
        return (check, tracking)
    }

    private static func copy(from value: RESPValue) -> TokenCopy {
        guard let text = value.string else { return .missing }
        if text == TokenRecord.tombstone { return .revoked }
        // What can't be read is as good as missing: accounts writes it anew.
        return TokenRecord(text).map { .record($0) } ?? .missing
    }

    private static func record(from result: Result<UpstreamFetch.Answer, UpstreamFault>) -> Result<
        TokenRecord?, any Error
    > {
        switch result {
        case .failure(let fault): return .failure(fault)
        case .success(let answer):
            if answer.status == 404 { return .success(nil) }
            guard answer.status == 200, let record = TokenRecord(String(buffer: answer.body)) else {
                return .failure(UpstreamFault.badAnswer)
            }
            return .success(record)
        }
    }
}
