import ServiceKit

/// Which members of a hero somebody is shown.
enum HeroBlock: Sendable {
    /// All, for the hero.
    case own
    /// Of an accepted hero in a list.
    case listed
    /// Of an accepted hero on a page of its own.
    case page
}

extension Hero {
    /// Writes the members of a block.
    ///
    /// - Parameter user: writes the member `user`.
    func write(_ block: HeroBlock, into json: inout JSONWriter, user: (inout JSONWriter) -> Void) {
        json.field("id", id)
        user(&json)
        json.field("slug", slug)
        json.field("discipline", details.discipline.rawValue)
        json.field("title", details.title)
        json.field("description", details.description)
        json.field("position", details.position)
        json.field("company", details.company)
        if block != .listed { json.field("short_bio", details.shortBio) }
        json.field("years_of_exp", details.yearsOfExperience)
        json.field("rate_in_cents", details.rateInCents)
        if block == .own { json.field("accepted", isAccepted) }
        if block != .listed { json.field("linkedin_url", details.linkedInURL) }
        json.field("created", created)
        json.field("updated", updated)
    }

    /// Writes the members of a block with the user as anybody may see it.
    func write(_ block: HeroBlock, into json: inout JSONWriter, user: PublicUser) {
        write(block, into: &json) { $0.object("user", user.write) }
    }
}
