//! Filling in what a preset knows and the table of an issuer leaves out.

use super::effective::TENANT;
use super::issuers::IssuerTable;
use super::presets::{Known, fill};
use super::{Fault, IssuerSettings, OneOrMany};

/// Fills in what a preset knows and the table leaves out.
pub(super) fn fill_in(
    settings: &mut IssuerSettings,
    table: &IssuerTable,
    known: &Known,
    faults: &mut Vec<Fault>,
) {
    let value = |name: &str| value_of(table, known, name);
    let filled = |template: &&str| fill(template, value);
    if settings.issuer.is_empty() {
        let spellings = known.issuer.iter().find_map(|templates| {
            let names_tenants = templates.iter().any(|template| template.contains(TENANT));
            let is_usable = !names_tenants || !settings.tenants.is_empty();
            let all: Option<Vec<_>> = templates.iter().map(filled).collect();
            all.filter(|_| is_usable)
        });
        settings.issuer = spellings.unwrap_or_default();
    }
    if settings.keys.is_empty() {
        let one = |template: Option<&str>| template.and_then(|template| fill(template, value));
        // Another issuer has its metadata elsewhere.
        let places = known
            .discovery_url
            .iter()
            .filter(|_| table.issuer.is_none());
        settings.keys.discovery_url = places.clone().find_map(filled);
        settings.keys.jwks_url = one(known.jwks_url).map(OneOrMany::One);
        settings.keys.key_url = known.key_url.iter().find_map(filled);
        if let Some((ca_file, bearer_file)) = known.files {
            settings.ca_file.get_or_insert_with(|| ca_file.to_owned());
            settings
                .bearer_file
                .get_or_insert_with(|| bearer_file.to_owned());
        }
    }
    let lacks_signer = known.has_no_audience && settings.signer.is_empty();
    let lacks_keys =
        settings.keys.is_empty() && (!known.key_url.is_empty() || known.jwks_url.is_some());
    if settings.issuer.is_empty() || lacks_signer || lacks_keys {
        faults.push(lacking(settings, table, known));
    }
    judge_values(settings, table, faults);
}

/// What a preset needs and the table does not give, or gives in a form from which no address follows.
fn lacking(settings: &IssuerSettings, table: &IssuerTable, known: &Known) -> Fault {
    // `a, b`: both; `a or b`: one of them.
    let needs = known
        .needs
        .split(", ")
        .flat_map(|names| names.split(" or "));
    let absent: Vec<_> = needs
        .filter(|name| value_of(table, known, name).is_none())
        .map(|name| settings.path(name))
        .collect();
    let expected = format!("what the preset `{}` needs", known.name);
    if !absent.is_empty() {
        let hint = format!("for example `{}`. {}", known.example, known.about);
        return Fault::new(absent.join(", "), "nothing", expected, hint).absent();
    }
    let first = known.needs.split(", ").next().unwrap_or_default();
    let value = value_of(table, known, first).unwrap_or_default();
    Fault::new(
        settings.path(first),
        format!("`{value}`, from which no address follows"),
        expected,
        format!("it names no region; {}", known.about),
    )
}

/// The value of a name in a template. The region of AWS stands in other values.
fn value_of(table: &IssuerTable, known: &Known, name: &str) -> Option<String> {
    let value = match name {
        "domain" => table
            .domain
            .as_deref()
            .map(|domain| {
                let domain = domain.strip_prefix("https://").unwrap_or(domain);
                domain.trim_end_matches('/')
            })
            .or(known.domain),
        "authorization_server" => table.authorization_server.as_deref(),
        "tenant" => table.tenant.as_deref(),
        "tenants" => table.tenants.as_ref()?.items().first().map(String::as_str),
        "realm" => table.realm.as_deref(),
        "user_pool" => table.user_pool.as_deref(),
        "signer" => table.signer.as_ref()?.items().first().map(String::as_str),
        "issuer" => table.issuer.as_ref()?.items().first().map(String::as_str),
        "region" => region(table),
        "gov_region" => region(table).filter(|region| region.starts_with("us-gov-")),
        _ => None,
    };
    let value = value.filter(|text| !text.is_empty());
    // Tokens name tenants in small letters, whatever the operator copied.
    value.map(|text| match name {
        "tenant" | "tenants" => text.to_ascii_lowercase(),
        _ => text.to_owned(),
    })
}

fn region(table: &IssuerTable) -> Option<&str> {
    let of_pool = table
        .user_pool
        .as_deref()
        .and_then(|pool| pool.split_once('_'));
    match of_pool {
        Some((region, _)) => Some(region),
        None => table.signer.as_ref()?.items().first()?.split(':').nth(3),
    }
}

fn judge_values(settings: &IssuerSettings, table: &IssuerTable, faults: &mut Vec<Fault>) {
    let parts = [
        ("domain", table.domain.as_deref()),
        (
            "authorization_server",
            table.authorization_server.as_deref(),
        ),
        ("realm", table.realm.as_deref()),
        ("user_pool", table.user_pool.as_deref()),
    ];
    for (key, value) in parts {
        let value = value.unwrap_or_default();
        let value = value.strip_prefix("https://").unwrap_or(value);
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/%".contains(&byte);
        if !value.bytes().all(is_plain) || value.contains("://") {
            faults.push(Fault::new(
                settings.path(key),
                format!("`{value}`"),
                "a part of an https address",
                "for another scheme set `issuer` itself",
            ));
        }
    }
    if table.tenant.is_some() && !settings.tenants.is_empty() {
        faults.push(Fault::new(
            format!("{}, {}", settings.path("tenant"), settings.path("tenants")),
            "both",
            "one of them",
            "`tenant` is for one tenant, `tenants` lists all that may come in",
        ));
    }
    let tenants = settings.tenants.iter().map(String::as_str);
    for tenant in tenants.chain(table.tenant.as_deref()) {
        let is_id = tenant.len() == 36
            && tenant
                .bytes()
                .all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        if !is_id {
            faults.push(Fault::new(
                settings.path("tenant"),
                format!("`{tenant}`"),
                "the tenant's id, such as 11111111-2222-3333-4444-555555555555",
                "tokens name the id and not the domain: it stands on the tenant's overview page",
            ));
        }
    }
    if let Some(token_use) = table.token_use.as_deref()
        && !["access", "id"].contains(&token_use)
    {
        faults.push(Fault::new(
            settings.path("token_use"),
            format!("`{token_use}`"),
            "`access` or `id`",
            "an API gets access tokens, an application that signs people in gets ID tokens",
        ));
    }
}
