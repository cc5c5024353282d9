# What needs no privilege, each in an image of its own that has nothing but the program, the
# libraries that it is linked to and the authorities of TLS:
#
#   docker build -f images/evalx.Dockerfile --target server   -t evalx-server:0.1.0 .
#   docker build -f images/evalx.Dockerfile --target operator -t evalx-operator:0.1.0 .
#
# RUST        the builder; the images are for its architecture (`--platform`, or another image)
# VERSION, REVISION, SOURCE, CREATED   for the labels
#
# Needs no BuildKit.
ARG RUST=rust:1.95-slim-bookworm

FROM ${RUST} AS build
WORKDIR /src
COPY . .
# The same program from the same sources: no paths of the builder, no symbols.
RUN RUSTFLAGS="--remap-path-prefix=/src=evalx --remap-path-prefix=${CARGO_HOME:-/usr/local/cargo}=cargo -C strip=symbols" \
      cargo build --release --locked -p evalx -p operator
# A root for each: the program where PATH has it, its libraries where its loader looks, and a folder
# for temporary files, should nothing be mounted there.
RUN set -eu; \
    for program in evalx evalx-operator; do \
      root=/root-of/$program; \
      install -D -m 755 "target/release/$program" "$root/usr/bin/$program"; \
      ldd "$root/usr/bin/$program" | grep -o '/[^ ]*' | while read -r library; do \
        install -D -m 755 "$library" "$root$library"; \
      done; \
      install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"; \
      printf 'nonroot:x:65532:65532::/:/sbin/nologin\n' > "$root/etc/passwd"; \
      printf 'hosts: files dns\n' > "$root/etc/nsswitch.conf"; \
      mkdir -m 1777 "$root/tmp"; \
      find "$root" -exec touch -h -d @0 {} +; \
    done

FROM scratch AS operator
ARG VERSION=0.1.0
ARG REVISION=
ARG SOURCE=
ARG CREATED=
LABEL org.opencontainers.image.title="evalx-operator" \
      org.opencontainers.image.description="Makes fleets of evalX workers of JudgeClusters" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.created="${CREATED}"
COPY --from=build /root-of/evalx-operator /
ENV PATH=/usr/bin
USER 65532:65532
ENTRYPOINT ["evalx-operator"]
CMD ["run"]

FROM scratch AS server
ARG VERSION=0.1.0
ARG REVISION=
ARG SOURCE=
ARG CREATED=
LABEL org.opencontainers.image.title="evalx-server" \
      org.opencontainers.image.description="evalX's HTTP service and command line" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.created="${CREATED}"
COPY --from=build /root-of/evalx /
ENV PATH=/usr/bin
USER 65532:65532
EXPOSE 2358
ENTRYPOINT ["evalx"]
CMD ["server"]
