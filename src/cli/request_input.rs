//! Reading the request that `explain` is asked about: from a URL and headers, or from a file with a raw HTTP request.

use std::fmt;
use std::io::{IsTerminal as _, Read as _};
use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;

use crate::request::{GivenLines, HeaderLines as _, Original, RequestView};
use crate::server::forwarded::{checked_method, split_url};

use super::input::TokenInput;

/// The original request, as a client sends it to the proxy.
#[derive(Debug, Args)]
pub(super) struct RequestInput {
    /// The URL of the original request. Without it and without --request, only the token is judged.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The method of the original request.
    #[arg(long, value_name = "METHOD", default_value = "GET", requires = "url")]
    method: String,
    /// A header of the original request, as `Name: value`. Others on this machine can see it: give tokens by file or standard input.
    #[arg(
        long,
        value_name = "HEADER",
        requires = "url",
        conflicts_with = "request"
    )]
    header: Vec<String>,
    /// A file with the original request as raw HTTP: request line, headers, an empty line. `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    request: Option<PathBuf>,
    /// The address of the client, for rules that ask for it.
    #[arg(long, value_name = "ADDRESS")]
    source: Option<IpAddr>,
    /// Judge the request without a token beside it: standard input is not read.
    #[arg(long, conflicts_with_all = ["token_file", "token_env"])]
    no_token: bool,
}

/// A request that was given.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    method: String,
    url: String,
    headers: GivenLines,
    source: Option<IpAddr>,
}

/// More than the head of any request that the service would look at.
const MAX_REQUEST: u64 = 256 * 1024;

impl RequestInput {
    /// The request; `None` where none is given.
    pub(super) fn read(&self) -> anyhow::Result<Option<Given>> {
        let mut given = match (&self.url, &self.request) {
            (Some(url), _) if url.is_empty() => {
                bail!(
                    "the URL is empty\n  hint: write it whole, as in https://app.example.com/path"
                )
            }
            (None, _) if !self.header.is_empty() => {
                bail!("--header needs --url; a raw request has its own")
            }
            (Some(url), _) => Given {
                method: self.method.clone(),
                url: url.clone(),
                headers: headers(self.header.iter().map(String::as_str))?,
                source: None,
            },
            (None, Some(file)) => raw(&text_of(file)?)?,
            (None, None) => return Ok(None),
        };
        given.source = self.source;
        given.view()?;
        Ok(Some(given))
    }

    /// The token that is given beside the request; `None`: the request's own counts, where it `has_own`.
    pub(super) fn token(
        &self,
        input: &TokenInput,
        has_own: bool,
    ) -> anyhow::Result<Option<String>> {
        if input.is_named() {
            return input.read().map(Some);
        }
        let reads_request = self.request.as_deref().is_some_and(|file| file == "-");
        if self.no_token || reads_request || has_own || std::io::stdin().is_terminal() {
            return Ok(None);
        }
        input.read_if_any()
    }
}

impl Given {
    /// A GET with one header.
    pub(super) fn get(url: &str, header: (String, String)) -> Self {
        let (name, value) = header;
        Self {
            method: "GET".to_owned(),
            url: url.to_owned(),
            headers: GivenLines(vec![(name.to_ascii_lowercase(), value)]),
            source: None,
        }
    }

    /// The request, as the gate reads it.
    pub(super) fn view(&self) -> anyhow::Result<RequestView<'_, GivenLines>> {
        let nowhere = self.url.is_empty();
        let original = if nowhere {
            Original::UNSTATED
        } else {
            // Without its query, where a token may stand.
            let shown = self.url.split('?').next().unwrap_or_default();
            let shown = super::print::printable(shown);
            let original = split_url(&self.url).map_err(|reason| {
                anyhow::anyhow!(
                    "`{shown}` is no URL that a proxy would pass on ({})\n  hint: write it whole, as in https://app.example.com/path",
                    reason.code()
                )
            })?;
            let method = checked_method(&self.method).map_err(|_| {
                anyhow::anyhow!(
                    "`{}` is no method\n  hint: for example GET or POST",
                    super::print::printable(&self.method)
                )
            })?;
            Original {
                method,
                states_method: true,
                ..original
            }
        };
        Ok(RequestView {
            headers: &self.headers,
            original,
            source: self.source,
        })
    }
}

impl Given {
    /// The request and the token beside it, as the admin listener of a running service takes them.
    pub(super) fn json(&self, token: Option<&str>) -> serde_json::Value {
        serde_json::json!({
            "method": self.method,
            "url": self.url,
            "headers": self.headers.0,
            "source": self.source,
            "token": token,
        })
    }
}

/// The request without its query, which may hold a token.
impl fmt::Display for Given {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.url.split('?').next().unwrap_or_default();
        write!(
            formatter,
            "{} {}",
            super::print::printable(&self.method),
            super::print::printable(shown)
        )
    }
}

fn text_of(file: &std::path::Path) -> anyhow::Result<String> {
    let mut text = String::new();
    if file == "-" {
        std::io::stdin()
            .take(MAX_REQUEST)
            .read_to_string(&mut text)
            .context("cannot read standard input")?;
    } else {
        std::fs::File::open(file)
            .and_then(|opened| opened.take(MAX_REQUEST).read_to_string(&mut text))
            .with_context(|| format!("cannot read `{}`", file.display()))?;
    }
    Ok(text)
}

fn headers<'l>(lines: impl Iterator<Item = &'l str>) -> anyhow::Result<GivenLines> {
    let mut headers = Vec::new();
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            bail!("a header without a colon\n  hint: write `Name: value`");
        };
        headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok(GivenLines(headers))
}

/// A raw HTTP request.
fn raw(text: &str) -> anyhow::Result<Given> {
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let head = head.split("\n\n").next().unwrap_or_default();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target)) = (first.next(), first.next()) else {
        bail!(
            "there is no request line\n  hint: the file begins like `GET /path HTTP/1.1`, then `Host: app.example.com`"
        );
    };
    let headers = headers(lines.filter(|line| !line.is_empty()))?;
    let is_absolute = ["http://", "https://"].iter().any(|scheme| {
        target
            .get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    let url = if is_absolute {
        target.to_owned()
    } else if !target.starts_with('/') {
        bail!(
            "the target of the request line is no path\n  hint: the file begins like `GET /path HTTP/1.1`"
        );
    } else {
        let mut hosts = headers.lines("host").map(String::from_utf8_lossy);
        let host = hosts.next();
        // RFC 9112 §3.2: such a request is refused.
        if hosts.next().is_some() {
            bail!("the request has two `Host` lines, which servers refuse");
        }
        let Some(host) = host else {
            bail!("the request has no `Host`, so nobody knows where it goes");
        };
        let is_plain = headers.lines("x-forwarded-proto").next() == Some(b"http");
        format!(
            "{}://{host}{target}",
            if is_plain { "http" } else { "https" }
        )
    };
    Ok(Given {
        method: method.to_owned(),
        url,
        headers,
        source: None,
    })
}
