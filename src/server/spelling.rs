//! Header names that programs behind a proxy may read as one: `X-Auth-User`, `x_auth_user`, `X.Auth.User` and `X!Auth!User` are all
//! `HTTP_X_AUTH_USER` to CGI and its heirs (CVE-2026-33433).

/// The spelling that needs no other character than those of names in most languages.
#[must_use]
pub fn underscored(name: &str) -> String {
    name.replace('-', "_")
}

/// Whether `name` is another spelling of the header `own`, and not that header itself.
#[must_use]
pub fn is_alias(own: &str, name: &str) -> bool {
    is_same_folded(own, name) && !own.eq_ignore_ascii_case(name)
}

/// Whether two names are one, whatever their case and whatever separates their words.
#[must_use]
pub fn is_same_folded(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.bytes().map(fold).eq(other.bytes().map(fold))
}

const fn fold(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() {
        byte.to_ascii_lowercase()
    } else {
        b'-'
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s8_3_spellings_that_fold_into_one_are_found() {
        for name in ["x_auth_user", "X-Auth_User", "x.auth.user", "X!AUTH-USER"] {
            assert!(is_alias("x-auth-user", name), "{name}");
        }
        for name in ["X-Auth-User", "x-auth-users", "xauthuser", "x-auth-us3r"] {
            assert!(!is_alias("x-auth-user", name), "{name}");
        }
        assert!(is_same_folded("x-auth-user", "X-Auth_User"));
    }
}
