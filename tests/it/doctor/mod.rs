//! `jwtgate doctor`: it finds each hole in a broken copy of each configuration, and none in those that are shipped.

mod broken;
mod command;
mod copies;
mod scenes;
mod shipped;
