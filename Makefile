# The commands of this project; `make` alone explains them.
SHELL := /bin/bash
CONFIGURATION ?= release

.PHONY: help run up down status logs staff demo-data test lint format bench soak sanitize compat-test compose-test

help:
	@echo "make run              build and run everything here, on a private Postgres and Redis; Ctrl-C stops it"
	@echo "make up               the same in the background; returns when all is ready"
	@echo "make down             stop what runs in STACK_HOME"
	@echo "make status           what runs in STACK_HOME"
	@echo "make logs             follow the logs"
	@echo "make staff EMAIL=...  make a user staff"
	@echo "make demo-data N=...  add N heroes (1000) with users and call requests to what runs"
	@echo "make test             all tests, on servers that they start themselves"
	@echo "make lint             formatter and shellcheck"
	@echo "make format           format the sources"
	@echo "make bench            measure beside pgbench, redis-benchmark, nginx and Go"
	@echo "make soak             100,000 events while everything that carries them is killed; none may be lost;"
	@echo "                      and 1,000 rounds of 200 callers who race for the same calls"
	@echo "make sanitize         the tests of what is shared, of the gateway and of calls under the address sanitizer"
	@echo "make compat-test      the stories with one service of the previous release beside the new ones, and the reverse"
	@echo "make compose-test     build the images, run docker-compose.yml, ill-treat it; COMPOSE and ENGINE name the commands"
	@echo "Settings come from the environment or .env: see .env.example."

run up down status logs:
	@CONFIGURATION=$(CONFIGURATION) scripts/stack $@

staff: export EMAIL := $(EMAIL)
staff:
	@CONFIGURATION=$(CONFIGURATION) scripts/stack staff "$$EMAIL"

demo-data: export N := $(N)
demo-data:
	@CONFIGURATION=$(CONFIGURATION) scripts/stack demo-data "$$N"

test:
	@scripts/install-dependencies --with-tests
	swift build --build-tests
	@# One after the other: the bounds of fault tests mean nothing while thirty of them share two cores.
	swift test --skip-build --no-parallel

lint:
	@scripts/install-dependencies --with-lint
	swift format lint --strict --recursive Package.swift Shared Services Tests Benchmarks
	shellcheck scripts/* .ci/run
	@! git ls-files --error-unmatch Package.resolved >/dev/null 2>&1 || { echo "Package.resolved is not kept here" >&2; exit 1; }

format:
	swift format --in-place --recursive Package.swift Shared Services Tests Benchmarks

bench:
	@scripts/install-dependencies --with-bench
	scripts/bench

soak:
	@scripts/install-dependencies
	scripts/soak

sanitize: export ASAN_OPTIONS := detect_leaks=0
sanitize:
	@scripts/install-dependencies --with-tests
	@# Addresses only: races can't be looked for, since the sanitizer does not see that Swift's Mutex locks (650 reports of
	@# what lies behind one). Nor leaks: Foundation's Process leaves some for every server that the tests start.
	swift build --build-tests --sanitize=address --scratch-path .build-sanitize
	swift test --skip-build --no-parallel --sanitize=address --scratch-path .build-sanitize \
		--filter '^(Postgres|Redis|Identity|ServiceKit|Events|Idempotency|Gateway|CallsService)Tests\.'

compat-test:
	@scripts/install-dependencies
	scripts/compat-test

compose-test: export COMPOSE := $(COMPOSE)
compose-test: export ENGINE := $(ENGINE)
compose-test:
	python3 Tests/ComposeTests/compose_test.py
