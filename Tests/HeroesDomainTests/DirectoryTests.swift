import Testing

import HeroesDomain

@Suite("Pages of the directory")
struct DirectoryTests {
    @Test("Orders are read as they are written", arguments: Ordering.Key.allCases, [true, false])
    func orderings(key: Ordering.Key, isDescending: Bool) {
        let ordering = Ordering(key, isDescending: isDescending)
        #expect(Ordering(ordering.text) == ordering)
    }

    @Test("Other orders are none", arguments: ["", "-", "id", "--created", "Created", "created,-id", "+created"])
    func noOrdering(text: String) {
        #expect(Ordering(text) == nil)
    }

    @Test("A cursor survives its bytes")
    func cursor() {
        for key in Ordering.Key.allCases {
            for number in [Int64.min, -1, 0, 1, .max] {
                let cursor = Cursor(
                    ordering: Ordering(key, isDescending: number > 0), direction: number < 0 ? .before : .after,
                    key: number, id: ~number, edition: key.isFixed ? 0 : number)
                #expect(Cursor(bytes: cursor.bytes) == cursor)
            }
        }
    }

    @Test("Bytes that no cursor wrote are refused")
    func noCursor() {
        let bytes = Cursor(ordering: .standard, direction: .after, key: 1, id: 2).bytes
        #expect(Cursor(bytes: [] as [UInt8]) == nil)
        #expect(Cursor(bytes: bytes.dropLast()) == nil)
        #expect(Cursor(bytes: bytes + [0]) == nil)
        #expect(Cursor(bytes: [2] + bytes.dropFirst()) == nil)
        #expect(Cursor(bytes: [1, 2] + bytes.dropFirst(2)) == nil)
        #expect(Cursor(bytes: [1, 0, 6] + bytes.dropFirst(3)) == nil)
    }

    @Test("Rates are held to what a hero can ask for, whatever numbers come")
    func rates() {
        #expect(DirectoryFilter(minimumRate: -5).rates == 0...100_000)
        #expect(DirectoryFilter(minimumRate: 10, maximumRate: .max).rates == 10...100_000)
        #expect(DirectoryFilter(minimumRate: 10, maximumRate: 9).isImpossible)
        #expect(DirectoryFilter(minimumRate: .max).isImpossible)
        #expect(DirectoryFilter(maximumRate: -1).isImpossible)
        #expect(!DirectoryFilter(minimumRate: .min, maximumRate: .max).isImpossible)
        #expect(DirectoryFilter(search: Search("!")).isImpossible)
    }
}
