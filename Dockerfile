# One image for each service: docker build --build-arg SERVICE=accounts .
#
# What the build made is kept between builds in a cache of the builder's, shared by the four images: dependencies are built
# once, and a change in one service builds that service anew and nothing else. No layer holds them: a builder that
# keeps no cache mounts compiles everything for each image.

FROM swift:6.3-bookworm AS build
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        libpq-dev libhiredis-dev libssl-dev libcurl4-openssl-dev pkg-config >/dev/null \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Package.swift ./
COPY scripts/container-build scripts/
COPY Shared Shared
ARG SERVICE
COPY Services/$SERVICE Services/$SERVICE
RUN --mount=type=cache,id=techheroes-build,target=/src/.build,sharing=locked scripts/container-build "$SERVICE"

FROM debian:bookworm-slim
ARG SERVICE
# Time zones are for accounts, which writes times in its readers' own.
RUN apt-get update -qq \
    && libraries="libpq5 libhiredis0.14 libssl3 libstdc++6 ca-certificates" \
    && if [ "$SERVICE" = accounts ]; then libraries="$libraries libcurl4 tzdata"; fi \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $libraries >/dev/null \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* \
    && useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin techheroes \
    && install -d -o techheroes -g techheroes /var/lib/techheroes
COPY --from=build /out/$SERVICE /usr/local/bin/$SERVICE
RUN ln -s "/usr/local/bin/$SERVICE" /usr/local/bin/service
USER 10001:10001
WORKDIR /var/lib/techheroes
# By itself as PID 1: it handles SIGTERM. Only accounts starts children (`accounts hash`), and reaps them.
ENTRYPOINT ["/usr/local/bin/service"]
CMD ["serve"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 CMD ["/usr/local/bin/service", "health"]
