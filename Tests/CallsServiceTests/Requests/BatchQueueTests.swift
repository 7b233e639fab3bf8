import Testing

@testable import CallsService

@Suite struct BatchQueueTests {
    private let start = ContinuousClock.now
    private var queue = BatchQueue<Int>(most: 3, patience: .seconds(1))

    private func time(_ milliseconds: Int) -> ContinuousClock.Instant { start + .milliseconds(milliseconds) }

    /// What a step is, for comparison: a worker's number, or a full batch.
    private mutating func arrive(_ elements: Int..., at milliseconds: Int = 0) -> [String] {
        elements.map {
            switch queue.arrive($0, at: time(milliseconds)) {
            case .wait: "wait"
            case .work(let worker): "work \(worker)"
            case .full(let batch): "full \(batch)"
            }
        }
    }

    private mutating func look(at milliseconds: Int) -> String {
        switch queue.look(at: time(milliseconds)) {
        case .goOn: "go on"
        case .work(let worker): "work \(worker)"
        case .end: "end"
        }
    }

    @Test mutating func `the first begins, others wait for it, and a worker ends when nothing waits`() {
        #expect(arrive(1) == ["work 1"])
        #expect(queue.next(1, at: time(0)) == [1])
        #expect(arrive(2, 3) == ["wait", "wait"])
        #expect(queue.next(1, at: time(1)) == [2, 3])
        #expect(queue.next(1, at: time(2)) == nil)
        #expect(arrive(4, at: 3) == ["work 2"])
        #expect(queue.next(1, at: time(3)) == nil)
        #expect(queue.next(2, at: time(3)) == [4])
    }

    @Test mutating func `each full batch goes at once, and the worker goes on with the rest`() {
        #expect(arrive(0) == ["work 1"])
        #expect(queue.next(1, at: time(0)) == [0])
        let steps = arrive(1, 2, 3, 4, 5, 6, 7)
        #expect(steps == ["wait", "wait", "full [1, 2, 3]", "wait", "wait", "full [4, 5, 6]", "wait"])
        #expect(queue.next(1, at: time(1)) == [7])
        #expect(queue.next(1, at: time(2)) == nil)
    }

    @Test mutating func `a worker that comes too late finds nothing, and all is as at first`() {
        #expect(arrive(1, 2, 3) == ["work 1", "wait", "full [1, 2, 3]"])
        #expect(queue.next(1, at: time(0)) == nil)
        #expect(look(at: 5000) == "end")
        #expect(arrive(4) == ["work 2"])
    }

    @Test mutating func `a worker that is stuck is replaced, once something waits, and takes nothing more`() {
        #expect(look(at: 0) == "end")
        #expect(arrive(1) == ["work 1"])
        #expect(queue.next(1, at: time(0)) == [1])
        #expect(look(at: 5000) == "go on")
        #expect(arrive(2, at: 5001) == ["wait"])
        #expect(look(at: 5002) == "work 2")
        #expect(queue.next(1, at: time(5003)) == nil)
        #expect(queue.waiting == [2])
        #expect(queue.next(2, at: time(5003)) == [2])
        #expect(arrive(3, at: 5004) == ["wait"])
        #expect(look(at: 6002) == "go on")
        #expect(look(at: 6003) == "work 3")
        #expect(queue.next(3, at: time(6004)) == [3])
        #expect(queue.next(3, at: time(6005)) == nil)
        #expect(look(at: 9000) == "end")
    }
}
