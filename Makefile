SHELL := /bin/bash

.PHONY: test lint format

test:
	@scripts/install-dependencies
	swift build --build-tests
	swift test --skip-build

lint:
	@scripts/install-dependencies --with-lint
	swift format lint --strict --recursive Package.swift Shared Services Tests Benchmarks
	shellcheck scripts/* .ci/run

format:
	swift format --in-place --recursive Package.swift Shared Services Tests Benchmarks
