//! The command line. One file for each command; data goes to stdout, talk to stderr, and exit codes are documented.

mod bench;
mod check;
mod comparison;
mod config;
mod demo;
mod doctor;
mod explain;
mod findings;
mod health;
mod input;
mod inspect;
mod keygen;
mod keys;
mod mint;
mod print;
mod probe_token;
mod proxy_config;
pub mod reference;
mod replay;
mod request_input;
mod serve;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::config::{Loaded, load};

/// May this request pass, and who is it? A JWT authenticator that any reverse proxy can ask.
#[derive(Debug, Parser)]
#[command(
    name = "jwtgate",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = "The first minute:  jwtgate demo\nThen:              jwtgate check --config jwtgate.toml && jwtgate serve --config jwtgate.toml"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Arguments),
    Demo(demo::Arguments),
    Check(check::Arguments),
    Doctor(Box<doctor::Arguments>),
    Explain(explain::Arguments),
    Keys(keys::Arguments),
    Keygen(keygen::Arguments),
    Mint(mint::Arguments),
    Inspect(inspect::Arguments),
    Bench(bench::Arguments),
    Config(config::Arguments),
    ProxyConfig(proxy_config::Arguments),
    Health(health::Arguments),
}

/// Where the configuration is.
#[derive(Debug, Args)]
struct ConfigFile {
    /// The configuration file (TOML, YAML or JSON). Without it: JWTGATE_CONFIG, ./jwtgate.toml, /etc/jwtgate/jwtgate.toml.
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// 0: fine, allowed.
    Fine,
    /// 1: faults, denied, not ready.
    Refused,
    /// 2: the command itself could not be done.
    Failed,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Fine => 0,
            Exit::Refused => 1,
            Exit::Failed => 2,
        })
    }
}

/// Runs the command line of this process.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Keys(arguments) => keys::run(&arguments),
        Command::Keygen(arguments) => keygen::run(&arguments),
        Command::Mint(arguments) => mint::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Config(arguments) => config::run(&arguments),
        Command::ProxyConfig(arguments) => proxy_config::run(&arguments),
        Command::Health(arguments) => health::run(&arguments),
    };
    match done {
        Ok(exit) => exit.into(),
        Err(error) => {
            print::say(format_args!("error: {error:#}"));
            Exit::Failed.into()
        }
    }
}

/// The whole command line, for the reference.
fn command() -> clap::Command {
    Cli::command()
}

impl ConfigFile {
    fn load(&self) -> Loaded {
        load(self.config.as_deref(), environment())
    }
}

fn environment() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os()
}
