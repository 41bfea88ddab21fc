//! Traefik. Both of its configurations need the same entry point.

use super::shipped::Shipped;
use super::{Extent, Places, Setup};

pub(super) fn setup(extent: Extent, places: &Places<'_>) -> Setup {
    let dynamic = match extent {
        Extent::Full => Shipped::read(places.config, "traefik/dynamic.yml"),
        Extent::Minimal => Shipped::read(places.config, "traefik/minimal.yml"),
    }
    .with(
        "http://127.0.0.1:8080/",
        &format!("http://127.0.0.1:{}/", places.gate),
    )
    .with(
        "http://127.0.0.1:3000\"",
        &format!("http://127.0.0.1:{}\"", places.app),
    );
    let fixed = Shipped::read(places.config, "traefik/traefik.yml")
        .with("\":8000\"", &format!("\"127.0.0.1:{}\"", places.listen))
        .with("/etc/traefik/dynamic.yml", dynamic.name());
    Setup {
        arguments: vec![format!("--configFile={}", fixed.name()).into()],
        files: vec![fixed, dynamic],
    }
}
