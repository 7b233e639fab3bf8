import Testing

@testable import CallsService
