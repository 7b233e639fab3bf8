import NIOCore
import Testing

@testable import Redis

@Suite struct RedisCommandTests {
    private func text(_ command: RedisCommand) -> String { String(decoding: command.wire, as: UTF8.self) }

    @Test func argumentsAreBytesAndNeverAFormatOrACString() {
        #expect(
            text(["SET", "%s%n\0\r\n", "ü"]) == "*3\r\n$3\r\nSET\r\n$7\r\n%s%n\0\r\n\r\n$2\r\nü\r\n")
        #expect(text(["ECHO", ""]) == "*2\r\n$4\r\nECHO\r\n$0\r\n\r\n")
        #expect(text(["ECHO", [UInt8](), ""]) == "*3\r\n$4\r\nECHO\r\n$0\r\n\r\n$0\r\n\r\n")
    }

    @Test func textBytesAndNumbersMix() {
        let command: RedisCommand = [
            "X", [1, 2] as [UInt8], ByteBuffer(string: "b"), -7, Int64.min, "abc".dropFirst(),
        ]
        #expect(
            text(command)
                == "*6\r\n$1\r\nX\r\n$2\r\n\u{1}\u{2}\r\n$1\r\nb\r\n$2\r\n-7\r\n$20\r\n-9223372036854775808\r\n$2\r\nbc\r\n"
        )
    }

    @Test func aCommandWithManyLargeArgumentsIsWhole() {
        let large = [UInt8](repeating: 7, count: 3_000_000)
        let command = RedisCommand(
            ["MSET"] + (0..<1000).flatMap { ["k\($0)", $0] as [any RedisArgument] } + ["l", large])
        #expect(command.wire.count > 3_000_000)
        #expect(command.wire.suffix(3_000_002).dropLast(2).allSatisfy { $0 == 7 })
    }

    @Test func evalAndPublishAreBuiltAsRedisWantsThem() {
        #expect(
            RedisCommand.eval("return 1", keys: ["a", "b"], arguments: [3]) == ["EVAL", "return 1", 2, "a", "b", 3])
        #expect(RedisCommand.publish("hi", to: "c") == ["PUBLISH", "c", "hi"])
    }

    @Test func aCommandShowsItsNameAlone() {
        #expect("\(["SET", "key", "secret"] as RedisCommand)" == "SET")
        #expect("\([] as RedisCommand)" == "(no command)")
    }
}

@Suite struct RedisConfigurationTests {
    @Test func urlsAreReadAsRedisCliReadsThem() throws {
        let plain = try RedisConfiguration(url: "redis://h")
        #expect(
            plain.host == "h" && plain.port == 6379 && plain.database == 0 && plain.password == nil && plain.tls == nil)
        let full = try RedisConfiguration(url: "rediss://us%40er:p%3A%2Fss:x@example.org:7000/5")
        #expect(full.host == "example.org" && full.port == 7000 && full.database == 5)
        #expect(full.username == "us@er" && full.password == "p:/ss:x" && full.tls != nil)
        let password = try RedisConfiguration(url: "redis://:secret@[::1]:1/")
        #expect(
            password.host == "::1" && password.port == 1 && password.username == nil && password.password == "secret")
        #expect(try RedisConfiguration(url: "redis://secret@h").password == "secret")
    }

    @Test(arguments: [
        ("http://h", RedisConfigurationError.badScheme), ("redis://", .badHost), ("redis://:1", .badHost),
        ("redis://h:0", .badPort), ("redis://h:70000", .badPort), ("redis://h:x", .badPort),
        ("redis://h/x", .badDatabase),
        ("redis://h/-1", .badDatabase), ("redis://%zz@h", .badPercentEncoding), ("redis://%4", .badPercentEncoding),
        ("redis://[::1", .badHost), ("redis://[::1]x", .badPort),
    ])
    func badURLsAreRefused(_ url: String, _ error: RedisConfigurationError) {
        #expect(throws: error) { try RedisConfiguration(url: url) }
    }

    @Test func thePasswordIsNeverShown() throws {
        let configuration = try RedisConfiguration(url: "redis://u:hunter2@h:1/2")
        var dumped = ""
        dump([configuration], to: &dumped)
        for text in [
            "\(configuration)", String(reflecting: configuration), "\(Optional(configuration) as Any)", dumped,
        ] {
            #expect(!text.contains("hunter2"))
        }
    }

    @Test func errorsSayNothingOfArgumentsUnlessAskedForAll() {
        let error = RedisError(RedisServerError(message: "ERR unknown command 'x', with args 'secret'"))
        #expect(error.code == .server(prefix: "ERR"))
        #expect(!"\(error)".contains("secret"))
        #expect(String(reflecting: error).contains("secret"))
        #expect(!error.isUnavailable)
        #expect(RedisError(RedisServerError(message: "LOADING Redis is loading")).isUnavailable)
    }
}
