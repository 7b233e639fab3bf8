import Foundation
import Testing

@testable import AccountsDomain

@Suite("A change of profile")
struct ProfilePatchTests {
    let registered = Instant(microseconds: 1)
    let now = Instant(microseconds: 2)

    private func user(verified: Bool = false, phone: String? = nil) throws -> User {
        var user = try User(
            id: UUID(), firstName: PersonName("Cam"), lastName: PersonName("Newton"), email: EmailAddress("a@test.com"),
            timezone: .standard, registered: registered)
        user.emailVerified = verified
        user.phone = phone.map(PhoneNumber.init(stored:))
        user.phoneVerified = phone != nil
        return user
    }

    @Test("An empty patch changes nothing, not even the time")
    func nothing() throws {
        let change = try user().applying(ProfilePatch(), at: now)
        #expect(try change.user.updated == registered && change.codes.isEmpty && change.user.email == user().email)
    }

    @Test("Plain fields change at once")
    func plainFields() throws {
        var patch = ProfilePatch()
        patch.firstName = try PersonName("Tom")
        patch.isActive = true
        patch.emailNotifications = true
        patch.profileImage = .set(try ImageURL("http://a/b"))
        patch.timezone = TimeZoneName(stored: "Europe/Paris")
        let after = try user().applying(patch, at: now)
        #expect(after.user.firstName.text == "Tom" && after.user.lastName.text == "Newton")
        #expect(after.user.isActive && after.user.emailNotifications && after.user.profileImage?.text == "http://a/b")
        #expect(after.user.timezone.text == "Europe/Paris" && after.user.updated == now && after.codes.isEmpty)
        patch.profileImage = .clear
        #expect(after.user.applying(patch, at: now).user.profileImage == nil)
    }

    @Test("A new address waits for its code and leaves the old one in place")
    func newAddress() throws {
        var patch = ProfilePatch()
        patch.email = try EmailAddress("b@test.com")
        let change = try user(verified: true).applying(patch, at: now)
        #expect(change.user.email.text == "a@test.com" && change.user.emailVerified)
        #expect(try change.codes == [.email(EmailAddress("b@test.com"))])
        #expect(!change.losesPrivilege)
    }

    @Test("The present address asks for a new code until it is verified")
    func presentAddress() throws {
        var patch = ProfilePatch()
        patch.email = try EmailAddress("A@test.com")
        #expect(try user().applying(patch, at: now).codes.count == 1)
        let verified = try user(verified: true).applying(patch, at: now)
        #expect(verified.codes.isEmpty && verified.user.updated == registered)
    }

    @Test("A new number waits for its code; the present one is no change; null gives it up with its privilege")
    func phones() throws {
        var patch = ProfilePatch()
        patch.phone = .set(try PhoneNumber("2345678901"))
        let waiting = try user(phone: "1234567890").applying(patch, at: now)
        #expect(waiting.user.phone?.digits == "1234567890" && waiting.user.phoneVerified)
        #expect(try waiting.codes == [.phone(PhoneNumber("2345678901"))])
        #expect(try user(phone: "2345678901").applying(patch, at: now).codes.isEmpty)

        patch.phone = .clear
        let cleared = try user(phone: "1234567890").applying(patch, at: now)
        #expect(cleared.user.phone == nil && !cleared.user.phoneVerified)
        #expect(cleared.losesPrivilege && cleared.dropsPhoneCode)
        #expect(try !user().applying(patch, at: now).losesPrivilege)
    }
}
