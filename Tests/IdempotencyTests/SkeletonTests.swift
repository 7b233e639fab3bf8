import Testing

@testable import Idempotency
