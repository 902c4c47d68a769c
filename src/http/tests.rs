mod admin;
mod errors;
mod fixture;
mod keys;
mod log;
mod lookups;
mod probes;
mod sockets;
