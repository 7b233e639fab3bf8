import AccountsDomain
import ServiceLifecycle

/// What is done with a message of one channel once it is taken up: it is put into words and sent.
struct Outgoing: Sendable {
    let channel: MessageChannel
    /// How many may be on their way at once.
    let width: Int
    /// No try takes longer.
    let longestTry: Duration
    /// Returns once the message has left for good; throws ``DeliveryFailure`` when it has not.
    let send: @Sendable (_ message: Message, _ delivery: DeliveryID, _ written: Instant) async throws -> Void

    /// By mail.
    static func mail(_ transport: Transport<Mail>, _ templates: MessageTemplates, _ clocks: ZoneClocks) -> Outgoing {
        Outgoing(channel: .mail, width: transport.width, longestTry: transport.longestTry) {
            message, delivery, written in
            let clock = await clocks.clock(of: message)
            guard let mail = templates.mail(message, delivery, written: written, clock: clock) else { throw noTemplate }
            try await transport.send(mail)
        }
    }

    /// By SMS.
    static func sms(
        _ transport: Transport<SMS>, _ templates: MessageTemplates, _ clocks: ZoneClocks,
        now: @escaping @Sendable () -> Instant
    ) -> Outgoing {
        Outgoing(channel: .sms, width: transport.width, longestTry: transport.longestTry) { message, delivery, _ in
            let clock = await clocks.clock(of: message)
            guard let sms = templates.sms(message, delivery, at: now(), clock: clock) else { throw noTemplate }
            try await transport.send(sms)
        }
    }

    private static let noTemplate = DeliveryFailure(reason: "no template", isPermanent: true)
}

extension ZoneClocks {
    /// The clock of a message's reader.
    fileprivate func clock(of message: Message) async -> ZoneClock {
        guard let zone = message.subject?.zone else { return .utc }
        return await clock(of: TimeZoneName(stored: zone))
    }
}
