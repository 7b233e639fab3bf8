/// A queue that takes from the front without moving the rest.
struct FIFO<Element> {
    private var elements: [Element?] = []
    private var head = 0

    var isEmpty: Bool { head == elements.count }
    var count: Int { elements.count - head }

    var first: Element? {
        isEmpty ? nil : elements[head]
    }

    mutating func append(_ element: Element) {
        elements.append(element)
    }

    /// Before all others: for what has waited already.
    mutating func prepend(_ element: Element) {
        if head > 0 {
            head -= 1
            elements[head] = element
        } else {
            elements.insert(element, at: 0)
        }
    }

    mutating func popFirst() -> Element? {
        guard !isEmpty else { return nil }
        let element = elements[head]
        elements[head] = nil
        head += 1
        if head == elements.count {
            elements.removeAll(keepingCapacity: true)
            head = 0
        } else if head > 256, head * 2 > elements.count {
            elements.removeFirst(head)
            head = 0
        }
        return element
    }

    mutating func replaceFirst(_ element: Element) {
        if !isEmpty { elements[head] = element }
    }

    /// Changes the first element that `change` answers true for.
    mutating func changeFirst(where change: (inout Element) -> Bool) {
        for index in head..<elements.count {
            guard var element = elements[index] else { continue }
            if change(&element) {
                elements[index] = element
                return
            }
        }
    }

    mutating func removeAll(where unwanted: (Element) -> Bool) {
        elements = elements[head...].filter { element in element.map { !unwanted($0) } ?? false }
        head = 0
    }
}

extension FIFO: Sequence {
    func makeIterator() -> IndexingIterator<[Element]> {
        elements[head...].compactMap(\.self).makeIterator()
    }
}
