import Postgres
import Redis

extension PostgresError: UnavailableError {}
extension RedisError: UnavailableError {}
