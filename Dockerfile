# The image of Tidegate: one static binary and nothing else.
#   docker build --tag example/tidegate .
# `make image` packs the same files without a container engine.

# Any image with the Rust of rust-version in Cargo.toml and a C compiler.
ARG BUILDER=rust:1.95-bookworm

FROM ${BUILDER} AS build
WORKDIR /src
COPY . .
# With the host's target named, the flags leave build scripts and macros alone, which cannot be static.
RUN host="$(rustc -vV | sed -n 's/^host: //p')" \
    && RUSTFLAGS="-C target-feature=+crt-static" \
       cargo build --release --locked --target "$host" --bin tidegate \
    && cp "target/$host/release/tidegate" /tidegate

FROM scratch
COPY --from=build /tidegate /tidegate
USER 65532:65532
EXPOSE 80 443 10254
ENTRYPOINT ["/tidegate"]
