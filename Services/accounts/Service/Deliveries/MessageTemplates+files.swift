extension MessageTemplates {
    /// The files of a message, which are compiled in; without HTML it is a text message.
    static func files(of kind: Message.Kind) -> (text: [UInt8], html: [UInt8]?) {
        typealias Files = PackageResources
        return switch kind {
        case .verifyEmail: (Files.verify_email_txt_mustache, Files.verify_email_html_mustache)
        case .emailChanged: (Files.email_changed_txt_mustache, Files.email_changed_html_mustache)
        case .resetPassword: (Files.reset_password_txt_mustache, Files.reset_password_html_mustache)
        case .verifyPhone: (Files.verify_phone_txt_mustache, nil)
        case .heroApplied: (Files.hero_applied_txt_mustache, Files.hero_applied_html_mustache)
        case .heroAccepted: (Files.hero_accepted_txt_mustache, Files.hero_accepted_html_mustache)
        case .heroDeclined: (Files.hero_declined_txt_mustache, Files.hero_declined_html_mustache)
        case .callRequested: (Files.call_requested_txt_mustache, Files.call_requested_html_mustache)
        case .callAccepted: (Files.call_accepted_txt_mustache, Files.call_accepted_html_mustache)
        case .callDeclined: (Files.call_declined_txt_mustache, Files.call_declined_html_mustache)
        case .timesSuggested: (Files.times_suggested_txt_mustache, Files.times_suggested_html_mustache)
        case .timeAgreed: (Files.time_agreed_txt_mustache, Files.time_agreed_html_mustache)
        case .callReminder: (Files.call_reminder_txt_mustache, Files.call_reminder_html_mustache)
        case .callReminderSMS: (Files.call_reminder_sms_txt_mustache, nil)
        }
    }
}
