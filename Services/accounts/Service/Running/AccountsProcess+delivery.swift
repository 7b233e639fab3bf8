import AccountsDomain
import AsyncHTTPClient
import Events
import Identity
import Logging
import NIOCore
import NIOPosix
import Postgres
import ServiceKit
import ServiceLifecycle

extension AccountsProcess {
    /// How messages leave.
    static func transports(_ settings: AccountsSettings) -> Transports {
        let format = MailText(
            from: settings.mailFrom, domain: String(settings.mailFrom.drop { $0 != "@" }.dropFirst()))
        let mail: Transport<Mail> =
            switch settings.mail {
            case .file(let folder): FileTransport.mail(folder, format)
            case .smtp(let server): SMTPTransport(server, format).transport
            }
        let sms: Transport<SMS>
        switch settings.sms {
        case .file(let folder): sms = FileTransport.sms(folder)
        case .twilio(let account):
            // A redirect would hand the credentials to somebody else.
            let client = HTTPClient(
                configuration: .init(
                    redirectConfiguration: .disallow, timeout: .init(connect: .seconds(5), read: .seconds(20))))
            var transport = TwilioTransport(account: account, client: client).transport
            transport.services = [ClientLifetime(client: client)]
            sms = transport
        }
        return Transports(mail: mail, sms: sms)
    }

    /// What sends messages, in the order of its start.
    static func delivery(
        _ transports: Transports, queue: DeliveryQueue, postgres: PostgresClient, templates: MessageTemplates,
        clocks: ZoneClocks, logger: Logger, now: @escaping @Sendable () -> Instant
    ) -> [any Service] {
        let ways: [Outgoing] = [
            .mail(transports.mail, templates, clocks), .sms(transports.sms, templates, clocks, now: now),
        ]
        let workers = ways.map { DeliveryWorker($0, queue: queue, postgres: postgres, logger: logger, now: now) }
        return transports.mail.services + transports.sms.services + workers
    }

    /// What tells of what happens at the other services, in the order of its start.
    static func consumers(
        _ settings: AccountsSettings, queue: DeliveryQueue, postgres: PostgresClient, logger: Logger,
        now: @escaping @Sendable () -> Instant
    ) -> [any Service] {
        let notifications = Notifications(queue: queue, now: now)
        let client = HTTPClient(configuration: InternalClient.httpConfiguration)
        let consumers = [("heroes", settings.heroesURLs), ("calls", settings.callsURLs)].map { source, addresses in
            EventConsumer(
                of: source, schema: AccountsSchema.name, postgres: postgres, redis: settings.redis,
                eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
                owner: InternalClient(
                    name: "accounts", addresses: addresses, seal: IdentitySeal(settings.secret), http: client),
                handlers: notifications.handlers(for: source), logger: logger,
                onCommit: { _ in queue.wake() })
        }
        return [ClientLifetime(client: client)] + consumers
    }
}
