//! A real OpenID provider, in the shape of the ones people have. What it does is told in `tests/idp/provider.mjs`.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tempfile::TempDir;

use super::http::{Address, Request, Response};
use super::{need, wait};

/// Node reads many files and generates RSA keys, beside all the other tests.
const START: Duration = Duration::from_secs(30);
const ANSWER: Duration = Duration::from_secs(15);
/// Of `tests/idp/accounts.mjs`.
const CLIENT: &str = "jwtgate:jwtgate-secret-jwtgate-secret-0001";

/// Whose paths, key sets and claims a provider imitates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Everything as the standards have it.
    Generic,
    Okta,
    Azure,
}

impl Shape {
    fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::Okta => "okta",
            Self::Azure => "azure",
        }
    }

    /// Below the issuer.
    fn token_path(self) -> &'static str {
        match self {
            Self::Generic | Self::Azure => "/token",
            Self::Okta => "/v1/token",
        }
    }

    /// What access tokens are for.
    pub(crate) fn audience(self) -> &'static str {
        match self {
            Self::Generic => "https://api.example.test",
            Self::Okta => "api://default",
            Self::Azure => "api://jwtgate-api",
        }
    }
}

/// A running provider. It is killed when it goes out of scope.
pub(crate) struct Provider {
    child: Child,
    folder: TempDir,
    shape: Shape,
    issuer: String,
}

impl Provider {
    /// `None` when Node or its modules are not installed.
    pub(crate) fn start(shape: Shape) -> Option<Self> {
        let node = need::program("node")?;
        let modules = need::installed("idp/node_modules")?;
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        lay_out(folder.path(), &modules);
        let output = File::create(folder.path().join("output")).expect("the folder is writable");
        let child = Command::new(node)
            .arg(folder.path().join("provider.mjs"))
            .args(["--port", "0", "--shape", shape.name()])
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a file can be shared"))
            .stderr(output)
            .spawn()
            .expect("node can be started");
        let mut provider = Self {
            child,
            folder,
            shape,
            issuer: String::new(),
        };
        provider.issuer = provider.wait_until_ready();
        Some(provider)
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The URL of a path, which begins with a slash and need not be below the issuer.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.authority())
    }

    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    /// The path of the issuer, without a slash at its end.
    pub(super) fn base(&self) -> &str {
        self.issuer.strip_prefix(&self.url("")).unwrap_or_default()
    }

    /// A signed access token for [`Shape::audience`], fresh from the provider (RFC 6749 §4.4). Its subject is `jwtgate`.
    pub(crate) fn token(&self) -> String {
        self.token_with("")
    }

    /// The same with these scopes, joined by `+`.
    pub(crate) fn token_with(&self, scopes: &str) -> String {
        let answer = self.ask_for_token(&format!("grant_type=client_credentials&scope={scopes}"));
        let token = answer["access_token"].as_str();
        token.expect("an access token").to_owned()
    }

    /// What the token endpoint answers to a form.
    pub(super) fn ask_for_token(&self, form: &str) -> Value {
        let path = format!("{}{}", self.base(), self.shape.token_path());
        let request = Request::new("POST", path)
            .header(
                "Authorization",
                format!("Basic {}", STANDARD.encode(CLIENT)),
            )
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(form);
        self.send(request).json()
    }

    /// Signs with new keys from now on. The old ones stay published unless they are dropped.
    pub(crate) fn rotate(&self, drop: bool) {
        let query = if drop { "?drop=1" } else { "" };
        self.control("POST", &format!("rotate{query}"));
    }

    /// Changes settings of `tests/idp/provider.mjs`: `down=jwks`, `at_ttl=2&slow_ms=500`.
    pub(crate) fn set(&self, settings: &str) {
        self.control("POST", &format!("set?{settings}"));
    }

    /// What the provider was asked so far, with the statuses of its answers.
    pub(crate) fn events(&self) -> Vec<Value> {
        let events = self.control("GET", "events").json();
        events.as_array().expect("a list").clone()
    }

    fn control(&self, method: &str, what: &str) -> Response {
        self.send(Request::new(method, format!("/__test/{what}")))
    }

    /// The answer to a request, whatever it is.
    pub(super) fn send_any(&self, request: Request) -> Response {
        request
            .host(self.authority())
            .timeout(ANSWER)
            .send(&Address::parse(self.authority()))
    }

    fn send(&self, request: Request) -> Response {
        let answer = self.send_any(request);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer
    }

    /// The host and the port.
    fn authority(&self) -> &str {
        let rest = self.issuer.trim_start_matches("http://");
        rest.split('/').next().unwrap_or_default()
    }

    /// Waits for the line with the issuer, and gives it.
    fn wait_until_ready(&mut self) -> String {
        let output = self.folder.path().join("output");
        let said = || fs::read_to_string(&output).unwrap_or_default();
        let ready = wait::until(START, || {
            let ended = self.child.try_wait().expect("a child can be waited for");
            let said = said();
            let line = said.lines().find_map(|line| line.strip_prefix("READY "));
            match line {
                // A line without its end may be half of it.
                Some(issuer) if said.ends_with('\n') => Some(Some(issuer.to_owned())),
                _ if ended.is_some() => Some(None),
                _ => None,
            }
        });
        ready
            .flatten()
            .unwrap_or_else(|| panic!("the provider did not start:\n{}", said()))
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Puts the program beside its modules, which is where Node looks for them.
fn lay_out(folder: &Path, modules: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/idp");
    for entry in fs::read_dir(source).expect("tests/idp is there") {
        let path = entry.expect("a readable entry").path();
        if path.extension().is_some_and(|extension| extension == "mjs") {
            let name = path.file_name().expect("a file has a name");
            fs::copy(&path, folder.join(name)).expect("the temporary folder is writable");
        }
    }
    symlink(modules, folder.join("node_modules")).expect("the temporary folder is writable");
}
