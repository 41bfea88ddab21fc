//! What of the settings stands in a proxy's configuration.

use anyhow::bail;

use crate::cli::print;
use crate::config::fault::any_stops;
use crate::config::{Config, Fault, OneOrMany};
use crate::gate::headers::Headers;
use crate::server::listen::Address;

use super::Arguments;
use super::shipped::Asks;

/// Addresses and names.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// Where the proxy reaches jwtgate.
    pub(super) gate: String,
    pub(super) app: String,
    pub(super) listen: u16,
    /// The name that clients know.
    pub(super) host: String,
    /// The identity headers.
    pub(super) identity: Vec<String>,
    /// The header of the signed identity.
    pub(super) signed: String,
    /// Whether it is filled.
    pub(super) is_signed: bool,
    /// The headers that hold tokens.
    pub(super) tokens: Vec<String>,
    /// What the operator should know.
    pub(super) notes: Vec<String>,
}

impl Facts {
    pub(super) fn gather(
        config: &Config,
        asks: Asks,
        arguments: &Arguments,
    ) -> anyhow::Result<Self> {
        let mut notes = Vec::new();
        let gate = match &arguments.gate {
            Some(gate) => gate.clone(),
            None => reachable(config, asks, &mut notes)?,
        };
        for (what, address) in [("--gate", &gate), ("--app", &arguments.app)] {
            if !is_host_and_port(address) {
                bail!("{what}: expected HOST:PORT, found `{address}`");
            }
        }
        let (headers, faults) = Headers::compile(config);
        refuse(&faults)?;
        Ok(Self {
            gate,
            app: arguments.app.clone(),
            listen: arguments.listen,
            host: host(config).unwrap_or_else(|| "app.example.com".to_owned()),
            identity: headers.names().map(str::to_owned).collect(),
            signed: config
                .signed_identity
                .header
                .clone()
                .unwrap_or_else(|| "X-Auth-Identity".to_owned()),
            is_signed: config.signed_identity.header.is_some(),
            tokens: token_headers(config),
            notes,
        })
    }
}

/// Tells faults. With one that stops `serve` a file for other settings than the operator's own would be printed.
///
/// # Errors
/// There is one.
pub(super) fn refuse(faults: &[Fault]) -> anyhow::Result<()> {
    for fault in faults {
        print::say(format_args!("{fault}"));
    }
    if any_stops(faults) {
        bail!("the configuration has faults; nothing is printed for others than your settings");
    }
    Ok(())
}

fn is_host_and_port(text: &str) -> bool {
    let one = OneOrMany::One(text.to_owned());
    let (addresses, faults) = Address::parse_all(&one, "");
    faults.is_empty() && matches!(addresses.as_slice(), [Address::Tcp(_)])
}

/// The address of the listener that is asked, as a proxy on the same machine reaches it.
fn reachable(config: &Config, asks: Asks, notes: &mut Vec<String>) -> anyhow::Result<String> {
    let (listen, key, example) = match asks {
        Asks::Http => (&config.server.listen, "server.listen", "127.0.0.1:8080"),
        Asks::Grpc => (
            &config.ext_authz.listen,
            "ext_authz.listen",
            "127.0.0.1:9001",
        ),
        Asks::Spoe => (&config.spoe.listen, "spoe.listen", "127.0.0.1:9002"),
    };
    let (addresses, _) = Address::parse_all(listen, key);
    let found = addresses.iter().find_map(|address| match address {
        Address::Tcp(text) => Some(text.clone()),
        Address::Tls(_) | Address::Unix(_) => None,
    });
    let Some(found) = found else {
        if asks != Asks::Http && addresses.is_empty() {
            notes.push(format!(
                "`{key}` is off: set it to \"{example}\", which is what this configuration asks"
            ));
            return Ok(example.to_owned());
        }
        bail!(
            "`{key}` has no plain `HOST:PORT`, which the shipped configuration asks\n  hint: add one, or say where the proxy reaches it: --gate HOST:PORT"
        );
    };
    let (host, port) = found.rsplit_once(':').unwrap_or((&found, ""));
    if matches!(host, "0.0.0.0" | "[::]") {
        notes.push(format!(
            "`{found}` is every address of jwtgate's machine; 127.0.0.1:{port} is right for a proxy on the same one, --gate for another"
        ));
        return Ok(format!("127.0.0.1:{port}"));
    }
    Ok(found)
}

/// The name that clients know the application by.
fn host(config: &Config) -> Option<String> {
    let public = config.public_url.as_deref().and_then(host_of);
    let listed = config.return_hosts.iter();
    let listed = listed.filter(|host| !host.contains('*')).find_map(|host| {
        if host.contains("://") {
            host_of(host)
        } else {
            Some(host.split(':').next()?.to_owned())
        }
    });
    public.or(listed)
}

fn host_of(url: &str) -> Option<String> {
    Some(url::Url::parse(url).ok()?.host_str()?.to_owned())
}

/// The headers that hold tokens, each once.
fn token_headers(config: &Config) -> Vec<String> {
    let own = config
        .issuers
        .values()
        .filter_map(|issuer| issuer.header_name.clone());
    let mut names = Vec::new();
    for name in std::iter::once(config.header_name.clone()).chain(own) {
        let is_new = !names
            .iter()
            .any(|known: &String| known.eq_ignore_ascii_case(&name));
        if is_new && !name.is_empty() {
            names.push(name);
        }
    }
    names
}
