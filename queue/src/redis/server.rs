//! What kind of server this is: new enough, writable, and what a power cut could take from it.

use std::fmt;

use redis::RedisResult;
use redis::aio::MultiplexedConnection;

use super::Error;

/// `#!lua flags=…`, without which a full server could stop a script halfway: Redis 7.0, and all
/// of Valkey.
const OLDEST: (u32, u32) = (7, 0);

/// What was found out about the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// As it names itself, with its version: `redis 7.0.15`.
    pub name: String,
    /// Changes with each start of the server process.
    pub run_id: String,
    /// What a power cut could take.
    pub loss: Loss,
    /// Other settings that endanger the queue.
    pub dangers: Vec<Danger>,
    /// Whether it writes an append-only file.
    pub(super) appends: bool,
}

/// What a power cut could take, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// Nothing that was answered: `appendonly yes`, `appendfsync always`.
    Nothing,
    /// About a second of answers: `appendfsync everysec`.
    Second,
    /// What the kernel has not written yet, some 30 s: `appendfsync no`.
    Unsynced,
    /// Everything since the last snapshot: no append-only file.
    SinceSnapshot,
    /// Everything: neither append-only file nor snapshots.
    Everything,
    /// The server does not tell its settings.
    Unknown,
}

/// A setting that endangers the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Danger {
    /// When memory is short the server throws keys away, jobs among them: `maxmemory-policy` has
    /// to be `noeviction`.
    Evicts(String),
    /// After an error of the disk it goes on without writing.
    IgnoresWriteErrors,
    /// Writes are refused because the disk fails.
    CannotWrite,
}

impl Loss {
    /// As in the metric's label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Second => "second",
            Self::Unsynced => "unsynced",
            Self::SinceSnapshot => "since-snapshot",
            Self::Everything => "everything",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "a power cut loses nothing that was answered",
            Self::Second => "a power cut loses about a second of answers (appendfsync everysec)",
            Self::Unsynced => "a power cut loses what the kernel has not written (appendfsync no)",
            Self::SinceSnapshot => "a power cut loses all since the last snapshot (appendonly no)",
            Self::Everything => "a restart loses everything (no appendonly, no snapshots)",
            Self::Unknown => "the server does not tell what a power cut loses",
        })
    }
}

impl fmt::Display for Danger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Evicts(policy) => write!(
                f,
                "the server throws jobs away when memory is short (maxmemory-policy {policy}, \
                 should be noeviction)"
            ),
            Self::IgnoresWriteErrors => f.write_str(
                "the server goes on when its disk fails (stop-writes-on-bgsave-error no)",
            ),
            Self::CannotWrite => f.write_str("the server's disk fails"),
        }
    }
}

impl Server {
    /// Asks the server.
    pub(super) async fn ask(connection: &mut MultiplexedConnection) -> Result<Self, Error> {
        let info: String = redis::cmd("INFO")
            .query_async(connection)
            .await
            .map_err(|source| Error::command("INFO", source))?;
        // Managed servers refuse CONFIG: then the settings are unknown, not the queue unusable.
        let settings: RedisResult<Vec<(String, String)>> =
            redis::cmd("CONFIG").arg("GET").arg("append*").query_async(connection).await;
        let save: RedisResult<Vec<(String, String)>> =
            redis::cmd("CONFIG").arg("GET").arg("save").query_async(connection).await;
        let settings = settings.ok().zip(save.ok()).map(|(mut settings, save)| {
            settings.extend(save);
            settings
        });
        Self::read(&info, settings.as_deref())
    }

    fn read(info: &str, settings: Option<&[(String, String)]>) -> Result<Self, Error> {
        let field = |name: &str| {
            info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
        };
        let version =
            field("valkey_version").or_else(|| field("redis_version")).unwrap_or("0").to_owned();
        let product = if field("valkey_version").is_some() { "valkey" } else { "redis" };
        let name = format!("{product} {version}");
        let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
        let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if found < OLDEST {
            return Err(Error::TooOld { found: name });
        }
        // Until then it says that it writes no append-only file, whatever its settings.
        if field("loading") == Some("1") {
            return Err(Error::Loading);
        }
        if field("role") == Some("slave") {
            return Err(Error::Replica);
        }
        let appends = field("aof_enabled") == Some("1");
        let mut dangers = Vec::new();
        let policy = field("maxmemory_policy").unwrap_or("noeviction");
        if policy != "noeviction" {
            dangers.push(Danger::Evicts(policy.to_owned()));
        }
        if field("aof_last_write_status") == Some("err") {
            dangers.push(Danger::CannotWrite);
        }
        let loss = settings.map_or(Loss::Unknown, |settings| loss(appends, settings));
        let run_id = field("run_id").unwrap_or("").to_owned();
        Ok(Self { name, run_id, loss, dangers, appends })
    }
}

fn loss(appends: bool, settings: &[(String, String)]) -> Loss {
    let setting =
        |name: &str| settings.iter().find(|(key, _)| key == name).map(|(_, v)| v.as_str());
    match (appends, setting("appendfsync"), setting("save")) {
        (true, Some("always"), _) => Loss::Nothing,
        (true, Some("everysec"), _) => Loss::Second,
        (true, Some(_), _) => Loss::Unsynced,
        (false, _, Some("")) => Loss::Everything,
        (false, _, Some(_)) => Loss::SinceSnapshot,
        _ => Loss::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(fsync: &str, save: &str) -> Vec<(String, String)> {
        let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        vec![pair("appendfsync", fsync), pair("save", save)]
    }

    #[test]
    fn what_a_power_cut_takes() {
        let info = |aof| format!("redis_version:7.2.4\r\nrole:master\r\naof_enabled:{aof}\r\n");
        let loss =
            |aof, fsync, save| Server::read(&info(aof), Some(&settings(fsync, save))).unwrap().loss;
        assert_eq!(loss(1, "always", ""), Loss::Nothing);
        assert_eq!(loss(1, "everysec", ""), Loss::Second);
        assert_eq!(loss(1, "no", "3600 1"), Loss::Unsynced);
        assert_eq!(loss(0, "always", "3600 1"), Loss::SinceSnapshot);
        assert_eq!(loss(0, "always", ""), Loss::Everything);
        assert_eq!(Server::read(&info(1), None).unwrap().loss, Loss::Unknown);
    }

    #[test]
    fn servers_that_will_not_do() {
        let old = Server::read("redis_version:6.2.14\r\nrole:master\r\n", None).unwrap_err();
        let wanted = "redis 6.2.14 is too old: Redis 7.0 or Valkey is needed";
        assert_eq!(old.to_string(), wanted);
        let replica = Server::read("redis_version:7.0.15\r\nrole:slave\r\n", None);
        assert!(matches!(replica, Err(Error::Replica)));
        let loading = "redis_version:7.0.15\r\nloading:1\r\nrole:master\r\naof_enabled:0\r\n";
        assert!(matches!(Server::read(loading, None), Err(Error::Loading)));
        let valkey = "redis_version:7.2.4\r\nvalkey_version:9.0.1\r\nrole:master\r\n";
        assert_eq!(Server::read(valkey, None).unwrap().name, "valkey 9.0.1");
        let evicts = "redis_version:7.0.15\r\nmaxmemory_policy:allkeys-lru\r\n";
        let dangers = Server::read(evicts, None).unwrap().dangers;
        assert_eq!(dangers, [Danger::Evicts("allkeys-lru".to_owned())]);
    }
}
