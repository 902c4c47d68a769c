mod errors;
mod fixture;
mod keys;
mod lookups;
mod probes;
mod sockets;
