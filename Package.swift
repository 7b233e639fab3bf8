// swift-tools-version: 6.1
import Foundation
import PackageDescription

// Warnings are errors in CI; a newcomer's newer compiler should not stop them from building.
let strict: [SwiftSetting] =
    ProcessInfo.processInfo.environment["CI"] == nil ? [] : [.unsafeFlags(["-warnings-as-errors"])]

/// The toolchain's lld packs the relocations (3 MB of them otherwise), and nobody looks up symbols in an executable: 5 MB
/// less resident memory in each process, measured.
let smaller: LinkerSetting = .unsafeFlags(
    ["-use-ld=lld", "-Xlinker", "-z", "-Xlinker", "pack-relative-relocs", "-Xlinker", "--no-export-dynamic"],
    .when(platforms: [.linux], configuration: .release))

func domain(_ service: String) -> Target {
    .target(name: "\(service.capitalized)Domain", path: "Services/\(service)/Domain", swiftSettings: strict)
}

func service(_ service: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
    .target(
        name: "\(service.capitalized)Service", dependencies: dependencies, path: "Services/\(service)/Service",
        resources: resources, swiftSettings: strict)
}

func main(_ service: String, _ more: [Target.Dependency] = []) -> Target {
    .executableTarget(
        name: service,
        dependencies: [
            .byName(name: "\(service.capitalized)Service"), "ServiceKit",
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ] + more,
        path: "Services/\(service)/Main", swiftSettings: strict, linkerSettings: [smaller])
}

func shared(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: "Shared/\(name)", swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(name: "\(name)Tests", dependencies: dependencies, path: "Tests/\(name)Tests", swiftSettings: strict)
}

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
]
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let httpClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let configuration: Target.Dependency = .product(name: "Configuration", package: "swift-configuration")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let hummingbirdCore: Target.Dependency = .product(name: "HummingbirdCore", package: "hummingbird")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")

/// What a context is built with, beside its own domain.
let contextParts: [Target.Dependency] =
    ["Events", "Idempotency", "Identity", "Postgres", "Redis", "ServiceKit", hummingbird, httpClient, crypto]
    + [logging, metrics, lifecycle] + nio

let package = Package(
    name: "tech-heroes",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "gateway", targets: ["gateway"]),
        .executable(name: "accounts", targets: ["accounts"]),
        .executable(name: "heroes", targets: ["heroes"]),
        .executable(name: "calls", targets: ["calls"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.34.1"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        // Environment and `.env` only: its JSON reader needs all of Foundation (8 MB of memory in each process).
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        // Without its default traits: no full Foundation in a service (memory, start-up), and settings are read by ServiceKit.
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
    ],
    targets: [
        .systemLibrary(name: "CLibpq", path: "Shared/CLibpq", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(
            name: "CHiredis", path: "Shared/CHiredis", pkgConfig: "hiredis", providers: [.apt(["libhiredis-dev"])]),
        .systemLibrary(
            name: "COpenSSL", path: "Shared/COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(
            name: "CCurl", path: "Shared/CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),

        shared("Postgres", ["CLibpq", logging, metrics, lifecycle] + nio),
        shared("Redis", ["CHiredis", logging, metrics, lifecycle, nioSSL] + nio),
        shared("Identity", [crypto]),
        shared(
            "ServiceKit",
            [
                "Identity", "Postgres", "Redis", hummingbird, hummingbirdCore, httpTypes, nioHTTP1, logging, metrics,
                lifecycle, configuration, httpClient,
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ] + nio),
        shared("Events", ["Postgres", "Redis", "ServiceKit", hummingbird, logging, metrics, lifecycle] + nio),
        shared(
            "Idempotency",
            ["Postgres", "ServiceKit", "Identity", hummingbird, httpTypes, crypto, logging, lifecycle] + nio),
        shared("TestKit", ["Postgres", "Redis", "Identity", "ServiceKit", httpClient, logging] + nio),

        service("gateway", ["Identity", "Redis", "ServiceKit", nioHTTP1, logging, metrics, lifecycle] + nio),
        main("gateway"),

        domain("accounts"),
        service(
            "accounts",
            [
                "AccountsDomain", "CCurl", "COpenSSL", "CScheduling", "Events", "Idempotency", "Identity", "Postgres",
                "Redis",
                "ServiceKit", hummingbird, httpClient,
                crypto, logging, metrics, lifecycle,
                .product(name: "Mustache", package: "swift-mustache"),
            ] + nio, resources: [.embedInCode("Migrations"), .embedInCode("Templates")]),
        .target(name: "CScheduling", path: "Services/accounts/CScheduling"),
        .target(name: "NoLocales", path: "Services/accounts/NoLocales"),
        main("accounts", ["NoLocales"]),

        domain("heroes"),
        service("heroes", ["HeroesDomain"] + contextParts, resources: [.embedInCode("Migrations")]),
        main("heroes"),

        domain("calls"),
        service("calls", ["CallsDomain"] + contextParts, resources: [.embedInCode("Migrations")]),
        main("calls"),

        .target(
            name: "DemoData", dependencies: ["HeroesDomain", "Postgres", "ServiceKit", logging],
            path: "Benchmarks/DemoData", swiftSettings: strict),
        .executableTarget(
            name: "demo", dependencies: ["DemoData", "Postgres"], path: "Benchmarks/demo", swiftSettings: strict),
        .executableTarget(
            name: "bench",
            dependencies: [
                "DemoData", "Postgres", "Redis", "Identity", "TestKit", "AccountsService", "Events", "ServiceKit",
                nioHTTP1,
                httpClient, logging, lifecycle,
            ] + nio,
            path: "Benchmarks/bench", swiftSettings: strict),

        tests("Postgres", ["Postgres", "TestKit", .product(name: "NIOEmbedded", package: "swift-nio")] + nio),
        tests("Redis", ["Redis", "TestKit"]),
        tests("Identity", ["Identity"]),
        tests(
            "ServiceKit",
            ["ServiceKit", "TestKit", "Identity", hummingbird, httpTypes, logging, metrics, lifecycle, httpClient] + nio
        ),
        tests("Gateway", ["GatewayService", "TestKit", nioHTTP1]),
        tests("AccountsDomain", ["AccountsDomain"]),
        tests("HeroesDomain", ["HeroesDomain"]),
        tests("CallsDomain", ["CallsDomain"]),
        tests("Events", ["Events", "TestKit", httpClient, hummingbird, logging, lifecycle, metrics] + nio),
        tests("Idempotency", ["Idempotency", "Identity", "TestKit", hummingbird] + nio),
        tests("AccountsService", ["AccountsService", "TestKit", httpClient, hummingbird] + nio),
        tests("HeroesService", ["DemoData", "HeroesService", "TestKit", httpClient, hummingbird] + nio),
        tests("CallsService", ["CallsService", "TestKit", httpClient, hummingbird] + nio),
        tests("EndToEnd", ["TestKit", "Identity", "ServiceKit", httpClient, nioHTTP1] + nio),
    ],
    swiftLanguageModes: [.v6]
)
