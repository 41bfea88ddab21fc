//! Caddy.

use super::shipped::Shipped;
use super::{Extent, Places, Setup};

pub(super) fn setup(extent: Extent, places: &Places<'_>) -> Setup {
    let config = match extent {
        Extent::Full => Shipped::read(places.config, "caddy/Caddyfile"),
        // Its administration port is the same for all that run at once.
        Extent::Minimal => {
            Shipped::read(places.config, "caddy/minimal.Caddyfile").behind("{\n\tadmin off\n}\n")
        }
    }
    .with(
        "\n:8000 {",
        &format!("\n:{} {{\n\tbind 127.0.0.1", places.listen),
    )
    .with("127.0.0.1:8080", &format!("127.0.0.1:{}", places.gate))
    .with("127.0.0.1:3000", &format!("127.0.0.1:{}", places.app));
    let arguments = ["run", "--adapter", "caddyfile", "--config", config.name()];
    Setup {
        arguments: arguments.iter().map(Into::into).collect(),
        files: vec![config],
    }
}
