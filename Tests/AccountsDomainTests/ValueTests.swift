import Testing

@testable import AccountsDomain

@Suite("Values that clients send")
struct ValueTests {
    @Test("A name is trimmed and has 1 to 50 scalars")
    func names() throws {
        #expect(try PersonName(" \tCam\u{a0}\n").text == "Cam")
        #expect(try PersonName(String(repeating: "é", count: 50)).text.unicodeScalars.count == 50)
        // One character to a reader, but 51 scalars.
        #expect(throws: InvalidValue.self) { try PersonName("e" + String(repeating: "\u{301}", count: 50)) }
        #expect(throws: InvalidValue.self) { try PersonName("") }
        #expect(throws: InvalidValue.self) { try PersonName(" \r\n ") }
        #expect(throws: InvalidValue.self) { try PersonName("a\0b") }
    }

    @Test(
        "Addresses with a dotted domain are taken, in lower case",
        arguments: ["Cam@Test.com", "a@b.co", "a.b+c_d'e@sub.example.org", "1@xn--bcher-kva.example", "x@1.2a"])
    func addresses(text: String) throws {
        #expect(try EmailAddress(text).text == text.lowercased())
    }

    @Test(
        "What isn't such an address is refused",
        arguments: [
            "", "@", "a", "a@", "@b.co", "a@b", "a@b.", "a@.co", "a@b..co", ".a@b.co", "a.@b.co", "a..b@c.co",
            "a b@c.co",
            "a@b c.co", "a@-b.co", "a@b-.co", "a@b.co\n", " a@b.co", "a@b.co\r\nBcc: x@y.zz", "\"a\"@b.co",
            "a@[1.2.3.4]",
            "a@1.2.3.4", "a@b@c.co", "<a@b.co>", "ä@b.co", "a@bücher.de", "a\0@b.co", "a,b@c.co", "a@b_c.co",
            String(repeating: "a", count: 65) + "@b.co", "a@" + String(repeating: "b", count: 64) + ".co",
            "a@" + String(repeating: "bbbbbbbbb.", count: 26) + "com",
        ])
    func badAddresses(text: String) {
        #expect(throws: InvalidValue.self) { try EmailAddress(text) }
    }

    @Test("An address has at most 254 characters")
    func longAddress() throws {
        let local = String(repeating: "a", count: 64)
        let domain = String(repeating: "b", count: 63) + "." + String(repeating: "c", count: 63) + "."
        let longest = "\(local)@\(domain)" + String(repeating: "d", count: 61 - 4) + ".com"
        #expect(longest.count == 254)
        #expect(try EmailAddress(longest).text == longest)
        #expect(throws: InvalidValue.self) { try EmailAddress("a" + longest) }
    }

    @Test("A password has 8 to 128 scalars, one of them a digit from 0 to 9, and is kept as it is")
    func passwords() throws {
        #expect(try Password(" pass1 word ").secret == " pass1 word ")
        #expect(try Password("éééééé1é").secret == "éééééé1é")
        #expect(try Password("1" + String(repeating: "x", count: 127)).secret.count == 128)
        for bad in ["", "passwor", "short1", "passwordless", "password\u{661}", "12345678\0"] {
            #expect(throws: InvalidValue.self) { try Password(bad) }
        }
        #expect(throws: InvalidValue.self) { try Password("1" + String(repeating: "x", count: 128)) }
        #expect(try !"\(Password("password1"))".contains("password1"))
    }

    @Test("A phone number is exactly ten ASCII digits")
    func phones() throws {
        #expect(try PhoneNumber("0123456789").digits == "0123456789")
        for bad in [
            "", "123456789", "12345678901", "123456789a", "+123456789", " 123456789", "123456789\n", "١٢٣٤٥٦٧٨٩٠",
        ] {
            #expect(throws: InvalidValue.self) { try PhoneNumber(bad) }
        }
    }

    @Test(
        "An image is any http or https URL",
        arguments: [
            "http://a", "https://media.licdn.com/mpr/mpr/p/5/005/040/0cd/008cf89.jpg", "HTTPS://A.B/c?d=e&f=%20#g",
            "http://[::1]:8080/x", "http://127.0.0.1:80", "https://a_b.example.com./x",
        ])
    func images(text: String) throws {
        #expect(try ImageURL(text).text == text)
    }

    @Test(
        "Another scheme, no host or a stray character is refused",
        arguments: [
            "", "a", "ftp://a/b", "javascript:alert(1)", "data:image/png;base64,x", "//a/b", "http:/a", "http://",
            "http:///x",
            "http://?x", "http://a b", "http://a/b c", "http://a/\"", "http://a/<b>", "http://a/%2", "http://a/%zz",
            "http://a:b", "http://a:70000", "http://a:+80", "http://user@a/", "http://a..b/", "http://a/\u{e9}",
            "http://a/\n",
            " http://a", "http://[::1", "http://[]/", "http://a\0b/",
        ])
    func badImages(text: String) {
        #expect(throws: InvalidValue.self) { try ImageURL(text) }
    }

    @Test("An image's URL has at most 2048 characters")
    func longImage() throws {
        let longest = "http://a/" + String(repeating: "b", count: 2048 - 9)
        #expect(try ImageURL(longest).text.count == 2048)
        #expect(throws: InvalidValue.self) { try ImageURL(longest + "b") }
    }
}
