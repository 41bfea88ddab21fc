//! `jwtgate explain`: why a request or a token passes or not, step by step, by the very code that serves.

use std::cmp::Ordering;
use std::time::Duration;

use anyhow::bail;
use clap::Args;

use crate::app;
use crate::clock::Timestamp;
use crate::config::fault::{any_stops, joined};
use crate::config::{Config, TokenSource};
use crate::gate::story::{STEPS, Story, tell};
use crate::gate::{Credential, Refusal, State, extract};
use crate::reason::{Reason, Step};
use crate::request::RawToken;
use crate::server::listen::Address;

use super::comparison::Comparison;
use super::input::TokenInput;
use super::request_input::{Given, RequestInput};
use super::{ConfigFile, Exit, health, inspect, print};

/// Tell why a request or a token passes or not, step by step.
///
/// It is judged by the code that serves. The answer names each step, the rules that were considered, what decided, the reason code and
/// what to do; the token itself is never printed. Without a request, only the token is judged, and no rule is asked. Issuers that publish
/// their keys are asked for them.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  jwtgate explain --config jwtgate.toml < token.txt\n  jwtgate explain --token-env TOKEN --json\n  jwtgate explain --url https://app.example.com/admin --method POST < token.txt\n  jwtgate explain --url https://app.example.com/ --no-token\n  jwtgate explain --request recorded.http\n  jwtgate explain --live --url https://app.example.com/admin < token.txt\n\nExit codes: 0 it passes, 1 it does not, 2 it cannot be told (faults in the configuration, no token)."
)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    token: TokenInput,
    #[command(flatten)]
    request: RequestInput,
    /// Ask the running service, by its admin listener: what it would answer now, with the keys and rules that it has. Prints JSON.
    #[arg(long)]
    live: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let loaded = arguments.config.load();
    if arguments.live {
        return ask_service(arguments, &loaded.config);
    }
    let (compiled, _, found) = app::compile(&loaded.config, Timestamp::now());
    let faults = joined(loaded.faults, found, loaded.file.as_deref());
    let Some(compiled) = compiled.filter(|_| !any_stops(&faults)) else {
        for fault in &faults {
            print::say(format_args!("{fault}\n"));
        }
        bail!("the configuration has faults, so nothing can be judged");
    };
    let given = arguments.request.read()?;
    let own = given
        .as_ref()
        .and_then(|given| token_of(given, &compiled.gate));
    let token = match &given {
        None => Some(arguments.token.read()?),
        Some(_) => arguments.request.token(&arguments.token, own.is_some())?,
    };
    let shown = token.clone().or(own);
    let header = shown
        .as_deref()
        .and_then(|token| inspect::parts(token).ok());
    let kid = header
        .as_ref()
        .and_then(|(header, _)| header.get("kid")?.as_str());
    let (gate, asked) = app::online::ask_once(compiled, kid)?;
    for error in asked.iter().flat_map(|asked| &asked.known.record.errors) {
        print::say(format_args!("warning: keys cannot be fetched: {error}"));
    }
    let telling = Telling {
        config: &loaded.config,
        gate: &gate,
        given: given.as_ref(),
        token: token.as_deref(),
        shown: shown.as_deref(),
    };
    telling.run(arguments.json)
}

/// The token that stands in a request.
fn token_of(given: &Given, gate: &State) -> Option<String> {
    let request = given.view().ok()?;
    let credential = extract::extract(&gate.extract, &request).ok()?;
    String::from_utf8(credential.token().bytes().to_vec()).ok()
}

/// Lets the running service tell.
fn ask_service(arguments: &Arguments, config: &Config) -> anyhow::Result<Exit> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let given = arguments.request.read()?;
    let (gate, _, _) = app::compile_gate(config, Timestamp::now());
    let found = given.as_ref().zip(gate.as_ref());
    let has_own = found
        .and_then(|(given, gate)| token_of(given, gate))
        .is_some();
    let token = match &given {
        None => Some(arguments.token.read()?),
        Some(_) => arguments.request.token(&arguments.token, has_own)?,
    };
    let (addresses, _) = Address::parse_all(&config.admin.listen, "admin.listen");
    let Some(address) = Address::plainest(&addresses) else {
        bail!("`admin.listen` is off or wrong, so the running service cannot be asked");
    };
    let body = given.unwrap_or_default().json(token.as_deref()).to_string();
    let (status, answer) = health::tell(address, "/explain", Some(&body), PATIENCE)?;
    if status != 200 {
        bail!("{address} answers {status}: {answer}");
    }
    print::data(&answer);
    let told: serde_json::Value = serde_json::from_str(&answer)?;
    Ok(if told.get("result") == Some(&"allowed".into()) {
        Exit::Fine
    } else {
        Exit::Refused
    })
}

struct Telling<'s> {
    config: &'s Config,
    gate: &'s State,
    given: Option<&'s Given>,
    /// The token that stands for the one of the request.
    token: Option<&'s str>,
    /// The token, wherever it was found.
    shown: Option<&'s str>,
}

impl Telling<'_> {
    fn run(&self, as_json: bool) -> anyhow::Result<Exit> {
        let nothing = Given::default();
        let request = self.given.unwrap_or(&nothing).view()?;
        let presented = match self.token {
            Some(token) => Ok(Credential::new(
                RawToken::new(token.as_bytes()),
                TokenSource::Header,
            )),
            None => extract::extract(&self.gate.extract, &request),
        };
        // Without a request nobody can say what the rules would.
        let without_rules;
        let state = if self.given.is_some() {
            self.gate
        } else {
            without_rules = State {
                policy: std::sync::Arc::default(),
                ..self.gate.clone()
            };
            &without_rules
        };
        let story = tell(state, &request, presented, Timestamp::now());
        if as_json {
            print::data(self.json(&story));
        } else {
            self.text(&story);
        }
        Ok(if story.outcome.is_ok() {
            Exit::Fine
        } else {
            Exit::Refused
        })
    }

    fn json(&self, story: &Story) -> serde_json::Value {
        let mut told = story.json(self.gate);
        if let (Err(refusal), Some(members)) = (&story.outcome, told.as_object_mut()) {
            let (found, expected) = self.comparison(refusal).unzip();
            members.insert("found".to_owned(), found.into());
            members.insert("expected".to_owned(), expected.into());
        }
        told
    }

    fn text(&self, story: &Story) {
        if let Some(given) = self.given {
            print::data(given);
        }
        let refused = story.outcome.as_ref().err().map(Refusal::reason);
        let by_rule = refused.filter(|reason| reason.step() == Step::Rules);
        for (step, name, meaning) in STEPS {
            if self.given.is_none() && matches!(step, Step::Extract | Step::Rules) {
                continue;
            }
            // A rule may decide whatever the token is worth: each is told for itself.
            let failed = match (step, refused) {
                (Step::Rules, None) => None,
                (Step::Rules, Some(reason)) => by_rule.or(Some(reason)),
                _ => story.token,
            };
            let order = failed.map(|reason| step.cmp(&reason.step()));
            match (order, failed) {
                (Some(Ordering::Less), Some(reason)) if self.is_unreached(step, reason) => {
                    print::data(format_args!("  -       {name:<10} not reached"));
                }
                (None | Some(Ordering::Less), _) => {
                    print::data(format_args!("  ok      {name:<10} {meaning}"));
                }
                (Some(Ordering::Equal), Some(reason)) => {
                    print::data(format_args!("  FAILED  {name:<10} {}", reason.meaning()));
                }
                (Some(_), _) => print::data(format_args!("  -       {name:<10} not reached")),
            }
        }
        rules(story);
        match &story.outcome {
            Ok(permit) => self.allowed(story, permit.known().is_some()),
            Err(refusal) => self.denied(refusal),
        }
        if let Some(difference) = &story.difference {
            let would = if difference.would_pass {
                "let it pass"
            } else {
                "not let it pass"
            };
            let rule = difference.rule.as_deref().unwrap_or("no rule");
            print::data(format_args!("the shadow rules would {would} ({rule})"));
        }
    }

    fn allowed(&self, story: &Story, is_known: bool) {
        let whose = if is_known { "" } else { " without an identity" };
        print::data(format_args!("allowed{whose}, with these headers:"));
        for (name, value) in story.headers(self.gate) {
            print::data(format_args!("  {name}: {value}"));
        }
        if let Some(signed) = story.signed(self.gate) {
            let part = |name: &str| signed.get(name).cloned().unwrap_or_default();
            print::data(format_args!(
                "  {}: signed, for {}, until {}",
                part("header").as_str().unwrap_or_default(),
                part("aud"),
                part("exp")
            ));
        }
    }

    /// Whether a step in front of the one that failed was left out: with several issuers, `iss` chooses one before anything is verified.
    fn is_unreached(&self, step: Step, failed: Reason) -> bool {
        failed == Reason::TokenIssuer
            && self.gate.issuers.the_only().is_none()
            && matches!(step, Step::Header | Step::Key | Step::Signature)
    }

    fn denied(&self, refusal: &Refusal) {
        let reason = refusal.reason();
        print::data(format_args!("denied: {}", reason.code()));
        if let Some(detail) = refusal.detail() {
            print::data(format_args!("  detail:   {detail}"));
        }
        if let Some((found, expected)) = self.comparison(refusal) {
            print::data(format_args!("  found:    {found}\n  expected: {expected}"));
        }
        print::data(format_args!("  hint:     {}", reason.hint()));
    }

    fn comparison(&self, refusal: &Refusal) -> Option<(String, String)> {
        let (issuers, _) = self.config.issuers();
        let comparison = Comparison {
            config: self.config,
            issuers: &issuers,
            gate: self.gate,
            token: self.shown?,
        };
        let judge = refusal.token().and_then(|token| token.issuer.as_deref());
        comparison.of(refusal.reason(), judge)
    }
}

/// The rules that were considered, and what the one that decided wants.
fn rules(story: &Story) {
    if story.rules.is_empty() {
        return;
    }
    let asked = &story.asked;
    let part = |part: Option<&str>| part.unwrap_or("unknown").to_owned();
    let paths = match asked.paths.as_slice() {
        [] => "unknown or ambiguous".to_owned(),
        paths => paths.join(" or "),
    };
    print::data(format_args!(
        "rules asked of {} {} {}, from {}:",
        part(asked.method.as_deref()),
        part(asked.host.as_deref()),
        print::printable(&paths),
        part(asked.source.as_deref()),
    ));
    let reason = story.outcome.as_ref().err().map(Refusal::reason);
    let is_unclear = matches!(
        reason,
        Some(Reason::PolicyAmbiguousPath | Reason::PolicyUnknownPath)
    );
    for rule in &story.rules {
        let name = &rule.name;
        match rule.misfit {
            Some(key) => print::data(format_args!("  -       {name}: `{key}` does not fit")),
            None if reason == Some(Reason::PolicyExpression) => {
                print::data(format_args!("  FAILED  {name}: `when` cannot be told"));
            }
            None if is_unclear => print::data(format_args!("  UNCLEAR {name}: {}", rule.action())),
            None => print::data(format_args!("  decides {name}: {}", rule.action())),
        }
    }
    for wanted in &story.wanted {
        let word = match wanted.holds {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "UNCLEAR",
        };
        print::data(format_args!("          {word:<8}{}", wanted.text));
    }
}
