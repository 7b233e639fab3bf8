import Testing

@testable import HeroesDomain

@Suite("Words and searches")
struct SearchTests {
    @Test("Text is cut into words without case and marks")
    func words() {
        #expect(Words.inOrder("Set up a REST-API, quickly!") == ["set", "up", "a", "rest", "api", "quickly"])
        #expect(Words.inOrder("Groß & Müller's Café") == ["gross", "mullers", "cafe"])
        #expect(Words.inOrder("Иван 李小龍 node.js") == ["ivan", "李小龍", "node", "js"])
        #expect(Words.inOrder("") == [])
    }

    @Test("Signs stay with a language's name and with nothing else")
    func signs() {
        #expect(
            Words.inOrder("C++, C# and F#/C++20 a+b #1 ++") == ["c++", "c#", "and", "f#", "c", "20", "a", "b", "1"])
    }

    @Test("Each word counts once, a very long one is cut")
    func once() {
        #expect(Words.of("a b", "b c").sorted() == ["a", "b", "c"])
        #expect(Words.of(String(repeating: "ß", count: 1000)).map(\.utf8.count) == [64])
    }

    @Test("The last word may be a beginning, unless it is short or says more than letters")
    func beginning() {
        #expect(Search("Rest Djan") == Search("rest djan"))
        #expect(Search("rest djan").exact == ["rest"])
        #expect(Search("rest djan").beginning == "djan")
        #expect(Search("django rest django").exact == ["django"])
        #expect(Search("learn go").exact == ["learn", "go"])
        #expect(Search("learn go").beginning == nil)
        #expect(Search("Visual C++").exact == ["visual", "c++"])
        #expect(Search("?!").isEmpty)
        #expect(Search((0..<50).map { "w\($0)" }.joined(separator: " ")).exact.count <= Search.maximumWords)
    }
}
