//! `jwtgate health`: ask the admin listener of a running service, for images that have no shell and no curl.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;

use crate::server::listen::Address;

use super::{ConfigFile, Exit, print};

/// Ask a running service how it is, for images without a shell.
///
/// It asks the admin listener whether the service lives, or with --ready whether it is ready.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  jwtgate health\n  jwtgate health --ready --config jwtgate.toml\n\nExit codes: 0 it lives (or is ready), 1 it does not, or nobody answers, 2 wrong usage."
)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// Ask whether it is ready, not only whether it lives.
    #[arg(long)]
    ready: bool,
    /// How long to wait for an answer.
    #[arg(long, value_name = "SPAN", default_value = "2s", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let loaded = arguments.config.load();
    let (addresses, _) = Address::parse_all(&loaded.config.admin.listen, "admin.listen");
    let Some(address) = Address::plainest(&addresses) else {
        bail!(
            "`admin.listen` is off or wrong, so nobody can be asked\n  hint: set it, for example to \"127.0.0.1:8081\""
        );
    };
    let path = if arguments.ready {
        "/readyz"
    } else {
        "/healthz"
    };
    match ask(address, path, arguments.timeout) {
        Ok((200, _)) => Ok(Exit::Fine),
        Ok((status, body)) => {
            print::say(format_args!("{address}{path} answers {status}: {body}"));
            Ok(Exit::Refused)
        }
        Err(error) => {
            print::say(format_args!("{address} does not answer: {error:#}"));
            Ok(Exit::Refused)
        }
    }
}

/// Asks an admin listener.
pub(super) fn ask(
    address: &Address,
    path: &str,
    timeout: Duration,
) -> anyhow::Result<(u16, String)> {
    tell(address, path, None, timeout)
}

/// Asks an admin listener, with a body where there is one to send.
pub(super) fn tell(
    address: &Address,
    path: &str,
    body: Option<&str>,
    timeout: Duration,
) -> anyhow::Result<(u16, String)> {
    match address {
        Address::Tcp(address) => {
            let address = address
                .to_socket_addrs()?
                .next()
                .context("the name has no address")?;
            let stream = TcpStream::connect_timeout(&reachable(address), timeout)?;
            stream.set_read_timeout(Some(timeout))?;
            exchange(stream, path, body)
        }
        Address::Tls(_) => anyhow::bail!(
            "this command speaks no TLS: give `admin.listen` a second address without it, such as 127.0.0.1:8081"
        ),
        Address::Unix(socket) => {
            let stream = UnixStream::connect(socket)?;
            stream.set_read_timeout(Some(timeout))?;
            exchange(stream, path, body)
        }
    }
}

/// A service that listens on every address is asked on loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn exchange(
    mut stream: impl Read + Write,
    path: &str,
    body: Option<&str>,
) -> anyhow::Result<(u16, String)> {
    const MAX_ANSWER: u64 = 8 * 1024 * 1024;
    let method = if body.is_some() { "POST" } else { "GET" };
    let body = body.unwrap_or_default();
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER).read_to_string(&mut answer)?;
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .context("the answer is no HTTP")?;
    let body = answer
        .split_once("\r\n\r\n")
        .map_or_else(String::new, |(_, body)| body.to_owned());
    Ok((status, body))
}
