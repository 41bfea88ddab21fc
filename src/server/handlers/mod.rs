//! One file for each endpoint of the main listener. They only put together what the other files of this room do.

pub mod ext_authz;
pub mod forward_auth;
pub mod introspect;
pub mod jwks;
pub mod sign_in;
pub mod userinfo;
pub mod verify;
