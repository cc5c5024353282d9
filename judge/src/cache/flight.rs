//! One compilation for simultaneous equal requests.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sandbox::Cancel;

use super::Key;
use crate::model::CompileReport;

/// Keys that are being made at this moment.
#[derive(Debug, Default)]
pub(crate) struct Flights(Mutex<HashMap<Key, Arc<Flight>>>);

#[derive(Debug)]
struct Flight {
    over: Cancel,
    refused: Mutex<Option<CompileReport>>,
}

/// Whose turn it is.
#[derive(Debug)]
pub(crate) enum Turn<'a> {
    /// The caller's: it makes the entry and then drops this, whether it succeeded or not.
    Mine(Leader<'a>),
    /// Somebody else was at it and the compiler refused.
    Refused(CompileReport),
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
    flight: Arc<Flight>,
}

impl Flights {
    /// Takes the turn for `key`, or waits until the one who has it is done.
    ///
    /// # Errors
    /// When the process is out of file descriptors.
    pub(crate) fn turn(&self, key: &Key, cancel: &Cancel) -> io::Result<Turn<'_>> {
        let flight = {
            let mut flying = self.flying();
            match flying.get(key) {
                Some(flight) => Arc::clone(flight),
                None => {
                    let flight = Flight { over: Cancel::new()?, refused: Mutex::new(None) };
                    let flight = Arc::new(flight);
                    flying.insert(key.clone(), Arc::clone(&flight));
                    return Ok(Turn::Mine(Leader { flights: self, key: key.clone(), flight }));
                }
            }
        };
        Cancel::wait_any(&[&flight.over, cancel])?;
        if !flight.over.is_cancelled() {
            return Ok(Turn::Cancelled);
        }
        let refused = flight.refused.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(refused.map_or(Turn::Over, Turn::Refused))
    }

    fn flying(&self) -> MutexGuard<'_, HashMap<Key, Arc<Flight>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leader<'_> {
    /// Tells those who wait that there is nothing to look for: the compiler refused.
    pub(crate) fn refuse(self, report: CompileReport) {
        *self.flight.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
    }
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        self.flights.flying().remove(&self.key);
        self.flight.over.cancel();
    }
}
