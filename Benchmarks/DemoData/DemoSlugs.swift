import HeroesDomain
import Postgres

/// Gives the heroes of the demo slugs as applying does: each stem counts who has asked, and a number that was given is
/// nobody else's. So heroes can apply while the demo is loaded.
struct DemoSlugs {
    let heroes: PostgresClient

    /// A slug for each of some stems, in their order.
    func take(_ stems: [SlugStem]) async throws -> [String] {
        var slugs: [String] = Array(repeating: "", count: stems.count)
        var open = Array(stems.indices)
        while !open.isEmpty {
            var numbers = try await numbers(of: open.map { stems[$0].text })
            var found: [(index: Int, slug: String)] = []
            var again: [Int] = []
            for index in open {
                let number = numbers[stems[index].text, default: 0]
                numbers[stems[index].text] = number + 1
                if let slug = stems[index].slug(number)?.text {
                    found.append((index, slug))
                } else {
                    again.append(index)
                }
            }
            // Ann's second namesake and the first Ann 2 would be called the same.
            var taken = try await taken(found.map(\.slug))
            for (index, slug) in found {
                if taken.insert(slug).inserted { slugs[index] = slug } else { again.append(index) }
            }
            open = again
        }
        return slugs
    }

    /// The first of as many numbers as a stem comes in the list.
    private func numbers(of stems: [String]) async throws -> [String: Int64] {
        let wanted = stems.reduce(into: [:]) { $0[$1, default: Int64(0)] += 1 }
        // In one order, so that two who load at once don't wait for each other.
        let names = wanted.keys.sorted()
        let counts = names.map { wanted[$0, default: 0] }
        let rows = try await heroes.execute(
            """
            INSERT INTO heroes.slug_stems AS s (stem, asked) SELECT * FROM unnest(\(names), \(counts))
            ON CONFLICT (stem) DO UPDATE SET asked = s.asked + excluded.asked
            RETURNING stem, asked
            """)
        return Dictionary(
            uniqueKeysWithValues: try rows.decode((String, Int64).self).map { stem, asked in
                (stem, asked - wanted[stem, default: 0])
            })
    }

    private func taken(_ slugs: [String]) async throws -> Set<String> {
        Set(
            try await heroes.read("SELECT slug FROM heroes.heroes WHERE slug = ANY(\(slugs))").decode(String.self))
    }
}
