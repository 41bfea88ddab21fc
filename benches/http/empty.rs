//! An empty actix handler: what a check would cost if nothing were checked. `benches/http/compare.py` measures it beside the service.

use actix_web::{App, HttpResponse, HttpServer, web};

async fn nothing() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let port: u16 = port.ok_or(std::io::ErrorKind::InvalidInput)?;
    actix_web::rt::System::new().block_on(
        HttpServer::new(|| App::new().default_service(web::to(nothing)))
            .workers(1)
            .bind(("127.0.0.1", port))?
            .run(),
    )
}
