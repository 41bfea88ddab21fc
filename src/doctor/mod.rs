//! `jwtgate doctor`: asks a page behind a proxy what an attacker would, from outside, and tells which holes there are.
//!
//! ```text
//!  probes ─► client ─► the proxy ─► stage: the application, and jwtgate itself, where doctor plays them
//!    ▲                                │
//!    └── sight: what came back, what reached the application, what was asked ◄─┘
//!    │
//!    └─► finding: closed · hole · unknown · note ─► remedies: the directive that closes it, for each proxy
//! ```
//!
//! HTTP is spoken in plain bytes here (`wire`): libraries make header names small and refuse targets that an attacker may well send.

mod canary;
mod client;
pub mod finding;
mod outage;
mod probes;
pub mod remedies;
mod scene;
mod sight;
mod stage;
mod tls;
mod wire;

use std::cell::Cell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use url::Url;

use finding::Report;
pub use outage::Restart;
use scene::Scene;

/// The identity headers that jwtgate gives unless it is told otherwise, the one that names the person first.
pub const USUAL: [&str; 3] = ["X-Auth-User", "X-Auth-Email", "X-Auth-Groups"];

/// What doctor is told.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The protected page, behind the proxy.
    pub url: Url,
    /// Where to connect, in place of the host of the URL.
    pub connect: Option<String>,
    /// Whom TLS trusts.
    pub trust: Trust,
    /// Where doctor plays the application.
    pub app: Option<SocketAddr>,
    /// Where doctor plays jwtgate.
    pub gate: Option<SocketAddr>,
    /// A token that may open the page; not needed where doctor plays jwtgate.
    pub token: Option<String>,
    /// Where in a request the token stands.
    pub place: TokenPlace,
    /// The identity headers, the one that names the person first.
    pub identity: Vec<String>,
    /// Those of them that every good token fills: who it is, and the signed identity where there is one.
    pub must_arrive: Vec<String>,
    /// Whether `identity` comes from a configuration, and must arrive.
    pub knows_identity: bool,
    /// Whether people without a token are sent to sign in, as far as that is known.
    pub signs_in: Option<bool>,
    /// The parameter of that redirect in which the return address stands.
    pub retpath_param: String,
    /// A path that the token may not open.
    pub denied: Option<String>,
    /// Commands that stop and start jwtgate.
    pub outage: Option<Outage>,
    /// What became of that.
    pub restarted: Rc<Cell<Restart>>,
    /// How long to wait for an answer.
    pub patience: Duration,
}

/// Commands for `sh -c`.
#[derive(Clone, Debug)]
pub struct Outage {
    /// Stops jwtgate.
    pub stop: String,
    /// Starts it again.
    pub start: String,
}

/// Whom TLS trusts.
#[derive(Clone, Debug)]
pub enum Trust {
    /// The authorities of this machine.
    System,
    /// Those in a PEM file.
    File(PathBuf),
    /// Anybody.
    Anybody,
}

/// Where in a request a token stands.
#[derive(Clone, Debug)]
pub enum TokenPlace {
    /// In a header, behind these words.
    Header {
        /// Its name.
        name: String,
        /// `Bearer `, or nothing.
        before: &'static str,
    },
    /// In a cookie of this name.
    Cookie(String),
}

/// Why nothing could be found out.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The URL names no host, or no scheme that is spoken here.
    #[error("`{0}` is no http or https URL with a host")]
    Url(String),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// A place of the stage is taken.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// Nobody answers.
    #[error("{0} does not answer: {1}")]
    NoAnswer(String, String),
    /// The page stays shut for the token that shall open it.
    #[error("{0}")]
    Shut(String),
    /// The process was told to end.
    #[error("interrupted{}", match .0 {
        Restart::NotNeeded => "",
        Restart::Done => "; what was stopped has been started again",
        Restart::Failed => "; the start command has failed: jwtgate may still be stopped",
    })]
    Interrupted(Restart),
    /// What was stopped did not come back.
    #[error("{0}")]
    StaysDown(String),
    /// The runtime cannot be used.
    #[error("{0}")]
    Runtime(#[from] std::io::Error),
}

/// Asks everything, and tells what was found.
///
/// # Errors
/// See [`Trouble`]: nothing could be found out, or what was stopped did not come back.
pub fn examine(plan: &Plan) -> Result<Report, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // From here on these end the examination in good order: what was stopped is started again when it is dropped.
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            report = probed(plan) => report,
            // By now the examination has been dropped, and with it what was stopped.
            _ = interrupt.recv() => Err(Trouble::Interrupted(plan.restarted.get())),
            _ = terminate.recv() => Err(Trouble::Interrupted(plan.restarted.get())),
        }
    })
}

async fn probed(plan: &Plan) -> Result<Report, Trouble> {
    let mut scene = Scene::set(plan).await?;
    let findings = probes::all(&mut scene, plan).await?;
    Ok(Report {
        findings,
        requests: scene.requests(),
        server: scene.server(),
    })
}
