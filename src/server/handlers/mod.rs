//! One file for each endpoint of the main listener. They only put together what the other files of this room do.

pub mod check;
pub mod introspect;
pub mod jwks;
pub mod sign_in;
pub mod userinfo;
