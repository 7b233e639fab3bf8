#!/usr/bin/env python3
"""The installation of docker-compose.yml, built, started and used through its published port, then ill-treated.

    make compose-test [COMPOSE="docker compose"] [ENGINE=docker]

COMPOSE is the command that reads docker-compose.yml, ENGINE the one that knows single containers. It builds the four
images, tells the story of an account, a hero and a call, scales calls to three and reads from each one's own metrics
that it serves, kills one under load, restarts Redis and Postgres, and replaces every service one after the other under
load. Nothing that was acknowledged may be lost, and while services are replaced no request may fail. It needs nothing
but Python's own library, and removes what it made.
"""
import contextlib
import datetime
import http.client
import json
import os
import re
import secrets
import shlex
import socket
import subprocess
import sys
import threading
import time
import uuid

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMPOSE = shlex.split(os.environ.get("COMPOSE") or "docker compose")
ENGINE = shlex.split(os.environ.get("ENGINE") or "docker")
SERVICES = ["accounts", "heroes", "calls"]
PROCESSES = ["gateway", *SERVICES]
PORTS = {"gateway": 8080, "accounts": 8081, "heroes": 8082, "calls": 8083}
MEGABYTES = 150
SLIM = 75  # Debian's own bookworm-slim, in MB: what stands in for it elsewhere can be larger
WRITERS = 4


def say(text):
    print(text, flush=True)


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def wait_for(what, test, seconds=60):
    """The first true value of `test` within so many seconds."""
    end = time.monotonic() + seconds
    while True:
        value = test()
        if value:
            return value
        check(time.monotonic() < end, f"not within {seconds} s: {what}")
        time.sleep(0.2)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Installation:
    """The containers of one project, with secrets of its own."""

    def __init__(self):
        self.project = "techheroes" + secrets.token_hex(4)
        self.port = free_port()
        self.secrets = {
            name: secrets.token_hex(24)
            for name in [
                "SECRET_KEY", "REDIS_PASSWORD", "POSTGRES_PASSWORD", "ACCOUNTS_DATABASE_PASSWORD",
                "HEROES_DATABASE_PASSWORD", "CALLS_DATABASE_PASSWORD",
            ]
        }
        self.environment = {
            **os.environ, **self.secrets, "COMPOSE_PROJECT_NAME": self.project, "GATEWAY_PORT": str(self.port),
            "PUBLIC_URL": f"http://127.0.0.1:{self.port}", "RATE_LIMIT_ENABLED": "false",
            "WEB_DOMAIN": "localhost", "PAYMENTS": "sandbox", "MAIL_URL": "file:/var/lib/techheroes/mail",
            "SMS_URL": "file:/var/lib/techheroes/sms",
        }
        self.scale = {}
        self.said = ""  # by the last `up`, for whoever looks at a failure

    def run(self, command, check_exit=True, timeout=3600):
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=timeout, check=False)
        if check_exit and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        return done.stdout + (done.stderr if "up" in command else "")

    def compose(self, *arguments, **options):
        return self.run([*COMPOSE, *arguments], **options)

    def engine(self, *arguments, **options):
        return self.run([*ENGINE, *arguments], **options)

    def up(self, **scale):
        """Starts what does not run, with so many replicas; what runs stays as it is."""
        for name, number in scale.items():
            # To the end: podman-compose hears the last `--scale` only.
            self.scale.pop(name, None)
            self.scale[name] = number
        scales = [part for name, number in self.scale.items() for part in ("--scale", f"{name}={number}")]
        self.said = self.compose("up", "-d", "--no-build", *scales)

    def containers(self, service):
        """The ids of those that run, oldest first."""
        ids = self.engine(
            "ps", "-q", "--no-trunc", "--filter", f"label=com.docker.compose.project={self.project}",
            "--filter", f"label=com.docker.compose.service={service}").split()
        created = {i: self.engine("inspect", "--format", "{{.Created}}", i).strip() for i in ids}
        return sorted(ids, key=created.get)

    def one(self, service):
        return self.containers(service)[0]

    def execute(self, container, *command, **options):
        return self.engine("exec", container, *command, **options)

    def is_healthy(self, container):
        """What HEALTHCHECK would find: the binary's own answer."""
        command = [*ENGINE, "exec", container, "/usr/local/bin/service", "health"]
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0

    def ready(self, service, number=1):
        """Waits until so many are healthy."""
        return wait_for(
            f"{number} healthy of {service}",
            lambda: (ids := self.containers(service)) and len(ids) == number and all(map(self.is_healthy, ids)) and ids,
            120)

    def remove(self, container):
        """Ends one as an operator does: SIGTERM, and time to finish."""
        self.engine("stop", "-t", "40", container)
        code = self.engine("inspect", "--format", "{{.State.ExitCode}}", container).strip()
        check(code == "0", f"a service that was told to end left with {code}")
        self.engine("rm", container)

    def metrics(self, container, service):
        """The metrics of one container, asked for from inside: their port is not published."""
        request = "GET /metrics HTTP/1.1\\r\\nhost: localhost\\r\\nconnection: close\\r\\n\\r\\n"
        script = f"exec 3<>/dev/tcp/127.0.0.1/{PORTS[service] + 1000}; printf '{request}' >&3; cat <&3"
        return self.execute(container, "bash", "-c", script)

    def served(self, container, service):
        """How many requests of clients it has answered."""
        lines = [
            line for line in self.metrics(container, service).splitlines()
            if line.startswith("http_server_requests_total{") and "/call-requests" in line
        ]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def sql(self, statement):
        return self.execute(self.one("postgres"), "psql", "-U", "postgres", "-d", "techheroes", "-AtqX", "-c", statement)

    def messages(self, kind):
        """All mail or SMS that accounts has written, the latest first."""
        script = f"ls -t /var/lib/techheroes/{kind}/* | while read -r f; do cat \"$f\"; printf '\\n--next--\\n'; done"
        return self.execute(self.one("accounts"), "bash", "-c", script, check_exit=False).split("\n--next--\n")

    def logs(self):
        ids = self.engine("ps", "-aq", "--filter", f"label=com.docker.compose.project={self.project}").split()
        text = ""
        for container in ids:
            done = subprocess.run(
                [*ENGINE, "logs", container], capture_output=True, text=True, errors="replace", check=False)
            text += done.stdout + done.stderr
        return text


class Answer:
    def __init__(self, status, body, headers):
        self.status, self.body, self.headers = status, body, headers

    @property
    def json(self):
        return json.loads(self.body)


class Client:
    """One keep-alive connection to where `address` says the gateway is at the moment."""

    def __init__(self, address):
        self.address, self.connected, self.connection = address, None, None

    def ask(self, method, path, token=None, body=None, key=None):
        """One request on the wire, never repeated. - Raises: OSError or HTTPException when it got no answer."""
        if self.connected != self.address():
            self.close()
            self.connected = self.address()
            self.connection = http.client.HTTPConnection("127.0.0.1", self.connected, timeout=30)
        headers = {"content-type": "application/json"}
        if token:
            headers["authorization"] = f"Token {token}"
        if key:
            headers["idempotency-key"] = key
        try:
            self.connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = self.connection.getresponse()
            return Answer(answer.status, answer.read(), answer.headers)
        except BaseException:
            self.close()
            raise

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = self.connected = None


class People:
    """Makes those who take part, through the published port."""

    def __init__(self, installation):
        self.installation = installation
        self.client = Client(lambda: installation.port)
        self.known = []  # what no log may show
        self.staff = None

    def ask(self, expected, *arguments, **options):
        answer = self.client.ask(*arguments, **options)
        check(answer.status == expected, f"{arguments[:2]}: {answer.status} {answer.body[:500]}")
        return answer.json if answer.body else None

    def code(self, kind, pattern, to):
        def look():
            for message in self.installation.messages(kind):
                if to in message and (found := re.search(pattern, message.replace("=\n", ""))):
                    return found.group(1)
            return None
        code = wait_for(f"a message to {to}", look, 20)
        self.known.append(code)
        return code

    def member(self, first_name="Ada"):
        email = f"{secrets.token_hex(8)}@example.com"
        password = "pass1" + secrets.token_hex(6)
        user = self.ask(201, "POST", "/api/v1/accounts/register", body={
            "first_name": first_name, "last_name": "Lovelace", "email": email, "password": password,
            "timezone": "Europe/Paris"})
        self.known += [user["token"], email, password]
        code = self.code("mail", r"/verify-email/([a-z0-9]{10})\b", email)
        self.ask(200, "POST", "/api/v1/accounts/verify-email", user["token"], {"token": code})
        return user

    def customer(self):
        user = self.member()
        number = "2" + "".join(secrets.choice("23456789") for _ in range(9))
        self.ask(200, "PATCH", "/api/v1/accounts/profile", user["token"], {"phone": number})
        code = self.code("sms", r"\b([a-z0-9]{6})\b", number)
        self.known.append(number)
        self.ask(200, "POST", "/api/v1/accounts/verify-phone", user["token"], {"token": code})
        self.ask(200, "POST", "/api/v1/accounts/payment-method", user["token"], {"payment_method": "pm_card_visa"})
        return user

    def hero(self):
        if not self.staff:
            self.staff = self.member("Staff")
            self.installation.execute(
                self.installation.one("accounts"), "/usr/local/bin/service", "staff", "grant", self.staff["email"])
        user = self.member("Grace")
        user["hero"] = self.ask(201, "POST", "/api/v1/heroes/apply", user["token"], {
            "discipline": "BE", "title": "Compilers", "description": "How to build one", "position": "Admiral",
            "company": "Navy", "short_bio": "Wrote the first", "years_of_exp": 30, "rate_in_cents": 500,
            "linkedin_url": "https://example.com/grace"})
        self.ask(200, "POST", "/api/v1/heroes/accept", self.staff["token"], {"hero_id": user["hero"]["id"]})
        return user


def slots(hours):
    start = datetime.datetime.now(datetime.timezone.utc).replace(minute=0, second=0, microsecond=0)
    return {
        name: (start + datetime.timedelta(hours=hours + at)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        for at, name in enumerate(["time_one", "time_two", "time_three"])
    }


def story(people):
    """An account, a hero and a call, from the first request to the agreed time."""
    customer, hero = people.customer(), people.hero()
    listed = people.ask(200, "GET", "/api/v1/heroes/")
    check(hero["hero"]["id"] in [found["id"] for found in listed["results"]], "the new hero is not listed")
    request = people.ask(200, "POST", "/api/v1/call-requests/", customer["token"], {
        "hero_id": hero["hero"]["id"], "message": "Help", "estimated_length": 15})
    path = f"/api/v1/call-requests/{request['id']}"
    people.ask(200, "PATCH", f"{path}/accept/", hero["token"], slots(24))
    times = slots(48)
    people.ask(200, "PATCH", f"{path}/new-times/", customer["token"], times)
    agreed = people.ask(200, "PATCH", f"{path}/agreed-time/", hero["token"], {"agreed_time": times["time_two"]})
    check(agreed["agreed_time"] == times["time_two"], f"agreed on {agreed['agreed_time']}")
    # The services know of each other by events alone: a mail of calls' event shows that they arrive.
    wait_for("a mail about the call", lambda: any(
        hero["email"] in mail and "agreed" in mail.lower() for mail in people.installation.messages("mail")), 20)


class Load:
    """Writers and readers that go on until told; what was acknowledged is written down, and every failure."""

    def __init__(self, installation, people):
        self.installation = installation
        self.port = installation.port
        self.lock = threading.Lock()
        self.requests = {}  # id of each acknowledged request for a call, and its key
        self.rates = {}  # the last acknowledged rate of each hero
        self.registered = []
        self.failures, self.wrong, self.counts = [], [], {}
        self.stopping = threading.Event()
        self.pairs = [(people.customer(), people.hero()) for _ in range(WRITERS)]
        work = [lambda client, pair=pair: self.negotiate(client, *pair) for pair in self.pairs]
        work += [lambda client, hero=hero: self.rename(client, hero) for _, hero in self.pairs[:1]]
        work += [self.register, self.read, self.browse]
        self.threads = [threading.Thread(target=self.loop, args=(one,), daemon=True) for one in work]

    @contextlib.contextmanager
    def running(self):
        for thread in self.threads:
            thread.start()
        try:
            yield
        finally:
            self.stopping.set()
            for thread in self.threads:
                thread.join(60)

    def loop(self, work):
        client = Client(lambda: self.port)
        while not self.stopping.is_set():
            try:
                work(client)
            except Exception as error:  # pylint: disable=broad-except
                with self.lock:
                    self.wrong.append(repr(error))
                time.sleep(0.2)

    def once(self, client, name, expected, *arguments, **options):
        """One request. - Returns: its answer when it is the expected one, else nil after it was written down."""
        try:
            answer = client.ask(*arguments, **options)
        except (OSError, http.client.HTTPException) as error:
            answer, status = None, repr(error)
        else:
            status = answer.status
        with self.lock:
            self.counts[name] = self.counts.get(name, 0) + (status == expected)
            if status != expected:
                self.failures.append((name, status))
                if status not in (502, 503, 504) and not isinstance(status, str):
                    self.wrong.append(f"{name}: {status} {answer.body[:300]}")
        if status == expected:
            return answer
        time.sleep(0.05)
        return None

    def acknowledged(self, client, name, expected, method, path, token, body):
        """A write, repeated with its key until it is acknowledged. - Returns: the answer, or nil at the end of the load."""
        key = str(uuid.uuid4())
        while True:
            answer = self.once(client, name, expected, method, path, token, body, key)
            if answer or self.stopping.is_set():
                return answer

    def negotiate(self, client, customer, hero):
        answer = self.acknowledged(client, "ask", 200, "POST", "/api/v1/call-requests/", customer["token"], {
            "hero_id": hero["hero"]["id"], "message": "Help", "estimated_length": 15})
        if not answer:
            return
        number = answer.json["id"]
        with self.lock:
            if self.requests.setdefault(number, customer["id"]) != customer["id"]:
                self.wrong.append(f"request {number} was acknowledged to two")
        self.acknowledged(
            client, "decline", 200, "PATCH", f"/api/v1/call-requests/{number}/decline/", hero["token"], {"reason": "No"})

    def rename(self, client, hero):
        rate = 100 + len(self.failures) + sum(self.counts.values()) % 900
        answer = self.acknowledged(
            client, "rate", 200, "PATCH", "/api/v1/heroes/profile", hero["token"], {"rate_in_cents": rate})
        if answer:
            self.rates[hero["hero"]["id"]] = rate

    def register(self, client):
        email = f"{secrets.token_hex(8)}@example.com"
        try:
            answer = client.ask("POST", "/api/v1/accounts/register", body={
                "first_name": "New", "last_name": "Person", "email": email, "password": "password1"})
            status = answer.status
        except (OSError, http.client.HTTPException) as error:
            status = repr(error)
        with self.lock:
            self.counts["register"] = self.counts.get("register", 0) + (status == 201)
            if status == 201:
                self.registered.append(email)
            else:
                self.failures.append(("register", status))
        time.sleep(0.3)

    def read(self, client):
        self.once(client, "profile", 200, "GET", "/api/v1/accounts/profile", self.pairs[0][0]["token"])
        self.once(client, "calls", 200, "GET", "/api/v1/call-requests/", self.pairs[0][1]["token"])

    def browse(self, client):
        self.once(client, "heroes", 200, "GET", "/api/v1/heroes/")

    def flows(self, when):
        """Waits until every kind of request is answered again, from now on."""
        with self.lock:
            self.counts.clear()
        wait_for(f"requests of all kinds answered {when}", lambda: len(self.counts) == 7 and min(self.counts.values()) >= 5)

    def forget_failures(self):
        with self.lock:
            failures, self.failures = self.failures, []
        return failures


def verify(installation, load):
    """Everything that was acknowledged is in the database, and no request is there twice."""
    stored = set(map(int, installation.sql("SELECT id FROM calls.requests").split()))
    check(load.requests and not set(load.requests) - stored, f"lost: {sorted(set(load.requests) - stored)[:10]}")
    # One for each writer may have been stored and not acknowledged at the end; the story's is there too.
    unknown = stored - set(load.requests)
    check(len(unknown) <= WRITERS + 1, f"stored and never acknowledged: {sorted(unknown)[:10]}")
    emails = set(installation.sql("SELECT email FROM accounts.users").split())
    check(load.registered and not set(load.registered) - emails, "an acknowledged registration is lost")
    for hero, rate in load.rates.items():
        kept = int(installation.sql(f"SELECT rate_in_cents FROM heroes.heroes WHERE id = {hero}"))
        check(kept == rate, f"hero {hero} costs {kept}, acknowledged {rate}")


def build(installation):
    """- Returns: what is larger than it may be."""
    missed = []
    base = int(installation.engine("image", "inspect", "--format", "{{.Size}}", "debian:bookworm-slim")) / 1e6
    for name in PROCESSES:
        start = time.monotonic()
        installation.compose("build", name)
        size = int(installation.engine("image", "inspect", "--format", "{{.Size}}", f"techheroes/{name}")) / 1e6
        size = size - base + SLIM
        say(f"image of {name}: {size:.0f} MB (its own layers and {SLIM} of bookworm-slim), "
            f"built in {time.monotonic() - start:.0f} s")
        if size > MEGABYTES:
            missed.append(f"the image of {name} has {size:.0f} MB, more than {MEGABYTES}")
        user = installation.engine("image", "inspect", "--format", "{{.Config.User}}", f"techheroes/{name}").strip()
        check(user not in ("", "0", "root", "0:0"), f"{name} runs as {user or 'root'}")
    return missed


def scaled(installation, load):
    installation.up(calls=3)
    replicas = installation.ready("calls", 3)
    load.flows("with three replicas of calls")
    before = {replica: installation.served(replica, "calls") for replica in replicas}
    load.flows("by all three")
    wait_for("requests served by each replica", lambda: all(
        installation.served(replica, "calls") > before[replica] for replica in replicas))
    counts = [int(installation.served(replica, "calls")) for replica in replicas]
    say(f"three replicas of calls have served {counts} requests by their own metrics")
    failures = load.forget_failures()
    check(not failures, f"scaling failed requests: {failures[:10]}")


def killed(installation, load):
    victim = installation.ready("calls", 3)[1]
    installation.engine("kill", "-s", "KILL", victim)
    load.flows("by two")
    failures = load.forget_failures()
    say(f"kill -9 of a replica failed {len(failures)} requests of those in flight: {failures}")
    check(len(failures) <= WRITERS, "more failed than can have been in flight")
    check(not [name for name, _ in failures if name in ("profile", "calls", "heroes")], "a GET saw the kill")
    installation.engine("start", victim)
    installation.ready("calls", 3)
    load.flows("by three again")
    check(not load.forget_failures(), "requests failed when the replica came back")


def restarted(installation, load, server):
    starts = {name: installation.containers(name) for name in PROCESSES}
    installation.engine("restart", "-t", "20", installation.one(server))
    load.flows(f"after a restart of {server}")
    failures = load.forget_failures()
    say(f"a restart of {server} was seen by {len(failures)} requests: {sorted({str(status) for _, status in failures})}")
    check(all(status in (502, 503, 504) for _, status in failures), f"other than 50x: {failures[:10]}")
    check(starts == {name: installation.containers(name) for name in PROCESSES}, "a service did not outlive it")


def replaced(installation, load, service):
    """A new container of the service for each old one, one after the other."""
    number = max(2, installation.scale.get(service, 1))
    usual = installation.scale.get(service, 1)
    installation.up(**{service: number})
    old = installation.ready(service, number)[:usual]
    for container in old:
        load.flows(f"before one of {service} ends")
        installation.remove(container)
        installation.up(**{service: number})
        installation.ready(service, number)
        load.flows(f"after one of {service} was replaced")
    for surplus in installation.ready(service, number)[: number - usual]:
        installation.remove(surplus)
    installation.scale[service] = usual
    load.flows(f"by the new {service}")
    failures = load.forget_failures()
    say(f"replacing {service} failed {len(failures)} requests")
    check(not failures, f"{failures[:10]}")


def replaced_gateway(installation, load):
    """A second gateway on a port of its own takes over while the first is replaced, as a balancer would have it."""
    old, port = installation.one("gateway"), free_port()
    second = f"{installation.project}-gateway-second"
    installation.compose("run", "-d", "--no-deps", "--name", second, "-p", f"{port}:8080", "gateway", "serve")
    wait_for("the second gateway", lambda: installation.is_healthy(second))
    load.port = port
    load.flows("through the second gateway")
    installation.remove(old)
    installation.up()
    wait_for("the new gateway", lambda: any(
        installation.is_healthy(one) for one in installation.containers("gateway")
        if not installation.engine("inspect", "--format", "{{.Name}}", one).strip().endswith("second")))
    load.port = installation.port
    load.flows("through the new gateway")
    installation.remove(second)
    load.flows("after the second gateway is gone")
    failures = load.forget_failures()
    say(f"replacing the gateway failed {len(failures)} requests")
    check(not failures, f"{failures[:10]}")


def no_secrets(installation, people):
    logs = installation.logs()
    check("request" in logs, "there are no logs")
    for secret in [*installation.secrets.values(), *people.known]:
        check(not re.search(rf"\b{re.escape(secret)}\b", logs), "a log shows a secret, a code or an address")
    say(f"{len(logs.splitlines())} lines of logs show none of {len(installation.secrets) + len(people.known)} secrets")


def main():
    installation = Installation()
    try:
        missed = build(installation)
        installation.up()
        for name in PROCESSES:
            installation.ready(name)
        say("all are healthy")
        people = People(installation)
        story(people)
        say("the story of an account, a hero and a call passes")
        load = Load(installation, people)
        with load.running():
            load.flows("at first")
            scaled(installation, load)
            killed(installation, load)
            restarted(installation, load, "redis")
            restarted(installation, load, "postgres")
            for service in SERVICES:
                replaced(installation, load, service)
            replaced_gateway(installation, load)
        check(not load.wrong, f"answers that may not be: {load.wrong[:10]}")
        verify(installation, load)
        say(f"{len(load.requests)} requests for calls and {len(load.registered)} registrations acknowledged, none lost")
        no_secrets(installation, people)
        check(not missed, f"all else holds, but {missed}")
        say("compose-test: passed")
    except BaseException:
        log = os.path.join("/tmp", f"{installation.project}.log")
        with open(log, "w", encoding="utf-8") as file:
            file.write(installation.said + installation.logs())
        print(f"compose-test: failed; the containers' logs are in {log}", file=sys.stderr)
        raise
    finally:
        if not os.environ.get("KEEP"):
            extra = installation.engine(
                "ps", "-aq", "--filter", f"name={installation.project}-gateway-second", check_exit=False).split()
            for container in extra:
                installation.engine("rm", "-f", container, check_exit=False)
            installation.compose("down", "-v", check_exit=False)


if __name__ == "__main__":
    main()
