//! Who is asking: a person who loads a page, or a program?

use crate::request::HeaderLines;

/// Whether a missing or `*/*` `Accept` counts as one that takes HTML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unstated {
    /// It does not: the check endpoints, where programs come without one.
    IsAProgram,
    /// It does: `/sign-in`, where people are sent on purpose.
    IsAPerson,
}

/// Whether the original request loads a page, so that the person may be sent to sign in: `GET` or `HEAD`,
/// `Sec-Fetch-Mode: navigate` where that header is sent, else an `Accept` with `text/html`; no XHR, no WebSocket.
#[must_use]
pub fn is_page_load(method: &str, headers: &impl HeaderLines, unstated: Unstated) -> bool {
    if !matches!(method, "GET" | "HEAD") || is_script(headers) {
        return false;
    }
    match headers.lines("sec-fetch-mode").next() {
        Some(mode) => mode.eq_ignore_ascii_case(b"navigate"),
        None => takes_html(headers, unstated),
    }
}

/// Whether the answer should be a page rather than JSON.
#[must_use]
pub fn takes_html(headers: &impl HeaderLines, unstated: Unstated) -> bool {
    let ranges: Vec<&str> = headers
        .lines("accept")
        .filter_map(|value| std::str::from_utf8(value).ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|range| !range.is_empty())
        .collect();
    if unstated == Unstated::IsAPerson && (ranges.is_empty() || ranges == ["*/*"]) {
        return true;
    }
    ranges.into_iter().any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let is_html = media_type.eq_ignore_ascii_case("text/html")
            || media_type.eq_ignore_ascii_case("application/xhtml+xml");
        let is_refused = parts.any(|part| {
            part.strip_prefix("q=")
                .and_then(|weight| weight.parse::<f32>().ok())
                .is_some_and(|weight| weight <= 0.0)
        });
        is_html && !is_refused
    })
}

fn is_script(headers: &impl HeaderLines) -> bool {
    let has = |name: &str, value: &[u8]| {
        headers
            .lines(name)
            .any(|found| found.eq_ignore_ascii_case(value))
    };
    has("x-requested-with", b"XMLHttpRequest")
        || has("upgrade", b"websocket")
        || headers.lines("sec-websocket-key").next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

    fn is_page(method: &str, lines: &[(&'static str, &'static str)], unstated: Unstated) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        is_page_load(method, &headers, unstated)
    }

    #[test]
    fn s11_6_only_page_loads_of_browsers_are_sent_to_sign_in() {
        let browser = ("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
        let strict = Unstated::IsAProgram;
        assert!(is_page("GET", &[browser], strict));
        assert!(is_page("HEAD", &[browser], strict));
        assert!(is_page("GET", &[("sec-fetch-mode", "navigate")], strict));
        assert!(!is_page("POST", &[browser], strict));
        assert!(!is_page("get", &[browser], strict));
        assert!(!is_page("GET", &[], strict));
        assert!(!is_page("GET", &[("accept", "*/*")], strict));
        assert!(!is_page("GET", &[("accept", "application/json")], strict));
        assert!(!is_page("GET", &[("accept", "text/html;q=0")], strict));
        assert!(!is_page(
            "GET",
            &[browser, ("sec-fetch-mode", "cors")],
            strict
        ));
        assert!(!is_page(
            "GET",
            &[browser, ("x-requested-with", "XMLHttpRequest")],
            strict
        ));
        assert!(!is_page(
            "GET",
            &[browser, ("upgrade", "websocket")],
            strict
        ));
        assert!(!is_page(
            "GET",
            &[browser, ("sec-websocket-key", "x")],
            strict
        ));
    }

    #[test]
    fn at_sign_in_an_unstated_accept_is_a_person() {
        let kind = Unstated::IsAPerson;
        assert!(is_page("GET", &[], kind));
        assert!(is_page("GET", &[("accept", "*/*")], kind));
        assert!(!is_page("GET", &[("accept", "application/json")], kind));
        assert!(!is_page("GET", &[("sec-fetch-mode", "cors")], kind));
    }
}
