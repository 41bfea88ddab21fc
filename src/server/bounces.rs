//! How often a browser has been sent to sign in.

use crate::clock::Timestamp;
use crate::request::HeaderLines;

/// How often a browser was sent to sign in within the last minute: a short cookie, so that a browser that comes back without a
/// token each time sees a page in the end, and no endless loop. A client that forges it harms only itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounces {
    count: u32,
    since: i64,
    now: i64,
}

const BOUNCE_COOKIE: &str = "jwtgate_bounces";
const MAX_BOUNCES: u32 = 3;
const BOUNCE_WINDOW: i64 = 60;

impl Bounces {
    /// What the request's cookie says.
    pub(super) fn read(headers: &impl HeaderLines) -> Self {
        let now = Timestamp::now().seconds();
        let cookies = headers.lines("cookie");
        let name = BOUNCE_COOKIE.as_bytes();
        let value = cookies
            .flat_map(|line| line.split(|&byte| byte == b';'))
            .find_map(|pair| pair.trim_ascii().strip_prefix(name)?.strip_prefix(b"="));
        Self::parse(value.and_then(|value| std::str::from_utf8(value).ok()), now)
    }

    fn parse(value: Option<&str>, now: i64) -> Self {
        let parsed = value.and_then(|value| {
            let (count, since) = value.split_once('.')?;
            Some((count.parse().ok()?, since.parse().ok()?))
        });
        match parsed {
            Some((count, since)) if (0..BOUNCE_WINDOW).contains(&now.saturating_sub(since)) => {
                Self { count, since, now }
            }
            _ => Self {
                count: 0,
                since: now,
                now,
            },
        }
    }

    /// Whether a page is shown now instead.
    pub(super) const fn are_too_many(self) -> bool {
        self.count >= MAX_BOUNCES
    }

    /// One more.
    pub(super) const fn next(self) -> Self {
        Self {
            count: self.count.saturating_add(1),
            ..self
        }
    }

    /// The `Set-Cookie` that says so.
    pub(super) fn cookie(self) -> String {
        let left = BOUNCE_WINDOW.saturating_sub(self.now.saturating_sub(self.since));
        format!(
            "{BOUNCE_COOKIE}={}.{}; Max-Age={left}; Path=/; HttpOnly; SameSite=Lax",
            self.count, self.since
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s11_6_a_browser_is_sent_to_sign_in_three_times_a_minute_at_most() {
        let mut bounces = Bounces::parse(None, 1000);
        for second in 1..=3 {
            assert!(!bounces.are_too_many());
            let cookie = bounces.next().cookie();
            let value = cookie.split([';', '=']).nth(1).unwrap().to_owned();
            bounces = Bounces::parse(Some(&value), 1000 + second);
        }
        assert!(bounces.are_too_many());
        assert!(!Bounces::parse(Some("3.1000"), 1060).are_too_many());
        for forged in ["", "x", "9", "9.x", "-1.1000", "99999999999.1000", "3.5000"] {
            assert!(
                !Bounces::parse(Some(forged), 1001).are_too_many(),
                "{forged}"
            );
        }
    }
}
