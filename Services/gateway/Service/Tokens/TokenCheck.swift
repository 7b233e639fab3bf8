import Identity
import NIOCore

/// Tells whose a token is: from memory, from Redis, or from accounts; on one event loop.
///
/// No answer is older than the request that gets it: a lookup that has already been sent is never joined, because a
/// revocation may have been answered since. Whoever comes later waits for the next one, and all who do share that. What
/// memory says counts only while Redis is known to tell every change.
final class TokenCheck {
    typealias Answer = (Claims) -> Void

    /// One lookup on its way, for all who asked before it left.
    private struct Flight {
        let token: Token
        /// Who is answered with what it brings.
        var waiting: [Answer]
        /// Who came after it left.
        var late: [Answer] = []
        /// Whether a change was told since it left: what it brings may be outdated and is not kept.
        var isStale: Bool
    }

    private let secret: SecretKey
    private let sources: TokenSources
    private let time: () -> Int64
    private let uptime: () -> NIODeadline
    private var cache: TokenCache
    private var flights: [TokenHash: Flight] = [:]
    private var asking = 0
    /// Tokens that stand for nobody, and until when that is believed without asking. A token never comes to life later.
    private var nobodies: [Token: NIODeadline] = [:]
    /// Is told, after memory, of each change: of one token, or, for nil, perhaps of all.
    var onChange: ((TokenHash?) -> Void)?
    /// Has all loops forget a token, and waits until they have heard of all changes.
    var settleEverywhere: (TokenHash?, @escaping () -> Void) -> Void = { _, done in done() }

    /// How many questions accounts gets from one event loop at a time.
    static let maximumAsking = 64
    /// How long "nobody" is believed.
    static let nobodyTime = TimeAmount.seconds(2)
    static let maximumNobodies = 4096

    /// - Parameters:
    ///   - time: Unix time in seconds.
    ///   - uptime: a clock that only goes forward.
    init(
        secret: SecretKey, sources: TokenSources, capacity: Int = 16_384, time: @escaping () -> Int64,
        uptime: @escaping () -> NIODeadline
    ) {
        self.secret = secret
        self.sources = sources
        self.time = time
        self.uptime = uptime
        cache = TokenCache(capacity: capacity)
    }

    // MARK: Questions

    /// Whether every change in Redis would be told.
    var isTrusted: Bool { sources.isTrusted() }

    func hash(of token: Token) -> TokenHash { secret.hash(of: token) }

    /// What memory says, or nil.
    func known(_ token: Token) -> Claims? {
        if sources.isTrusted(), let record = cache.record(of: token, now: time()) { return Self.claims(record) }
        if !nobodies.isEmpty, let until = nobodies[token] {
            if until > uptime() { return .anonymous }
            nobodies[token] = nil
        }
        return nil
    }

    /// Finds out, and answers once, perhaps at once.
    func find(_ token: Token, _ answer: @escaping Answer) {
        if let known = known(token) { return answer(known) }
        let hash = secret.hash(of: token)
        if flights[hash] != nil {
            flights[hash]?.late.append(answer)
        } else {
            start(token, hash, [answer])
        }
    }

    /// The same, whatever memory says.
    func recheck(_ token: Token, _ answer: @escaping Answer) {
        cache.remove(secret.hash(of: token))
        find(token, answer)
    }

    private func start(_ token: Token, _ hash: TokenHash, _ waiting: [Answer]) {
        flights[hash] = Flight(token: token, waiting: waiting, isStale: !sources.isTrusted())
        sources.copy(hash) { [self] result in
            switch result {
            case .success(.record(let record)): land(hash, record)
            case .success(.revoked): land(hash, nil)
            // A copy that is missing may have been lost; a Redis that fails says nothing about the token.
            case .success(.missing), .failure: ask(hash)
            }
        }
    }

    private func ask(_ hash: TokenHash) {
        guard asking < Self.maximumAsking else { return land(hash, .unverifiable) }
        asking += 1
        sources.owner(hash) { [self] result in
            asking -= 1
            switch result {
            case .success(let record): land(hash, record)
            case .failure: land(hash, .unverifiable)
            }
        }
    }

    /// A lookup has brought a record, or nobody.
    private func land(_ hash: TokenHash, _ record: TokenRecord?) {
        guard let flight = flights[hash] else { return }
        guard let record, record.expires > time() else {
            remember(nobody: flight.token)
            return land(hash, .anonymous)
        }
        if !flight.isStale, sources.isTrusted() { cache.insert(flight.token, hash, record) }
        land(hash, Self.claims(record))
    }

    private func land(_ hash: TokenHash, _ claims: Claims) {
        guard let flight = flights.removeValue(forKey: hash) else { return }
        for answer in flight.waiting { answer(claims) }
        guard !flight.late.isEmpty else { return }
        // Memory answers if the lookup was kept. If nothing can be found out now, a second try at once won't help.
        if let known = claims == .unverifiable ? claims : known(flight.token) {
            for answer in flight.late { answer(known) }
        } else if flights[hash] != nil {
            flights[hash]?.late.append(contentsOf: flight.late)
        } else {
            start(flight.token, hash, flight.late)
        }
    }

    private func remember(nobody token: Token) {
        if nobodies.count >= Self.maximumNobodies { nobodies.removeAll(keepingCapacity: true) }
        nobodies[token] = uptime() + Self.nobodyTime
    }

    private static func claims(_ record: TokenRecord) -> Claims {
        .user(.init(id: record.userID, flags: record.flags, tokenID: record.tokenID))
    }

    // MARK: Changes

    /// Redis tells that a token's copy has changed.
    func forget(_ hash: TokenHash) {
        cache.remove(hash)
        flights[hash]?.isStale = true
        onChange?(hash)
    }

    /// Redis tells that everything has changed, or can't be trusted to tell any more.
    func forgetAll() {
        cache.removeAll()
        for hash in flights.keys { flights[hash]?.isStale = true }
        onChange?(nil)
    }

    /// Forgets a token here and calls back when all changes made before have been heard of.
    func settle(_ hash: TokenHash?, _ done: @escaping () -> Void) {
        if let hash { forget(hash) }
        sources.fence(done)
    }

    /// After an answer of accounts that may have changed something, before a client sees it: the token that came with
    /// the request is forgotten on all loops, and every change made before it has been heard of there.
    func settle(_ token: Token?, everywhere done: @escaping () -> Void) {
        settleEverywhere(token.map { secret.hash(of: $0) }, done)
    }

    /// Throws out what has expired.
    func tick() {
        guard !nobodies.isEmpty else { return }
        let now = uptime()
        nobodies = nobodies.filter { $0.value > now }
    }
}
