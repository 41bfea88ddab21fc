//! The one place where requests go out: the proxy with whatever doctor plays behind it.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use super::canary::canary;
use super::client::{Ask, Client, USER_AGENT};
use super::sight::{Reach, Sight, View};
use super::stage::MARK;
use super::stage::application::Application;
use super::stage::contract::{Door, Secrets};
use super::stage::gate::{Conduct, Gate};
use super::wire::values;
use super::{Plan, TokenPlace, Trouble};

/// The largest value of identity headers that jwtgate sends (`identity.max_total_bytes`), less what stands in the others.
const LARGE: usize = 8000;
/// How long things that were broken may take to be well again.
const RECOVERY: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

/// The proxy, and what stands behind it.
pub(super) struct Scene {
    client: Client,
    app: Option<Application>,
    gate: Option<Gate>,
    view: View,
    target: String,
    origin: String,
    /// The header line that lets pass.
    credential: (String, String),
    /// The identity headers that reached the application with a good token.
    real: Vec<(String, String)>,
    control: Vec<(String, String)>,
    requests: Cell<usize>,
    server: RefCell<Option<String>>,
}

impl Scene {
    /// Sets it up, and finds out whether the token opens the page and what the page shows.
    pub(super) async fn set(plan: &Plan) -> Result<Self, Trouble> {
        let client = Client::new(plan)?;
        let app = match plan.app {
            Some(address) => Some(
                Application::start(address)
                    .await
                    .map_err(|error| Trouble::Listen(address, error))?,
            ),
            None => None,
        };
        let gate = match plan.gate {
            Some(address) => Some(
                Gate::start(address, secrets(plan))
                    .await
                    .map_err(|error| Trouble::Listen(address, error))?,
            ),
            None => None,
        };
        let token = plan.token.as_deref().unwrap_or_default();
        let credential = match (&gate, &plan.place) {
            (Some(gate), _) => {
                let secrets = gate.secrets();
                (secrets.header.clone(), secrets.credential.clone())
            }
            (None, TokenPlace::Header { name, before }) => {
                (name.clone(), format!("{before}{token}"))
            }
            (None, TokenPlace::Cookie(name)) => ("Cookie".to_owned(), format!("{name}={token}")),
        };
        let url = &plan.url;
        let query = url.query().map(|query| format!("?{query}"));
        let mut scene = Self {
            target: format!("{}{}", url.path(), query.unwrap_or_default()),
            origin: format!("{}://{}", url.scheme(), client.host()),
            client,
            view: if app.is_some() { View::Own } else { View::Echo },
            app,
            gate,
            credential,
            real: Vec::new(),
            control: Vec::new(),
            requests: Cell::new(0),
            server: RefCell::new(None),
        };
        scene.control(plan).await?;
        Ok(scene)
    }

    async fn control(&mut self, plan: &Plan) -> Result<(), Trouble> {
        let sight = self.good(self.get()).await;
        let place = plan.url.as_str();
        if let Err(error) = &sight.answer {
            return Err(Trouble::NoAnswer(place.to_owned(), error.to_string()));
        }
        if self.view == View::Echo && !sight.shows_mark() {
            self.view = View::Blind;
        }
        let is_open = match self.view {
            View::Own => sight.reach() == Reach::Yes,
            View::Echo | View::Mirror => true,
            View::Blind => (200..300).contains(&sight.status()),
        };
        if !is_open {
            return Err(Trouble::Shut(why_shut(place, &sight, plan)));
        }
        self.control = sight.lines();
        if self.view == View::Echo {
            let elsewhere = Ask {
                method: "POST",
                body: "a=1",
                ..Ask::get(format!(
                    "{}/{}",
                    plan.url.path().trim_end_matches('/'),
                    canary()
                ))
            };
            if self.good(elsewhere).await.shows_mark() {
                self.view = View::Mirror;
            }
        }
        let names = plan.identity.iter();
        let lines = &self.control;
        self.real = names
            .flat_map(|name| values(lines, name).map(|value| (name.clone(), value.to_owned())))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        Ok(())
    }

    /// What can be told of what reaches the application.
    pub(super) const fn view(&self) -> View {
        self.view
    }

    /// Whether doctor plays jwtgate.
    pub(super) const fn is_bench(&self) -> bool {
        self.gate.is_some()
    }

    /// Scheme and host of the URL.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// Path and query of the URL.
    pub(super) fn target(&self) -> &str {
        &self.target
    }

    /// The identity headers that reach the application with a good token.
    pub(super) fn real(&self) -> &[(String, String)] {
        &self.real
    }

    /// All header lines that reach the application with a good token.
    pub(super) fn control_lines(&self) -> &[(String, String)] {
        &self.control
    }

    /// What the gate on the stage knows.
    pub(super) fn secrets(&self) -> Option<&Secrets> {
        self.gate.as_ref().map(Gate::secrets)
    }

    pub(super) fn requests(&self) -> usize {
        self.requests.get()
    }

    pub(super) fn server(&self) -> Option<String> {
        self.server.borrow().clone()
    }

    /// A GET of the page.
    pub(super) fn get(&self) -> Ask {
        Ask::get(&self.target)
    }

    /// Asks with the token.
    pub(super) async fn good(&self, ask: Ask) -> Sight {
        let (name, value) = self.credential.clone();
        self.ask(ask.line(name, value)).await
    }

    /// Asks.
    pub(super) async fn ask(&self, mut ask: Ask) -> Sight {
        let mark = canary();
        self.requests.set(self.requests.get() + 1);
        if !ask.sent.iter().any(|(name, _)| name == "User-Agent") {
            ask = ask.line("User-Agent", USER_AGENT);
        }
        let ask = ask.line(MARK, &mark);
        if let Some(gate) = &self.gate {
            gate.take();
        }
        let told = self.client.send(&ask).await;
        let arrived = self.app.as_ref().map(|app| app.take(&mark));
        let sight = Sight {
            method: ask.method,
            mark,
            answer: told.answer,
            took: told.took,
            view: self.view,
            arrived: arrived.unwrap_or_default(),
            asked: self.gate.as_ref().map(Gate::take).unwrap_or_default(),
        };
        self.note_server(&sight);
        sight
    }

    /// The application may have a `Server` of its own, so only a refusal tells.
    fn note_server(&self, sight: &Sight) {
        if let Some(server) = sight.values("server").next()
            && sight.reach() == Reach::No
        {
            *self.server.borrow_mut() = Some(server.to_owned());
        }
    }

    /// Has the gate on the stage behave like this from now on.
    pub(super) async fn behave(&mut self, conduct: Conduct) -> Result<(), Trouble> {
        let Some(gate) = &mut self.gate else {
            return Ok(());
        };
        gate.behave(conduct).await?;
        // A proxy may try a connection first that was closed just now.
        let is_talking = matches!(
            conduct,
            Conduct::Proper | Conduct::Large | Conduct::Words(_)
        );
        let end = Instant::now() + RECOVERY;
        while is_talking && Instant::now() < end {
            let sight = self.good(self.get()).await;
            let is_well = conduct != Conduct::Proper || sight.reach() == Reach::Yes;
            if !sight.asked.is_empty() && is_well {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Waits until jwtgate decides again; `false` when it never did. `down` are the statuses of the outage. A token for a minute may
    /// have expired meanwhile, so that another refusal than those will do.
    pub(super) async fn recovers(&self, down: &[u16]) -> bool {
        let end = Instant::now() + RECOVERY;
        while Instant::now() < end {
            let sight = self.good(self.get()).await;
            let status = sight.status();
            let is_refused = matches!(status, 302 | 401 | 403) && !down.contains(&status);
            if sight.reach() == Reach::Yes || is_refused {
                return true;
            }
            tokio::time::sleep(PAUSE).await;
        }
        false
    }
}

/// Why the token may not open the page, as far as it can be told.
fn why_shut(place: &str, sight: &Sight, plan: &Plan) -> String {
    let told = sight.told();
    let mut text = format!("{place} answers {told} to the token that shall open it");
    match (plan.gate, sight.asked.as_slice(), plan.app) {
        (Some(gate), [], _) => {
            text = format!(
                "{text}, and nobody asked jwtgate on {gate}\n  hint: does the proxy ask there?"
            );
        }
        (Some(_), [first, ..], _) if first.door == Door::Unknown => {
            let path = &first.seen.target;
            text = format!(
                "{text}, since the proxy asks `{path}`\n  hint: jwtgate has /verify, /forward-auth, /ext-authz and /sign-in"
            );
        }
        (_, _, Some(app)) if (200..300).contains(&sight.status()) => {
            text = format!(
                "{text}, and nothing arrived on {app}\n  hint: does the proxy pass on to there?"
            );
        }
        (Some(_), _, _) => {
            text += "\n  hint: does the proxy pass `Authorization` on to jwtgate?";
        }
        (None, _, _) => {
            text += "\n  hint: `jwtgate explain` tells why a token does not pass";
        }
    }
    text
}

/// What the gate on the stage gives: a value of its own in every identity header.
fn secrets(plan: &Plan) -> Secrets {
    let (header, before) = match &plan.place {
        TokenPlace::Header { name, before } => (name.clone(), *before),
        TokenPlace::Cookie(name) => {
            return Secrets {
                credential: format!("{name}={}", canary()),
                header: "Cookie".to_owned(),
                ..secrets_behind(plan)
            };
        }
    };
    Secrets {
        credential: format!("{before}{}", canary()),
        header,
        ..secrets_behind(plan)
    }
}

fn secrets_behind(plan: &Plan) -> Secrets {
    let names = plan.identity.iter();
    Secrets {
        credential: String::new(),
        header: String::new(),
        identity: names.map(|name| (name.clone(), canary())).collect(),
        large: "group,".repeat(LARGE / 6),
        cookie: canary(),
    }
}
