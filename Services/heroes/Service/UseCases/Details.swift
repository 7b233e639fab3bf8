import HeroesDomain
import ServiceKit

extension Fields {
    /// All that a hero has to say of themselves.
    ///
    /// - Throws: `Problem` that names every bad field.
    mutating func heroDetails() throws(Problem) -> HeroDetails {
        let discipline = parsed("discipline", Self.noDiscipline) { Discipline(rawValue: $0) }
        let title = string("title", HeroDetails.titleLength, trimmed: true)
        let description = string("description", HeroDetails.descriptionLength, trimmed: true)
        let position = string("position", HeroDetails.positionLength, trimmed: true)
        let company = string("company", HeroDetails.companyLength, trimmed: true)
        let shortBio = string("short_bio", HeroDetails.shortBioLength, trimmed: true)
        let years = integer("years_of_exp", HeroDetails.years)
        let rate = integer("rate_in_cents", HeroDetails.rate)
        let url = url("linkedin_url", maximumLength: HeroDetails.linkedInURLMaximumLength)
        let values = try finish(discipline, title, description, position, company, shortBio, years, rate, url)
        return HeroDetails(
            discipline: values.0, title: values.1, description: values.2, position: values.3, company: values.4,
            shortBio: values.5, yearsOfExperience: Int(values.6), rateInCents: Int(values.7), linkedInURL: values.8)
    }

    /// What a hero wants changed.
    ///
    /// - Throws: `Problem` that names every bad field.
    mutating func heroPatch() throws(Problem) -> HeroPatch {
        var patch = HeroPatch()
        patch.discipline = changed("discipline", Self.noDiscipline) { Discipline(rawValue: $0) }.value
        patch.title = changedString("title", HeroDetails.titleLength, trimmed: true).value
        patch.description = changedString("description", HeroDetails.descriptionLength, trimmed: true).value
        patch.position = changedString("position", HeroDetails.positionLength, trimmed: true).value
        patch.company = changedString("company", HeroDetails.companyLength, trimmed: true).value
        patch.shortBio = changedString("short_bio", HeroDetails.shortBioLength, trimmed: true).value
        patch.yearsOfExperience = changedInteger("years_of_exp", HeroDetails.years).value.map { Int($0) }
        patch.rateInCents = changedInteger("rate_in_cents", HeroDetails.rate).value.map { Int($0) }
        patch.linkedInURL =
            changedURL("linkedin_url", maximumLength: HeroDetails.linkedInURLMaximumLength).value
        try finish()
        return patch
    }

    private static let noDiscipline =
        "This must be one of \(Discipline.allCases.map(\.rawValue).joined(separator: ", "))."
}
