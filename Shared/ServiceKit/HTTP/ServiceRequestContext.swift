import Hummingbird
import Logging

/// What Hummingbird makes for each request before anything is known of it; everything else is in ``ServiceRequest``.
public struct ServiceRequestContext: InitializableFromSource {
    public init(source: ApplicationRequestContextSource) {}
}
