//! Sockets: TCP and Unix, several at once.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use crate::config::{Fault, OneOrMany};

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `HOST:PORT`.
    Tcp(String),
    /// `tls:HOST:PORT`.
    Tls(String),
    /// `unix:/PATH`.
    Unix(PathBuf),
}

/// A socket that listens.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Tcp(TcpListener),
    /// TCP with TLS on it.
    Tls(TcpListener),
    /// Unix, with its path.
    Unix(UnixListener, PathBuf),
}

/// The mode of a Unix socket: the service and its group, where the proxy is.
const SOCKET_MODE: u32 = 0o660;

impl Address {
    /// Reads the addresses of a setting. `path` names it in faults.
    #[must_use]
    pub fn parse_all(addresses: &OneOrMany, path: &str) -> (Vec<Self>, Vec<Fault>) {
        let mut parsed = Vec::new();
        let mut faults = Vec::new();
        for (index, text) in addresses.items().iter().enumerate() {
            match Self::parse(text) {
                Some(address) => parsed.push(address),
                None => faults.push(Fault::new(
                    format!("{path}[{index}]"),
                    format!("`{text}`"),
                    "`HOST:PORT`, `tls:HOST:PORT` or `unix:/PATH`",
                    "for example `127.0.0.1:8080`, `[::1]:8080`, `tls:0.0.0.0:8443` or `unix:/run/jwtgate.sock`",
                )),
            }
        }
        (parsed, faults)
    }

    /// Whether it names one certain socket: port 0 takes any that is free.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        match self {
            Self::Tcp(address) | Self::Tls(address) => !address.ends_with(":0"),
            Self::Unix(_) => true,
        }
    }

    /// Whether only this machine can reach it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) | Self::Tls(address) => {
                let host = address.rsplit_once(':').map_or("", |(host, _)| host);
                let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
                host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
            }
            Self::Unix(_) => true,
        }
    }

    /// Whether a connection to `host:port`, from this machine, may come out here: the same host, any host where it listens on all of
    /// them, or two names of this machine.
    #[must_use]
    pub fn may_be_reached_at(&self, host: &str, port: u16) -> bool {
        let (Self::Tcp(address) | Self::Tls(address)) = self else {
            return false;
        };
        let Some((own, own_port)) = address.rsplit_once(':') else {
            return false;
        };
        let is_here = |host: &str| {
            let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
            let ip = ip.as_ref();
            host.eq_ignore_ascii_case("localhost")
                || ip.is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified())
        };
        let is_same = own.eq_ignore_ascii_case(host) || (is_here(own) && is_here(host));
        self.is_fixed() && own_port.parse() == Ok(port) && is_same
    }

    /// Whether TLS is spoken on it.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// The first without TLS, else the first.
    #[must_use]
    pub fn plainest(all: &[Self]) -> Option<&Self> {
        all.iter().find(|one| !one.is_tls()).or(all.first())
    }

    fn parse(text: &str) -> Option<Self> {
        if let Some(address) = text.strip_prefix("tls:") {
            return is_host_and_port(address).then(|| Self::Tls(address.to_owned()));
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return path.starts_with('/').then(|| Self::Unix(path.into()));
        }
        is_host_and_port(text).then(|| Self::Tcp(text.to_owned()))
    }

    /// Opens the sockets of this address: a name such as `localhost` may have several.
    ///
    /// # Errors
    /// The system refuses, or something that is no stale socket stands at the path.
    pub fn bind(&self) -> io::Result<Vec<Socket>> {
        match self {
            Self::Tcp(address) => address
                .to_socket_addrs()?
                .map(|address| bind_tcp(address).map(Socket::Tcp))
                .collect(),
            Self::Tls(address) => address
                .to_socket_addrs()?
                .map(|address| bind_tcp(address).map(Socket::Tls))
                .collect(),
            Self::Unix(path) => bind_unix(path).map(|socket| vec![socket]),
        }
    }
}

fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let is_bracketed = host.starts_with('[') && host.ends_with(']');
    let is_host = !host.is_empty() && (is_bracketed || !host.contains(':'));
    is_host && !port.starts_with('+') && port.parse::<u16>().is_ok()
}

/// Connections that may wait to be accepted. Bare nginx opens a new one for each check.
const BACKLOG: i32 = 4096;

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // `[::]` takes IPv4 peers too, whatever the system's default is.
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn bind_unix(path: &Path) -> io::Result<Socket> {
    remove_stale_socket(path)?;
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    let address = socket2::SockAddr::unix(path)?;
    // Before binding, so that the file never has another mode. Not every system takes it from a socket, and the process's umask may
    // take bits away: the second line is the one that counts.
    let mode = std::fs::Permissions::from_mode(SOCKET_MODE);
    let _ = std::fs::File::from(OwnedFd::from(socket.try_clone()?)).set_permissions(mode.clone());
    socket.bind(&address)?;
    std::fs::set_permissions(path, mode)?;
    socket.listen(BACKLOG)?;
    Ok(Socket::Unix(socket.into(), path.to_owned()))
}

/// Removes a socket that nobody listens on any more. A living one, one that cannot be asked, and whatever is no socket, stays.
fn remove_stale_socket(path: &Path) -> io::Result<()> {
    let facts = match std::fs::symlink_metadata(path) {
        Ok(facts) => facts,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !facts.file_type().is_socket() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "something that is no socket stands at this path",
        ));
    }
    // Without waiting: a process whose backlog is full lives.
    let probe = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    probe.set_nonblocking(true)?;
    match probe.connect(&socket2::SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        Ok(()) | Err(_) => Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "another process has this socket",
        )),
    }
}

/// The file of a Unix socket, as it was bound.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    /// Removes the file, unless another process has put its own there since.
    pub fn remove(&self) {
        let identity =
            std::fs::symlink_metadata(&self.path).map(|facts| (facts.dev(), facts.ino()));
        if identity.is_ok_and(|identity| identity == self.identity) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Socket {
    /// The file of a Unix socket, to be removed at the end.
    #[must_use]
    pub fn file(&self) -> Option<SocketFile> {
        let Self::Unix(_, path) = self else {
            return None;
        };
        let facts = std::fs::symlink_metadata(path).ok()?;
        Some(SocketFile {
            path: path.clone(),
            identity: (facts.dev(), facts.ino()),
        })
    }
}

impl fmt::Display for Socket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(listener) => bound(listener, "", formatter),
            Self::Tls(listener) => bound(listener, "tls:", formatter),
            Self::Unix(_, path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

fn bound(listener: &TcpListener, prefix: &str, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    match listener.local_addr() {
        Ok(address) => write!(formatter, "{prefix}{address}"),
        Err(error) => fmt::Display::fmt(&error, formatter),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => formatter.write_str(address),
            Self::Tls(address) => write!(formatter, "tls:{address}"),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        for text in [
            "127.0.0.1:8080",
            "[::1]:0",
            "localhost:80",
            "unix:/run/x.sock",
            "tls:[::]:8443",
        ] {
            assert_eq!(Address::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "8080",
            ":8080",
            "::1:8080",
            "a:99999",
            "unix:x",
            "unix:",
            "a:b",
            "tls:8443",
            "tls:unix:/x",
        ] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }
}
