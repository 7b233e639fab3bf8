/// What a hero says of themselves and their offer. Texts are trimmed; lengths are in Unicode scalars.
public struct HeroDetails: Sendable, Hashable {
    public static let titleLength = 1...50
    public static let descriptionLength = 1...1000
    public static let positionLength = 1...100
    public static let companyLength = 1...100
    public static let shortBioLength = 1...199
    public static let years: ClosedRange<Int64> = 0...80
    /// Cents for a minute.
    public static let rate: ClosedRange<Int64> = 0...100_000
    public static let linkedInURLMaximumLength = 200

    public var discipline: Discipline
    public var title: String
    public var description: String
    public var position: String
    public var company: String
    public var shortBio: String
    public var yearsOfExperience: Int
    /// Cents for a minute.
    public var rateInCents: Int
    /// An http or https URL.
    public var linkedInURL: String

    public init(
        discipline: Discipline, title: String, description: String, position: String, company: String,
        shortBio: String, yearsOfExperience: Int, rateInCents: Int, linkedInURL: String
    ) {
        self.discipline = discipline
        self.title = title
        self.description = description
        self.position = position
        self.company = company
        self.shortBio = shortBio
        self.yearsOfExperience = yearsOfExperience
        self.rateInCents = rateInCents
        self.linkedInURL = linkedInURL
    }

    /// The details with what a patch mentions put in its place.
    public func applying(_ patch: HeroPatch) -> HeroDetails {
        HeroDetails(
            discipline: patch.discipline ?? discipline, title: patch.title ?? title,
            description: patch.description ?? description, position: patch.position ?? position,
            company: patch.company ?? company, shortBio: patch.shortBio ?? shortBio,
            yearsOfExperience: patch.yearsOfExperience ?? yearsOfExperience,
            rateInCents: patch.rateInCents ?? rateInCents, linkedInURL: patch.linkedInURL ?? linkedInURL)
    }
}

/// What a hero wants changed. What is nil stays as it is.
public struct HeroPatch: Sendable, Hashable {
    public var discipline: Discipline?
    public var title: String?
    public var description: String?
    public var position: String?
    public var company: String?
    public var shortBio: String?
    public var yearsOfExperience: Int?
    public var rateInCents: Int?
    public var linkedInURL: String?

    /// A patch that changes nothing.
    public init() {}
}
