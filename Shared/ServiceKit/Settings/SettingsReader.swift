import Configuration
import Identity

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Reads the settings of a process from the environment and then from `.env`, and remembers every fault, so that an
/// operator hears of all at once.
///
/// Like ``Fields``, each reader gives nil for a setting that is missing or bad, and ``finish(_:)`` throws what was noted
/// or unwraps all values. A value is never part of a message: it may be a secret.
public struct SettingsReader: Sendable {
    private let sources: [EnvironmentVariablesProvider]
    private var faults: [String] = []

    /// - Parameters:
    ///   - environment: what counts first.
    ///   - file: what counts where the environment says nothing.
    public init(environment: [String: String], file: [String: String] = [:]) {
        self.sources = [.init(environmentVariables: environment), .init(environmentVariables: file)]
    }

    private init(sources: [EnvironmentVariablesProvider]) {
        self.sources = sources
    }

    /// Reads the environment of this process and `.env` in its working directory, if there is one.
    ///
    /// - Throws: ``SettingsFaults`` when there is a file that can't be read.
    public static func load(file: String = ".env") async throws(SettingsFaults) -> SettingsReader {
        do {
            let provider = try await EnvironmentVariablesProvider(
                environmentFilePath: .init(file), allowMissing: true)
            return SettingsReader(sources: [.init(), provider])
        } catch {
            throw SettingsFaults(faults: ["\(file) can't be read"])
        }
    }

    /// The text of a setting, or nil when it is missing or empty.
    private func text(_ name: String) -> String? {
        for source in sources {
            // Reading from memory can't fail.
            guard let value = (try? source.environmentValue(forName: name)) ?? nil else { continue }
            let text = Self.unquoted(Rules.trim(value))
            if !text.isEmpty { return text }
        }
        return nil
    }

    private static func unquoted(_ text: String) -> String {
        for quote in ["\"", "'"] where text.utf8.count >= 2 && text.hasPrefix(quote) && text.hasSuffix(quote) {
            return String(text.dropFirst().dropLast())
        }
        return text
    }

    /// Notes a fault that no reader finds, such as two settings that don't go together.
    public mutating func note(_ name: String, _ message: String) {
        faults.append("\(name) \(message)")
    }

    // MARK: Readers

    /// A text; required without a default.
    public mutating func string(_ name: String, default otherwise: String? = nil) -> String? {
        parsed(name, default: otherwise, "") { $0 }
    }

    /// A text that may be missing.
    public mutating func optionalString(_ name: String) -> String? {
        text(name)
    }

    /// The first of several settings that is there, such as `ACCOUNTS_DATABASE_URL` before `DATABASE_URL`.
    public mutating func string(firstOf names: [String], default otherwise: String? = nil) -> String? {
        for name in names {
            if let text = text(name) { return text }
        }
        if otherwise == nil { faults.append("\(names.joined(separator: " or ")) is missing") }
        return otherwise
    }

    /// A whole number; required without a default.
    public mutating func integer(_ name: String, in range: ClosedRange<Int>, default otherwise: Int? = nil) -> Int? {
        parsed(name, default: otherwise, "must be a whole number from \(range.lowerBound) to \(range.upperBound)") {
            Int($0).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// A TCP port; required without a default. 0 takes a free one.
    public mutating func port(_ name: String, default otherwise: Int? = nil) -> Int? {
        integer(name, in: 0...65_535, default: otherwise)
    }

    /// A number of seconds, with or without a fraction; required without a default.
    public mutating func seconds(
        _ name: String, in range: ClosedRange<Double>, default otherwise: Duration? = nil
    ) -> Duration? {
        let rule = "must be a number of seconds from \(range.lowerBound) to \(range.upperBound)"
        return parsed(name, default: otherwise, rule) {
            Double($0).flatMap { range.contains($0) ? .seconds($0) : nil }
        }
    }

    /// `true`, `yes`, `on` or `1`, or their opposites, in any case; required without a default.
    public mutating func bool(_ name: String, default otherwise: Bool? = nil) -> Bool? {
        parsed(name, default: otherwise, "must be true or false") {
            switch $0.lowercased() {
            case "true", "yes", "on", "1": true
            case "false", "no", "off", "0": false
            default: nil
            }
        }
    }

    /// One of the values of an enumeration; required without a default.
    public mutating func choice<Value: RawRepresentable<String> & CaseIterable & Sendable>(
        _ name: String, default otherwise: Value? = nil
    ) -> Value? {
        let names = Value.allCases.map(\.rawValue).joined(separator: ", ")
        return parsed(name, default: otherwise, "must be one of \(names)") { Value(rawValue: $0) }
    }

    /// An absolute http or https URL, without the slash at its end; required without a default.
    public mutating func webURL(_ name: String, default otherwise: String? = nil) -> String? {
        parsed(name, default: otherwise, "must be an http or https URL") { Self.webURL($0) }
    }

    /// Several http or https URLs with commas between them; required without a default.
    public mutating func webURLs(_ name: String, default otherwise: [String]? = nil) -> [String]? {
        parsed(name, default: otherwise, "must be http or https URLs with commas between them") { text in
            let urls = text.split(separator: ",").map { Self.webURL(Rules.trim(String($0))) }
            let good = urls.compactMap { $0 }
            return good.isEmpty || good.count < urls.count ? nil : good
        }
    }

    private static func webURL(_ text: String) -> String? {
        guard Rules.isWebURL(text) else { return nil }
        return text.hasSuffix("/") ? String(text.dropLast()) : text
    }

    /// The installation's secret key; required.
    public mutating func secretKey(_ name: String = "SECRET_KEY") -> SecretKey? {
        parsed(name, default: nil, "must have at least \(SecretKey.minimumLength) characters") { try? SecretKey($0) }
    }

    /// Anything that `parse` understands; required without a default.
    ///
    /// - Parameters:
    ///   - rule: goes on after the setting's name: `must be …`.
    ///   - parse: nil for a value that won't do.
    public mutating func parsed<Value>(
        _ name: String, default otherwise: Value?, _ rule: String, _ parse: (String) -> Value?
    ) -> Value? {
        guard let text = text(name) else {
            if otherwise == nil { faults.append("\(name) is missing" + (rule.isEmpty ? "" : ": it \(rule)")) }
            return otherwise
        }
        guard let value = parse(text) else {
            faults.append("\(name) \(rule)")
            return nil
        }
        return value
    }

    // MARK: End

    /// Ends the reading. Mutating for the reason that ``Fields/finish()`` is.
    ///
    /// - Throws: ``SettingsFaults`` with every fault noted.
    public mutating func finish() throws(SettingsFaults) {
        guard faults.isEmpty else { throw SettingsFaults(faults: faults) }
    }

    /// Ends the reading and unwraps what the readers gave.
    ///
    /// - Throws: ``SettingsFaults`` with every fault noted.
    public mutating func finish<each Value>(_ values: repeat (each Value)?) throws(SettingsFaults) -> (
        repeat each Value
    ) {
        try finish()
        do {
            return (repeat try Self.unwrap(each values))
        } catch {
            throw SettingsFaults(faults: ["a setting has no value"])
        }
    }

    private static func unwrap<Value>(_ value: Value?) throws -> Value {
        guard let value else { throw SettingsFaults(faults: []) }
        return value
    }
}

/// Everything that is wrong with the settings of a process.
public struct SettingsFaults: Error, Sendable, Equatable, CustomStringConvertible {
    /// One sentence for each fault, without values.
    public let faults: [String]

    public var description: String { "settings: " + faults.joined(separator: "; ") }
}
