# The worker: evalX and the toolchains of its boxes, on Debian.
#
#   docker build -f images/worker.Dockerfile -t evalx:0.1.0 .
#
# RUST, DEBIAN   the builder, and what the toolchains are installed on; both of one architecture
#                (`--platform`, or other images) and of one Debian
# TIER           core: C, C++, Python, Java, JavaScript, Go, Rust, Bash; full: all languages
# ISOLATE        none: evalX's own engine only;
#                repository: isolate as well, from its author's packages, of
#                ISOLATE_REPOSITORY, ISOLATE_SUITE and ISOLATE_KEY;
#                package: isolate as well, from the *.deb in images/packages/
# VERSION, REVISION, SOURCE, CREATED   for the labels
#
# Needs no BuildKit.
ARG RUST=rust:1.95-slim-bookworm
ARG DEBIAN=debian:bookworm-slim

FROM ${RUST} AS build
WORKDIR /src
COPY . .
# The same program from the same sources: no paths of the builder, no symbols.
RUN RUSTFLAGS="--remap-path-prefix=/src=evalx --remap-path-prefix=${CARGO_HOME:-/usr/local/cargo}=cargo -C strip=symbols" \
      cargo build --release --locked -p evalx

FROM ${DEBIAN}
ARG TIER=core
ARG ISOLATE=none
ARG ISOLATE_REPOSITORY=https://www.ucw.cz/isolate/debian/
ARG ISOLATE_SUITE=bookworm-isolate
ARG ISOLATE_KEY=https://www.ucw.cz/isolate/debian/signing-key.asc
# Each in a layer of its own: what changes less often first.
COPY scripts/toolchains /usr/share/evalx/toolchains
RUN set -eu; \
    apt-get update; \
    apt-get install -y --no-install-recommends ca-certificates; \
    /usr/share/evalx/toolchains "${TIER}"; \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log
COPY images/packages/ images/install-isolate /usr/share/evalx/packages/
RUN /usr/share/evalx/packages/install-isolate \
      "${ISOLATE}" "${ISOLATE_REPOSITORY}" "${ISOLATE_SUITE}" "${ISOLATE_KEY}" && \
    rm -rf /usr/share/evalx/packages
# What is in the image, for the worker to report.
COPY images/describe /usr/share/evalx/describe
RUN /usr/share/evalx/describe "${TIER}" "${ISOLATE}" > /usr/share/evalx/image
COPY --from=build /src/target/release/evalx /usr/local/bin/evalx
ARG VERSION=0.1.0
ARG REVISION=
ARG SOURCE=
ARG CREATED=
LABEL org.opencontainers.image.title="evalx" \
      org.opencontainers.image.description="evalX's worker, with toolchains" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.created="${CREATED}" \
      dev.evalx.tier="${TIER}" \
      dev.evalx.isolate="${ISOLATE}"
# Of the probes and metrics.
EXPOSE 9464
# Namespaces, control groups and mounts of the boxes are root's; what is judged never is.
CMD ["evalx", "worker"]
