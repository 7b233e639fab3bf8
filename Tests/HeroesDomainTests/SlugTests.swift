import Testing

@testable import HeroesDomain

@Suite("Slugs")
struct SlugTests {
    @Test(
        "A name becomes letters, digits and hyphens",
        arguments: [
            ("Tom", "Brady", "tom-brady"), ("Clark", "Kent", "clark-kent"),
            ("José", "Núñez", "jose-nunez"), ("Jürgen", "Groß", "jurgen-gross"), ("Søren", "Ærø", "soren-aero"),
            ("Łukasz", "Żółć", "lukasz-zolc"), ("Đặng", "Nguyễn", "dang-nguyen"), ("İbrahim", "Şık", "ibrahim-sik"),
            ("Þór", "Guðmundsson", "thor-gudmundsson"), ("Œdipe", "Cœur", "oedipe-coeur"),
            ("Юрий", "Щербаков", "yuriy-shcherbakov"), ("Олексій", "Ґалаґан", "oleksiy-galagan"),
            ("Γιώργος", "Ψαράς", "giorgos-psaras"), ("Љубица", "Њежић", "ljubitsa-njezhic"),
            ("Mary Ann", "O'Brien-Smith", "mary-ann-obrien-smith"), ("Jean--Luc", "d’Arc ", "jean-luc-darc"),
            ("e\u{301}lan", "ＦＵＬＬ２", "elan-full2"), ("  ", "-x-", "x"), ("R2", "D2", "r2-d2"),
            ("李", "Wei", "wei"), ("٣", "x", "3-x"),
        ])
    func transliterates(first: String, last: String, slug: String) {
        #expect(SlugStem(firstName: first, lastName: last)?.slug(0)?.text == slug)
    }

    @Test("A name without such letters gives no stem, and the hero's id does")
    func nothingLeft() {
        #expect(SlugStem(firstName: "李", lastName: "小龍") == nil)
        #expect(SlugStem(firstName: "🦸", lastName: "'") == nil)
        #expect(SlugStem(heroID: 7).slug(0)?.text == "hero-7")
    }

    @Test("Namesakes get numbers, and the whole stays within fifty characters")
    func namesakes() {
        let stem = SlugStem(firstName: "Tom", lastName: "Brady")
        #expect(stem?.slug(1)?.text == "tom-brady-1")
        #expect(stem?.slug(12)?.text == "tom-brady-12")
        let long = SlugStem(firstName: String(repeating: "a", count: 48), lastName: String(repeating: "b", count: 50))
        #expect(long?.slug(0)?.text == String(repeating: "a", count: 48) + "-b")
        // The hyphen that the cut would leave at the end goes as well.
        #expect(long?.slug(1)?.text == String(repeating: "a", count: 48) + "-1")
        #expect(long?.slug(1234)?.text == String(repeating: "a", count: 45) + "-1234")
    }

    @Test("Words that are routes and bare numbers are taken from the start", arguments: Slug.reserved.sorted() + ["42"])
    func reserved(word: String) {
        let stem = SlugStem(firstName: word, lastName: "名")
        #expect(stem?.slug(0) == nil)
        #expect(stem?.slug(1)?.text == "\(word)-1")
        #expect(Slug(word) == nil)
    }

    @Test(
        "What can't be a slug is none",
        arguments: ["", "-a", "a-", "a--b", "A", "a_b", "é", "123", "apply", String(repeating: "a", count: 51)])
    func refuses(text: String) {
        #expect(Slug(text) == nil)
    }

    @Test("No text makes it fail, and each stem makes a slug")
    func anything() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let scalars = (0..<12).compactMap { _ in Unicode.Scalar(UInt32.random(in: 0...0x1FFFF, using: &generator)) }
            let text = String(String.UnicodeScalarView(scalars))
            guard let stem = SlugStem(firstName: text, lastName: "x") else {
                Issue.record("no stem for \(scalars)")
                continue
            }
            #expect(stem.slug(3) != nil, "\(scalars)")
        }
    }
}
