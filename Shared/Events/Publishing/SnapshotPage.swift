import Hummingbird
import ServiceKit

/// A page of a snapshot route: `GET <path>?after=<key>&limit=<n>` answers
/// `{"position": <last position published before the page was read>, "items": [{…}, …], "next": <key or null>}`.
public enum SnapshotPage {
    /// - Parameters:
    ///   - position: ``Outbox/position(_:)``, read BEFORE the items: what the items hold is at least as new.
    ///   - items: writes the elements of the array.
    ///   - next: the key after which the next page begins; nil at the end.
    public static func response(position: Int64, next: String?, items: (inout JSONWriter) -> Void) -> Response {
        .json { json in
            json.object { json in
                json.field("position", position)
                json.array("items", items)
                json.field("next", next)
            }
        }
    }
}
