//! The small pages that people see. Escaped by construction; no script, no request to anywhere.

use std::sync::OnceLock;

use actix_web::http::StatusCode;
use aws_lc_rs::digest;
use base64::Engine as _;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = "body{margin:0;min-height:100vh;display:grid;place-items:center;font:16px/1.5 system-ui,sans-serif;\
color:#1c2330;background:#f5f6f8}main{max-width:30rem;margin:1rem;padding:2rem 2.5rem;background:#fff;border-radius:12px;\
box-shadow:0 1px 3px #0002}h1{margin:0 0 .5rem;font-size:1.35rem}p{margin:.5rem 0}a{color:#0b57d0}small{color:#667}\
@media(prefers-color-scheme:dark){body{color:#e6e8ee;background:#14171d}main{background:#1e232c}a{color:#8ab4f8}}";

/// What a page says.
#[derive(Clone, Copy, Debug)]
pub struct Words<'w> {
    /// The heading.
    pub title: &'w str,
    /// What happened.
    pub text: &'w str,
    /// Where to go on: a label and an address.
    pub link: Option<(&'w str, &'w str)>,
}

/// The page.
#[must_use]
pub fn render(status: StatusCode, words: Words<'_>) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                title { (words.title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { (words.title) }
                    p { (words.text) }
                    @if let Some((label, address)) = words.link {
                        p { a href=(address) { (label) } }
                    }
                    small { (status.as_u16()) }
                }
            }
        }
    }
}

/// The `Content-Security-Policy` of the pages: nothing but the one style sheet, by its hash.
#[must_use]
pub fn content_security_policy() -> &'static str {
    static POLICY: OnceLock<String> = OnceLock::new();
    POLICY.get_or_init(|| {
        let hash = digest::digest(&digest::SHA256, STYLE.as_bytes());
        let hash = base64::engine::general_purpose::STANDARD.encode(hash.as_ref());
        format!(
            "default-src 'none'; style-src 'sha256-{hash}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        )
    })
}
