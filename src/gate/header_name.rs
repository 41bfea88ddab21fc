//! Which names an identity header may have.

use crate::config::Fault;

/// Headers that belong to HTTP or to the answer itself; naming one as an identity header would break it.
const RESERVED: [&str; 28] = [
    "age",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-security-policy",
    "content-type",
    "cookie",
    "date",
    "expires",
    "host",
    "keep-alive",
    "location",
    "proxy-authenticate",
    "referrer-policy",
    "retry-after",
    "server",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "www-authenticate",
    "x-auth-redirect",
    "x-content-type-options",
];

/// Why this is no name for an identity header, beside the others that are. `path` names the key in the fault.
pub(super) fn unfit<'h>(
    name: &str,
    path: &str,
    mut others: impl Iterator<Item = &'h String>,
) -> Option<Fault> {
    // A backend that speaks CGI reads `X-A_B`, `x-a-b` and `X_A_B` as one variable.
    let folded = |name: &str| name.to_ascii_lowercase().replace('_', "-");
    let is_token = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if !is_token {
        return Some(Fault::new(
            path,
            format!("`{name}`"),
            "a header name of letters, digits, `-`, `_` and `.`",
            "for example `X-Auth-User`",
        ));
    }
    if RESERVED.contains(&folded(name).as_str()) {
        return Some(Fault::new(
            path,
            format!("`{name}`, which HTTP or the answer itself uses"),
            "another header name",
            "for example `X-Auth-User` or `Remote-User`",
        ));
    }
    if others.any(|other| folded(other) == folded(name)) {
        return Some(Fault::new(
            path,
            "a name that another header has in other spelling",
            "different names",
            "backends read `-`, `_` and case as the same: keep one of them",
        ));
    }
    None
}
