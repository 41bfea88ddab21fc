//! The binary: crypto, command line, exit code. Everything else is in the library, see `lib.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    // By hand, once: a second provider that some dependency brings along must never turn signing or TLS into a panic. It can only be
    // there already when a test harness installed the same one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
    jwtgate::cli::run()
}
