# A static binary in an empty image: no shell, no package manager, nothing to patch but jwtgate itself.
#   docker build -t jwtgate .
#   docker run -p 8080:8080 -v ./jwtgate.toml:/etc/jwtgate/jwtgate.toml:ro jwtgate
# In the container's configuration say  [server] listen = "0.0.0.0:8080"  and name the proxy in trusted_proxies.

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# --target keeps RUSTFLAGS away from build scripts and macros, which must stay dynamic. The host's own triple is right for
# x86_64 and aarch64 alike: a build for another platform (TARGETARCH) runs this stage on that platform.
# glibc is linked in (crt-static); since glibc 2.34 its name lookup by files and DNS needs no shared library either.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,sharing=locked \
    target="$(rustc --print host-tuple)" \
    && RUSTFLAGS="-C target-feature=+crt-static" cargo build --profile dist --locked --bin jwtgate --target "$target" \
    && cp "target/$target/dist/jwtgate" /jwtgate

FROM scratch
# For `jwks_url` and sign-in, which check a provider's certificate against.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /jwtgate /jwtgate
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=2s CMD ["/jwtgate", "health"]
ENTRYPOINT ["/jwtgate"]
CMD ["serve"]
