import Foundation
import TestKit

/// nginx, as the services behind a gateway and as the gateway to be measured against.
struct Nginx {
    let process: RunningProcess

    /// Starts nginx with a server block or several.
    static func start(workers: Int, _ http: String, port: Int) async throws -> Nginx {
        let folder = try await temporaryFolder("nginx")
        let user = geteuid() == 0 ? "user root;" : ""
        let configuration = """
            \(user)
            daemon off;
            worker_processes \(workers);
            worker_rlimit_nofile 65536;
            pid \(folder.path)/pid;
            error_log \(folder.path)/error warn;
            events { worker_connections 16384; }
            http {
                client_body_temp_path \(folder.path)/body;
                proxy_temp_path \(folder.path)/proxy;
                fastcgi_temp_path \(folder.path)/fastcgi;
                uwsgi_temp_path \(folder.path)/uwsgi;
                scgi_temp_path \(folder.path)/scgi;
                # The defaults (a thousand requests to a connection) would have it make connections anew.
                keepalive_requests 1000000000;
                tcp_nodelay on;
                \(http.replacingOccurrences(of: "FOLDER", with: folder.path))
            }
            """
        let file = folder.appendingPathComponent("nginx.conf")
        try Data(configuration.utf8).write(to: file)
        let process = try await RunningProcess.start(
            "/usr/sbin/nginx", ["-c", file.path, "-e", "\(folder.path)/error"], environment: [:])
        try await eventually("nginx on port \(port)") {
            guard process.isRunning else { throw BenchFailed("nginx ended: \(process.output)") }
            return isListening(port)
        }
        return Nginx(process: process)
    }

    /// A service that answers every path with the same small document, and, on another port, an endpoint that says yes
    /// to every token, at once and from memory: the quickest that an installation of nginx could have.
    static func services(port: Int, authPort: Int, body: String, identity: String) async throws -> Nginx {
        try await start(
            workers: 2,
            """
            access_log off;
            server {
                listen 127.0.0.1:\(port) backlog=4096;
                location / { default_type application/json; return 200 '\(body)'; }
                location = /health/ready { return 200; }
            }
            server {
                listen 127.0.0.1:\(authPort) backlog=4096;
                location / { add_header x-techheroes-identity '\(identity)'; return 200; }
            }
            """, port: port)
    }

    /// What the gateway does, done by nginx: one subrequest for each request says whose the token is, what it says goes
    /// to the service in a field that clients can't set, connections are kept on both sides, each request is logged.
    static func gateway(port: Int, workers: Int, servicePort: Int, authPort: Int) async throws -> Nginx {
        try await start(
            workers: workers,
            """
            access_log FOLDER/access combined buffer=64k flush=1s;
            upstream service {
                server 127.0.0.1:\(servicePort);
                keepalive 256;
                keepalive_requests 1000000000;
            }
            upstream auth {
                server 127.0.0.1:\(authPort);
                keepalive 256;
                keepalive_requests 1000000000;
            }
            server {
                listen 127.0.0.1:\(port) backlog=4096;
                location /api/v1/ {
                    auth_request /auth;
                    auth_request_set $identity $upstream_http_x_techheroes_identity;
                    proxy_pass http://service;
                    proxy_http_version 1.1;
                    proxy_set_header Connection "";
                    proxy_set_header X-Techheroes-Identity $identity;
                    proxy_set_header X-Forwarded-For $remote_addr;
                    proxy_set_header X-Forwarded-Proto $scheme;
                    proxy_set_header X-Forwarded-Host $host;
                    proxy_set_header X-Request-Id $request_id;
                }
                location = /auth {
                    internal;
                    proxy_pass http://auth/token;
                    proxy_http_version 1.1;
                    proxy_set_header Connection "";
                    proxy_pass_request_body off;
                    proxy_set_header Content-Length "";
                }
            }
            """, port: port)
    }

    func stop() async throws {
        try await process.terminate()
    }
}

/// A measurement that can't be made.
struct BenchFailed: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
