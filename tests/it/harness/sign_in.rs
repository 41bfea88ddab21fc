//! A person who signs in at the provider with a browser, and the tokens that a program gets for it (RFC 6749 §4.1, RFC 7636).

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;
use url::Url;
use url::form_urlencoded::Serializer;

use super::provider::{Provider, Shape};
use super::{Request, Response, tokens};

/// Of `tests/idp/provider.mjs`; nobody listens there, and nobody needs to.
const REDIRECT: &str = "http://127.0.0.1:9800/callback";
const VERIFIER: &str = "a-verifier-of-the-tests-that-is-as-long-as-the-standard-wants-it";
/// The program that signs people in, which is the audience of its ID tokens.
pub(crate) const PROGRAM: &str = "jwtgate";
const FORM: &str = "application/x-www-form-urlencoded";

/// What the provider gives for a person.
pub(crate) struct SignedIn {
    pub(crate) access_token: String,
    pub(crate) id_token: String,
}

impl Provider {
    /// Signs in as an account of `tests/idp/accounts.mjs`, for these scopes beside those that say who it is.
    pub(crate) fn sign_in(&self, account: &str, scopes: &str) -> SignedIn {
        let mut browser = Browser {
            provider: self,
            cookies: BTreeMap::new(),
        };
        let challenge = tokens::encode(digest(&SHA256, VERIFIER.as_bytes()));
        let scope = format!("openid email profile groups {scopes}");
        let question = form(&[
            ("client_id", PROGRAM),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            ("scope", scope.trim_end()),
            ("state", "x"),
            ("nonce", "n"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        let path = match self.shape() {
            Shape::Generic => "/auth",
            Shape::Okta => "/v1/authorize",
            Shape::Azure => "/authorize",
        };
        let page = browser.follow(Request::get(format!("{}{path}?{question}", self.base())));
        let answer = form(&[("login", account), ("password", "any")]);
        let resume = Request::new("POST", path_of(&page)).header("Content-Type", FORM);
        let resume = browser.follow(resume.body(answer));
        let back = browser.follow(Request::get(path_of(&resume)));
        let code = back.query_pairs().find(|(name, _)| name == "code");
        let (_, code) = code.unwrap_or_else(|| panic!("no code: {back}"));
        self.exchange(&code)
    }

    fn exchange(&self, code: &str) -> SignedIn {
        let answer = self.ask_for_token(&form(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ]));
        let token = |name: &str| match &answer[name] {
            Value::String(token) => token.clone(),
            _ => panic!("no {name}: {answer}"),
        };
        SignedIn {
            access_token: token("access_token"),
            id_token: token("id_token"),
        }
    }
}

/// Keeps cookies, whatever path they are for.
struct Browser<'p> {
    provider: &'p Provider,
    cookies: BTreeMap<String, String>,
}

impl Browser<'_> {
    /// Sends a request that is answered by a redirect, and gives the address.
    fn follow(&mut self, request: Request) -> Url {
        let cookies = self.cookies.iter();
        let cookies: Vec<_> = cookies
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let answer = self.provider.send_any(request.cookie(cookies.join("; ")));
        self.keep_cookies(&answer);
        let location = answer.header("Location");
        let location = location.unwrap_or_else(|| panic!("no redirect: {}", answer.text()));
        let here = Url::parse(&self.provider.url("/")).expect("a URL");
        here.join(location).expect("a URL")
    }

    fn keep_cookies(&mut self, answer: &Response) {
        for line in answer.values("Set-Cookie") {
            let pair = line.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').expect("a name and a value");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}

fn form(pairs: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn path_of(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}
