import HeroesDomain
import Postgres

/// What a hero is found by.
struct HeroWords: Sendable {
    private let words: [String]

    init(user: PublicUser, details: HeroDetails) {
        self.init(
            user: user, discipline: details.discipline, title: details.title, company: details.company,
            description: details.description)
    }

    init(user: PublicUser, discipline: Discipline, title: String, company: String, description: String) {
        words =
            Words.of(user.firstName, user.lastName, title, company, description) + [Words.discipline(discipline)]
    }

    /// An expression of type tsvector.
    var vector: SQL { "array_to_tsvector(\(words)::text[])" }
}

extension Search {
    /// What finds heroes with all of the words, as `tsquery` reads it. Words have letters, digits, `+` and `#` only, and
    /// quoted they are nothing but words.
    func query(discipline: Discipline?) -> String {
        (exactTerms(discipline) + beginningTerm).joined(separator: " & ")
    }

    /// The same without the word that is not whole.
    func exactQuery(discipline: Discipline?) -> String { exactTerms(discipline).joined(separator: " & ") }

    /// Only the word that is not whole.
    var beginningQuery: String { beginningTerm.joined() }

    private func exactTerms(_ discipline: Discipline?) -> [String] {
        exact.map { "'\($0)'" } + (discipline.map { ["'\(Words.discipline($0))'"] } ?? [])
    }

    private var beginningTerm: [String] { beginning.map { ["'\($0)':*"] } ?? [] }
}
