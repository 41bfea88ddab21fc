//! `jwtgate proxy-config`: the shipped configuration of a proxy, with the settings at hand in it.

mod facts;
mod fill;
mod shipped;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::{ConfigFile, Exit, print};

use facts::Facts;
use shipped::Shipped;

/// Print the configuration of a proxy in front of your application, for the settings at hand.
///
/// It is the one that is shipped and tested, with your addresses, identity headers and token header in it.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  jwtgate proxy-config nginx --config jwtgate.toml > nginx.conf\n  jwtgate proxy-config traefik --app 10.0.0.7:3000 --out /etc/traefik\n  jwtgate proxy-config envoy-grpc --listen 80\n\nThen try it:  jwtgate doctor http://127.0.0.1:8000/\n\nExit codes: 0 printed or written, 2 not."
)]
pub(super) struct Arguments {
    /// The proxy.
    proxy: Proxy,
    #[command(flatten)]
    config: ConfigFile,
    /// Where the application listens.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:3000")]
    app: String,
    /// The port that clients come to.
    #[arg(long, value_name = "PORT", default_value_t = 8000)]
    listen: u16,
    /// Where the proxy reaches jwtgate. Without it: the address in the configuration.
    #[arg(long, value_name = "HOST:PORT")]
    gate: Option<String>,
    /// Write the files into this folder instead of stdout. Nothing is overwritten.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// A proxy, and the way in which it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Proxy {
    /// nginx, by `auth_request`.
    Nginx,
    /// Traefik, by ForwardAuth.
    Traefik,
    /// Caddy, by `forward_auth`.
    Caddy,
    /// HAProxy, by Lua.
    Haproxy,
    /// HAProxy, by its agent protocol (`[spoe]`).
    HaproxySpoe,
    /// Envoy: over gRPC where `[ext_authz]` listens, else over HTTP.
    Envoy,
    /// Envoy, over HTTP.
    EnvoyHttp,
    /// Envoy, over gRPC (`[ext_authz]`).
    EnvoyGrpc,
    /// Apache httpd, by Lua.
    Apache,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let loaded = arguments.config.load();
    facts::refuse(&loaded.faults)?;
    let shipped = Shipped::of(arguments.proxy, &loaded.config);
    let facts = Facts::gather(&loaded.config, shipped.asks, arguments)?;
    for note in &facts.notes {
        print::say(format_args!("note: {note}"));
    }
    let files = shipped.files.iter();
    let files: Vec<(&str, String)> = files
        .map(|file| (file.name, fill::fill(file.text, &facts)))
        .collect();
    match &arguments.out {
        Some(folder) => write(folder, &files)?,
        None => {
            for (name, text) in &files {
                // One file stands alone; several must be told apart.
                if files.len() > 1 {
                    print::data(format_args!("{0} ===== {name} =====", comment(name)));
                }
                print::data(text.trim_end());
            }
        }
    }
    Ok(Exit::Fine)
}

fn comment(name: &str) -> &'static str {
    let is_lua = Path::new(name).extension() == Some("lua".as_ref());
    if is_lua { "--" } else { "#" }
}

fn write(folder: &Path, files: &[(&str, String)]) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    for (name, text) in files {
        let path = folder.join(name);
        let file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path);
        let mut file =
            file.with_context(|| format!("{} cannot be written anew", path.display()))?;
        std::io::Write::write_all(&mut file, text.as_bytes())?;
        print::say(format_args!("wrote {}", path.display()));
    }
    Ok(())
}
