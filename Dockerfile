# The image of statusquo: one binary, one writable directory.
#
#   docker build -t statusquo:0.1.0 .
#
# The first build takes 10 to 20 minutes: it compiles RocksDB and librdkafka. A change below src/ compiles
# statusquo alone. Both stages have the same Debian release: the binary uses its OpenSSL and its C++ library.

FROM rust:1-bookworm AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# What scripts/install-packages installs for a build. Versions come from the base image's release.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        clang cmake gcc libclang-dev libcurl4-openssl-dev libssl-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build

# A program that does nothing pulls in every dependency. This layer stays until one of these files changes.
COPY .cargo .cargo
COPY Cargo.toml Cargo.lock ./
RUN mkdir src \
    && echo 'fn main() {}' > src/main.rs \
    && touch src/lib.rs \
    && cargo build --release --locked --bin statusquo

COPY config config
COPY src src
# Files keep their times, which may lie before the build above; cargo goes by time.
RUN touch src/main.rs src/lib.rs \
    && cargo build --release --locked --bin statusquo

FROM debian:bookworm-slim
# RocksDB, librdkafka and curl are inside the binary; OpenSSL and the C++ library are not.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libssl3 libstdc++6 \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o 65532 -g 65532 -m 0750 /var/lib/statusquo
COPY --from=build /build/target/release/statusquo /usr/local/bin/statusquo
COPY deploy/docker/statusquo.toml /etc/statusquo/statusquo.toml

# Every command finds the configuration, `docker exec ... statusquo status` too. The directory is set here, so
# that whoever mounts a configuration of their own need not know which one is the volume.
ENV STATUSQUO_CONFIG=/etc/statusquo/statusquo.toml \
    STATUSQUO__DATA_DIR=/var/lib/statusquo
VOLUME /var/lib/statusquo
WORKDIR /var/lib/statusquo
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
# Data; probes and metrics.
EXPOSE 8080 8081
# SIGTERM starts a clean stop, bounded by `shutdown.grace` (25 s): give `docker stop` more, such as `-t 30`.
STOPSIGNAL SIGTERM
# Alive, not ready: a view that restores for an hour is no reason for a restart.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["statusquo", "healthcheck"]
ENTRYPOINT ["statusquo"]
CMD ["serve"]

# Last, so that a new version does not repeat the layers above.
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="statusquo" \
      org.opencontainers.image.description="The current state of your Kafka topics, over HTTP" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
