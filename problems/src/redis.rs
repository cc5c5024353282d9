//! Problems in Redis: one hash each, with the bytes and the card. For small ones: they lie in the
//! memory of the server that the queue needs, and a command that moves them holds up the others.

use std::time::Duration;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError};

use crate::hash::Hash;

/// The largest one. Writing it takes the server some milliseconds.
pub(crate) const LARGEST: u64 = 4 << 20;

/// For one command with some megabytes.
const RESPONSE: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(3);

/// A server. Connected anew for each operation: they are rare, and what is kept may have died.
#[derive(Debug)]
pub(crate) struct Redis(Client);

impl Redis {
    pub(crate) fn new(url: &str) -> Result<Self, RedisError> {
        Client::open(url).map(Self)
    }

    pub(crate) async fn put(
        &self,
        hash: &Hash,
        bytes: &[u8],
        card: &[u8],
    ) -> Result<(), RedisError> {
        let mut connection = self.connect().await?;
        // One command: there is no problem without its card.
        let mut command = redis::cmd("HSET");
        command.arg(key(hash)).arg("bytes").arg(bytes).arg("card").arg(card);
        command.query_async(&mut connection).await
    }

    pub(crate) async fn card(&self, hash: &Hash) -> Result<Option<Bytes>, RedisError> {
        self.field(hash, "card").await
    }

    pub(crate) async fn bytes(&self, hash: &Hash) -> Result<Option<Bytes>, RedisError> {
        self.field(hash, "bytes").await
    }

    pub(crate) async fn delete(&self, hash: &Hash) -> Result<bool, RedisError> {
        let mut connection = self.connect().await?;
        let gone: u64 = redis::cmd("UNLINK").arg(key(hash)).query_async(&mut connection).await?;
        Ok(gone > 0)
    }

    async fn field(&self, hash: &Hash, field: &str) -> Result<Option<Bytes>, RedisError> {
        let mut connection = self.connect().await?;
        let mut command = redis::cmd("HGET");
        command.arg(key(hash)).arg(field);
        let found: Option<Vec<u8>> = command.query_async(&mut connection).await?;
        Ok(found.map(Bytes::from))
    }

    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(Some(RESPONSE))
            .set_connection_timeout(Some(CONNECT));
        self.0.get_multiplexed_async_connection_with_config(&config).await
    }
}

fn key(hash: &Hash) -> String {
    format!("evalx:problem:{}", hash.hex())
}
