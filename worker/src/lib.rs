//! Claims jobs from the queue and judges them: the daemon behind `evalx worker`.
#![forbid(unsafe_code)]

mod court;
mod crew;
mod embedded;
mod image;
mod judging;
mod life;
pub mod log;
mod metrics;
pub mod node;
mod probes;
pub mod reach;
mod roster;
mod run;
mod setback;
pub mod slots;
mod stub;
mod tasks;
mod warm;
mod watch;

pub use court::{Court, Unpacked};
pub use embedded::{Embedded, embedded};
pub use judging::{Judged, Judging, Limits, Phase, Watch, Work};
pub use run::{Config, Error, run};
pub use stub::Stub;
pub use warm::Warming;
