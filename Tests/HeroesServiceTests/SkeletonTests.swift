import Testing

@testable import HeroesService
