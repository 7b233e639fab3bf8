import Foundation
import Testing

@testable import ServiceKit

@Suite struct SettingsTests {
    enum Kind: String, CaseIterable { case sandbox, stripe }

    @Test func `the environment comes before the file, and the file before defaults`() throws {
        var reader = SettingsReader(
            environment: ["A": "1", "EMPTY": "", "SECRET_KEY": String(repeating: "s", count: 32)],
            file: ["A": "2", "B": "\"two words\"", "EMPTY": "file", "ON": "Yes", "URLS": "http://a:1, https://b/"])
        let values = try reader.finish(
            reader.integer("A", in: 0...9), reader.string("B"), reader.string("EMPTY"), reader.bool("ON"),
            reader.port("PORT", default: 8080), reader.choice("KIND", default: Kind.sandbox), reader.webURLs("URLS"),
            reader.string(firstOf: ["X", "B"]))
        #expect(values.0 == 1)
        #expect(values.1 == "two words")
        #expect(values.2 == "file")
        #expect(values.3)
        #expect(values.4 == 8080)
        #expect(values.5 == .sandbox)
        #expect(values.6 == ["http://a:1", "https://b"])
        #expect(values.7 == "two words")
        #expect(reader.secretKey() != nil)
    }

    @Test func `every fault is told at once and no value is`() throws {
        var reader = SettingsReader(
            environment: [
                "SECRET_KEY": "hush-short", "PORT": "hush", "KIND": "hush", "URL": "hush", "ON": "hush", "T": "hush",
            ])
        _ = reader.secretKey()
        _ = reader.port("PORT")
        _ = reader.choice("KIND") as Kind?
        _ = reader.webURL("URL")
        _ = reader.bool("ON")
        _ = reader.seconds("T", in: 0...1)
        _ = reader.string("MISSING")
        do throws(SettingsFaults) {
            try reader.finish()
            Issue.record("no fault")
        } catch {
            #expect(error.faults.count == 7)
            #expect(error.faults.contains("MISSING is missing"))
            #expect(error.faults.contains("SECRET_KEY must have at least 32 characters"))
            #expect(!"\(error)".contains("hush"))
        }
    }

    @Test func `readers among the arguments of finish are heard`() {
        var reader = SettingsReader(environment: ["ON": "x"])
        do throws(SettingsFaults) {
            _ = try reader.finish(reader.string("MISSING"), reader.bool("ON"))
            Issue.record("no fault")
        } catch {
            #expect(error.faults == ["MISSING is missing", "ON must be true or false"])
        }
    }

    @Test func `a file that is not there is no fault`() async throws {
        var reader = try await SettingsReader.load(file: "/nowhere/.env")
        #expect(throws: Never.self) { try reader.finish() }
    }
}
