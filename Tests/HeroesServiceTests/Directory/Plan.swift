import Foundation
import Postgres

/// What Postgres did for a statement, as `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)` tells it.
struct Plan: CustomStringConvertible {
    /// One step.
    struct Node {
        var type: String
        /// Of a table or an index of one.
        var relation: String?
        /// Rows that came out of it, all loops together.
        var rows: Double
        /// The same of what is below it.
        var rowsBelow: Double
        /// Rows that it looked at and left out.
        var removed: Double
    }

    let nodes: [Node]
    /// Pages of tables and indexes.
    let buffers: Int
    let description: String

    /// Runs a statement. Planned anew, as it is at first, or as one that is prepared for whatever comes.
    static func of(_ sql: SQL, isGeneric: Bool, _ client: PostgresClient) async throws -> Plan {
        let text = try await client.withTransaction { transaction in
            try await transaction.execute(
                "SET LOCAL plan_cache_mode = \(unsafeRaw: isGeneric ? "force_generic_plan" : "force_custom_plan")")
            let rows = try await transaction.execute("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) \(sql)")
            return try rows.first?.decode(String.self) ?? ""
        }
        return try Plan(text)
    }

    private init(_ text: String) throws {
        description = text
        guard let answer = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[String: Any]],
            let top = answer.first?["Plan"] as? [String: Any]
        else { throw TestFailure("no plan: \(text)") }
        var nodes: [Node] = []
        Self.collect(top, into: &nodes)
        self.nodes = nodes
        buffers = (top["Shared Hit Blocks"] as? Int ?? 0) + (top["Shared Read Blocks"] as? Int ?? 0)
    }

    private static func collect(_ node: [String: Any], into nodes: inout [Node]) {
        func number(_ name: String) -> Double { (node[name] as? NSNumber)?.doubleValue ?? 0 }
        func rows(_ node: [String: Any]) -> Double {
            ((node["Actual Rows"] as? NSNumber)?.doubleValue ?? 0)
                * ((node["Actual Loops"] as? NSNumber)?.doubleValue ?? 0)
        }
        let below = node["Plans"] as? [[String: Any]] ?? []
        let removed = ["Rows Removed by Filter", "Rows Removed by Index Recheck", "Rows Removed by Join Filter"]
        nodes.append(
            Node(
                type: node["Node Type"] as? String ?? "", relation: node["Relation Name"] as? String, rows: rows(node),
                rowsBelow: below.map(rows).reduce(0, +),
                removed: removed.map(number).reduce(0, +) * max(number("Actual Loops"), 1)))
        for node in below { collect(node, into: &nodes) }
    }

    /// Rows that were looked at, in tables and in indexes of words.
    var looked: Double {
        nodes.filter { $0.relation != nil || $0.type == "Bitmap Index Scan" }.map { $0.rows + $0.removed }.reduce(0, +)
    }

    /// Whole tables that were read.
    var tablesRead: [String] { nodes.filter { $0.type.hasSuffix("Seq Scan") }.compactMap(\.relation) }

    /// The most rows that were put in order.
    var sorted: Double { nodes.filter { $0.type.hasSuffix("Sort") }.map(\.rowsBelow).max() ?? 0 }
}
