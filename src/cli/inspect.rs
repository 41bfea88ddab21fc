//! `jwtgate inspect`: what a token says, without believing it.

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use crate::jose::{Compact, base64url};

use super::input::TokenInput;
use super::{Exit, print};

/// Show what a token says, without believing it: nothing is verified.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  jwtgate inspect < token.txt\n  jwtgate inspect --token-env TOKEN --json\n\nExit codes: 0 shown, 1 not a token, 2 nothing to read."
)]
pub(super) struct Arguments {
    #[command(flatten)]
    token: TokenInput,
    /// Print one JSON object with `header` and `claims`.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let token = arguments.token.read()?;
    let (header, claims) = match parts(&token) {
        Ok(parts) => parts,
        Err(error) => {
            print::say(format_args!("error: {error:#}"));
            return Ok(Exit::Refused);
        }
    };
    if arguments.json {
        print::data(json!({ "header": header, "claims": claims }));
    } else {
        print::say("not verified: anybody can write this");
        print::data(format_args!("header {header:#}"));
        print::data(format_args!("claims {claims:#}"));
        for name in ["iat", "nbf", "exp"] {
            if let Some(seconds) = claims.get(name).and_then(Value::as_u64) {
                let moment =
                    std::time::UNIX_EPOCH.checked_add(std::time::Duration::from_secs(seconds));
                // humantime panics beyond the year 9999.
                if let Some(moment) = moment.filter(|_| seconds < 253_402_300_800) {
                    print::data(format_args!(
                        "{name} is {}",
                        humantime::format_rfc3339_seconds(moment)
                    ));
                }
            }
        }
    }
    Ok(Exit::Fine)
}

/// The decoded header and claims.
pub(super) fn parts(token: &str) -> anyhow::Result<(Value, Value)> {
    // Padding is no base64url (RFC 7515 §2), but AWS load balancers write it.
    let parts = Compact::split(token.as_bytes()).and_then(Compact::unpadded);
    let Some((parts, _)) = parts else {
        bail!("not a token: it has no three parts with dots between them");
    };
    Ok((
        decoded("header", parts.header)?,
        decoded("payload", parts.payload)?,
    ))
}

fn decoded(name: &str, text: &[u8]) -> anyhow::Result<Value> {
    let Ok(json) = base64url::decode(text) else {
        bail!("not a token: its {name} is not base64url without padding");
    };
    match serde_json::from_slice(&json) {
        Ok(value) => Ok(value),
        Err(error) => bail!("not a token: its {name} is no JSON ({error})"),
    }
}
