//! One compilation for simultaneous equal requests.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sandbox::Cancel;

use super::Key;

/// Keys that are being made at this moment, each with a flag that is set when that is over.
#[derive(Debug, Default)]
pub(crate) struct Flights(Mutex<HashMap<Key, Cancel>>);

/// Whose turn it is.
#[derive(Debug)]
pub(crate) enum Turn<'a> {
    /// The caller's: it makes the entry and then drops this, whether it succeeded or not.
    Mine(Leader<'a>),
    /// Somebody else was at it and is done: look again.
    Over,
    /// The caller withdrew.
    Cancelled,
}

/// Held while an entry is being made.
#[derive(Debug)]
pub(crate) struct Leader<'a> {
    flights: &'a Flights,
    key: Key,
}

impl Flights {
    /// Takes the turn for `key`, or waits until the one who has it is done.
    ///
    /// # Errors
    /// When the process is out of file descriptors.
    pub(crate) fn turn(&self, key: &Key, cancel: &Cancel) -> io::Result<Turn<'_>> {
        let over = {
            let mut flying = self.flying();
            match flying.get(key) {
                Some(over) => over.clone(),
                None => {
                    flying.insert(key.clone(), Cancel::new()?);
                    return Ok(Turn::Mine(Leader { flights: self, key: key.clone() }));
                }
            }
        };
        Cancel::wait_any(&[&over, cancel])?;
        Ok(if over.is_cancelled() { Turn::Over } else { Turn::Cancelled })
    }

    fn flying(&self) -> MutexGuard<'_, HashMap<Key, Cancel>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        if let Some(over) = self.flights.flying().remove(&self.key) {
            over.cancel();
        }
    }
}
