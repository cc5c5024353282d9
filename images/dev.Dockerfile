# evalx for development: server, worker and command line, with GCC and Python for the boxes.
# Built by `docker compose build`; needs no BuildKit.
ARG RUST=rust:1.95-slim-bookworm
ARG DEBIAN=debian:bookworm-slim

FROM ${RUST} AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p evalx

FROM ${DEBIAN}
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      ca-certificates g++ gcc libc6-dev python3 \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /evalx
COPY --from=build /src/target/release/evalx ./evalx
EXPOSE 2358 9464
CMD ["./evalx", "--help"]
