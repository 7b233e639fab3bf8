import HTTPTypes

/// All routes of a service, in one list: what is served, checked and documented is this.
public struct RouteTable: Sendable {
    /// The routes in the order in which they were given.
    public let routes: [Route]

    /// What a path leads to.
    enum Match {
        case route(index: Int, parameters: [PathParameter])
        /// The path exists, with these methods only.
        case otherMethods(allow: String)
        case nothing
    }

    private struct Place: Sendable {
        /// Segments; nil where any will do.
        let pattern: [String?]
        let names: [String?]
        var methods: [(method: HTTPRequest.Method, route: Int)] = []
        var allow = ""
    }

    private var places: [Place] = []
    /// Places without a named segment, by path.
    private var fixed: [String: Int] = [:]
    /// Places with named segments, in order of the list.
    private var open: [Int] = []

    /// - Parameter routes: the routes. Where two patterns match, one without named segments is taken first, then the
    ///   earlier one. The same method and path twice is a mistake of the programmer and stops the process.
    public init(_ routes: [Route]) {
        self.routes = routes
        for (index, route) in routes.enumerated() { insert(route, at: index) }
        for index in places.indices { places[index].allow = Self.allow(places[index].methods.map(\.method)) }
    }

    private mutating func insert(_ route: Route, at index: Int) {
        precondition(
            route.path.hasPrefix("/") && !(route.path.count > 1 && route.path.hasSuffix("/")),
            "\(route): a path starts with a slash and does not end with one")
        let segments = route.path.split(separator: "/").map(String.init)
        let names = segments.map { $0.hasPrefix("{") && $0.hasSuffix("}") ? String($0.dropFirst().dropLast()) : nil }
        let pattern: [String?] = zip(segments, names).map { $1 == nil ? $0 : nil }
        let place: Int
        if let known = places.firstIndex(where: { $0.pattern == pattern }) {
            precondition(places[known].names == names, "\(route): a segment has another name in another route")
            place = known
        } else {
            place = places.count
            places.append(Place(pattern: pattern, names: names))
            if names.allSatisfy({ $0 == nil }) { fixed[route.path] = place } else { open.append(place) }
        }
        precondition(!places[place].methods.contains { $0.method == route.method }, "\(route) is in the table twice")
        places[place].methods.append((route.method, index))
    }

    private static func allow(_ methods: [HTTPRequest.Method]) -> String {
        var names = methods.map(\.rawValue)
        if methods.contains(.get), !methods.contains(.head) { names.append("HEAD") }
        return names.sorted().joined(separator: ", ")
    }

    /// The route for a request target. A slash at the end makes no difference.
    func match(_ method: HTTPRequest.Method, target: String) -> Match {
        var path = target.prefix { $0 != "?" }
        if path.utf8.count > 1, path.utf8.last == UInt8(ascii: "/") { path = path.dropLast() }
        if let place = fixed[String(path)] { return match(method, places[place], parameters: []) }
        guard !open.isEmpty, path.utf8.first == UInt8(ascii: "/") else { return .nothing }
        let segments = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        for index in open {
            let place = places[index]
            guard place.pattern.count == segments.count,
                zip(place.pattern, segments).allSatisfy({ want, have in want.map { $0 == have } ?? !have.isEmpty })
            else { continue }
            let parameters = zip(place.names, segments).compactMap { name, value in
                name.map { PathParameter(name: $0, value: value) }
            }
            return match(method, place, parameters: parameters)
        }
        return .nothing
    }

    private func match(_ method: HTTPRequest.Method, _ place: Place, parameters: [PathParameter]) -> Match {
        let served = place.methods.first { $0.method == method }
        if let served { return .route(index: served.route, parameters: parameters) }
        if method == .head, let get = place.methods.first(where: { $0.method == .get }) {
            return .route(index: get.route, parameters: parameters)
        }
        return .otherMethods(allow: place.allow)
    }
}
