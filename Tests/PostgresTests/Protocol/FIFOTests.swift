import Testing

@testable import Postgres

@Suite struct FIFOTests {
    @Test func `First in, first out, through thousands`() {
        var queue = FIFO<Int>()
        var expected = 0
        for number in 0..<5_000 {
            queue.append(number)
            if number % 3 == 0 {
                let first = queue.popFirst()
                #expect(first == expected)
                expected += 1
            }
        }
        #expect(queue.count == 5_000 - expected)
        queue.prepend(-1)
        let first = queue.popFirst()
        #expect(first == -1)
        queue.removeAll { $0 % 2 == 0 }
        #expect(queue.allSatisfy { $0 % 2 == 1 })
    }

    @Test func `An empty one has nothing`() {
        var queue = FIFO<Int>()
        let first = queue.popFirst()
        #expect(first == nil && queue.first == nil && queue.isEmpty)
        queue.prepend(1)
        #expect(queue.first == 1 && queue.count == 1)
    }
}
