//! How long an answer may be used before it is asked for again (RFC 9111 §4.2).

use std::time::{Duration, SystemTime};

use reqwest::header::{AGE, CACHE_CONTROL, DATE, EXPIRES, HeaderMap};

/// How long an answer is fresh that says nothing of it.
pub const UNSTATED: Duration = Duration::from_mins(5);

/// How long an answer is fresh, as its headers say: `Cache-Control: max-age` less `Age`, else `Expires` less `Date`. `None` when
/// they say nothing. `no-store`, `no-cache` and what has expired are zero.
#[must_use]
pub fn of(headers: &HeaderMap) -> Option<Duration> {
    let directives: Vec<String> = headers
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|directive| directive.trim().to_ascii_lowercase())
        .collect();
    let says = |name: &str| directives.iter().any(|directive| directive == name);
    if says("no-store") || says("no-cache") {
        return Some(Duration::ZERO);
    }
    let max_age = directives.iter().find_map(|directive| {
        let seconds = directive.strip_prefix("max-age=")?.trim_matches('"');
        // RFC 9111 §1.2.2: more than fits is the most there is.
        let is_number = !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| seconds.parse().unwrap_or(u32::MAX.into()))
    });
    if let Some(seconds) = max_age {
        let age = text(headers, &AGE).and_then(|age| age.parse().ok());
        return Some(
            Duration::from_secs(seconds).saturating_sub(Duration::from_secs(age.unwrap_or(0))),
        );
    }
    let expires = text(headers, &EXPIRES)?;
    let Ok(expires) = httpdate::parse_http_date(expires) else {
        // RFC 9111 §5.3: what is no date, such as `0`, has expired.
        return Some(Duration::ZERO);
    };
    let date = text(headers, &DATE).and_then(|date| httpdate::parse_http_date(date).ok())?;
    Some(since(expires, date))
}

fn since(later: SystemTime, earlier: SystemTime) -> Duration {
    later.duration_since(earlier).unwrap_or_default()
}

fn text<'h>(headers: &'h HeaderMap, name: &reqwest::header::HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    fn fresh(lines: &[(&str, &str)]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(
                HeaderName::try_from(*name).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        of(&headers).map(|fresh| fresh.as_secs())
    }

    #[test]
    fn s14_4_cache_control_and_expires_are_read() {
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        for (lines, expected) in [
            (&[][..], None),
            (&[("cache-control", "max-age=300")], Some(300)),
            (
                &[("cache-control", "public, Max-Age=300"), ("age", "100")],
                Some(200),
            ),
            (&[("cache-control", "max-age=300"), ("age", "400")], Some(0)),
            (&[("cache-control", "max-age=\"60\"")], Some(60)),
            (
                &[("cache-control", "max-age=99999999999999999999")],
                Some(u32::MAX.into()),
            ),
            (&[("cache-control", "no-store, max-age=300")], Some(0)),
            (
                &[("cache-control", "private"), ("cache-control", "max-age=7")],
                Some(7),
            ),
            (&[("cache-control", "max-age=-1")], None),
            (&[("cache-control", "max-age=x")], None),
            (
                &[date, ("expires", "Sun, 06 Nov 1994 08:59:37 GMT")],
                Some(600),
            ),
            (
                &[date, ("expires", "Sun, 06 Nov 1994 08:39:37 GMT")],
                Some(0),
            ),
            (&[date, ("expires", "0")], Some(0)),
            (&[("expires", "Sun, 06 Nov 1994 08:59:37 GMT")], None),
        ] {
            assert_eq!(fresh(lines), expected, "{lines:?}");
        }
    }
}
