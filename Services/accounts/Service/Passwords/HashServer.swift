import CScheduling

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What a ``HashProcess`` does: answers one ``HashQuestion`` after the other on its standard input, a socket, and ends with
/// whoever asks.
public enum HashServer {
    /// What an answer begins with; after ``done`` comes the key.
    enum Outcome: UInt8 {
        case done
        /// Scrypt does not take such parameters.
        case refused
    }

    /// Returns when nobody can ask any more.
    public static func run() {
        // Told to all processes of a service, these mean the one who asks, who still has requests to answer.
        signal(SIGTERM, SIG_IGN)
        signal(SIGINT, SIG_IGN)
        #if canImport(Glibc)
        // What else whoever asks has open, should a library not have marked it, must not stay open because of this.
        closefrom(3)
        #endif
        scheduling_give_way()
        let socket = HashSocket(descriptor: STDIN_FILENO)
        while let head = socket.read(HashQuestion.headBytes), let rest = socket.read(HashQuestion.rest(after: head)),
            socket.write(answer(HashQuestion(head: head, rest: rest)))
        {}
    }

    private static func answer(_ question: HashQuestion) -> [UInt8] {
        do {
            return [Outcome.done.rawValue]
                + (try Scrypt.derive(
                    passphrase: question.passphrase, salt: question.salt, question.parameters, length: question.length))
        } catch {
            return [Outcome.refused.rawValue]
        }
    }
}
