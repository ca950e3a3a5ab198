# The image of Tidegate: one static binary and nothing else.
#   docker build --tag example/tidegate .
# `make image` packs the same files without a container engine.

# Any image with the Rust of rust-version in Cargo.toml, a C compiler and make (of jemalloc).
ARG BUILDER=rust:1.95-bookworm

FROM ${BUILDER} AS build
WORKDIR /src
COPY . .
# With the host's target named, the flags leave build scripts and macros alone, which cannot be static.
RUN host="$(rustc -vV | sed -n 's/^host: //p')" \
    && RUSTFLAGS="-C target-feature=+crt-static" \
       cargo build --release --locked --target "$host" --bin tidegate \
    && cp "target/$host/release/tidegate" /tidegate
# For ports below 1024 without root on the node's own network. Permitted, not effective: with that, the kernel would not
# start it where the container drops all capabilities. Needs an engine that keeps extended attributes, as BuildKit does.
RUN command -v setcap || (apt-get update && apt-get install -y --no-install-recommends libcap2-bin)
RUN setcap cap_net_bind_service=p /tidegate

FROM scratch
COPY --from=build /tidegate /tidegate
USER 65532:65532
EXPOSE 80 443 10254 10255
ENTRYPOINT ["/tidegate"]
