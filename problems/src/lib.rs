//! Problems by their hash: a store for whoever takes submissions and a cache for whoever judges
//! them. What a problem is inside is nobody's business here; it is bytes, and a card about them.
#![forbid(unsafe_code)]

mod address;
mod cache;
mod hash;
mod redis;
mod shelf;

pub use address::{Address, Error as AddressError};
pub use cache::{Cache, Error as CacheError, Shape};
pub use hash::{Hash, Hasher, NotAHash};
pub use shelf::{Error, Shelf};
