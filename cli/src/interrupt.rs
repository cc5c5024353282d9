//! Signals that end evalx: they withdraw what runs, so that everything is cleaned up.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread::{self, JoinHandle};

use sandbox::Cancel;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::{Handle, Signals};

use crate::exit::Exit;
use crate::output::Voice;

/// Watches for Ctrl-C, SIGTERM and SIGHUP until it is dropped.
#[derive(Debug)]
pub(crate) struct Interrupt {
    cancel: Cancel,
    caught: Arc<AtomicI32>,
    handle: Handle,
    watcher: Option<JoinHandle<()>>,
}

impl Interrupt {
    /// Starts to watch. The first signal sets the flag; a second one ends the process at once,
    /// for when cleaning up hangs.
    ///
    /// # Errors
    /// When the process is out of file descriptors or threads.
    pub(crate) fn watch() -> io::Result<Self> {
        let cancel = Cancel::new()?;
        let caught = Arc::new(AtomicI32::new(0));
        let second = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // Order: the check comes before the arming, or the first signal would already end it.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&second))?;
            flag::register(signal, Arc::clone(&second))?;
        }
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let handle = signals.handle();
        let (flag, first) = (cancel.clone(), Arc::clone(&caught));
        let watcher = thread::Builder::new().name("signals".into()).spawn(move || {
            if let Some(signal) = signals.forever().next() {
                first.store(signal, Ordering::SeqCst);
                flag.cancel();
            }
        })?;
        Ok(Self { cancel, caught, handle, watcher: Some(watcher) })
    }

    /// What runs take along.
    pub(crate) fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// How to end when a signal came, which is also said.
    pub(crate) fn ended(&self, voice: Voice) -> Option<Exit> {
        let (exit, what) = match self.caught.load(Ordering::SeqCst) {
            0 => return None,
            SIGINT => (Exit::Interrupted, "interrupted"),
            _ => (Exit::Cancelled, "cancelled by a signal"),
        };
        voice.note(what);
        Some(exit)
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(watcher) = self.watcher.take() {
            // It cannot panic: it stores a number and writes to an eventfd.
            let _joined = watcher.join();
        }
    }
}
