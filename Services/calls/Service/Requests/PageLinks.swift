/// Absolute addresses of pages, as `next` and `previous` have them.
struct PageLinks: Sendable {
    private let base: String

    /// - Parameter publicURL: where clients reach the gateway, without a slash at its end.
    init(publicURL: String) {
        base = publicURL + "/api/v1/call-requests/"
    }

    /// The page of the same list at another place. No value that goes in needs escaping.
    func url(_ request: PageRequest, at cursor: RequestCursor) -> String {
        var pairs: [String] = []
        if let role = request.filter.role { pairs.append("role=\(role.rawValue)") }
        if let status = request.filter.status { pairs.append("status=\(status.rawValue)") }
        if request.filter.isUpcoming { pairs.append("upcoming=true") }
        if request.size != PageRequest.standardSize { pairs.append("page_size=\(request.size)") }
        pairs.append("cursor=\(cursor.text)")
        return base + "?" + pairs.joined(separator: "&")
    }
}
