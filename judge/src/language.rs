//! Languages as data: the table, how a command is filled in, where the toolchain is on this host.

mod command;
mod reads;
mod table;
mod toolchain;

pub use command::Context;
pub(crate) use command::{expand, uses};
pub use table::{
    Compile, Factors, Language, MountRule, OutOfMemory, Run, Table, TableError, Tier,
    UnknownLanguage,
};
pub use toolchain::{Host, ProbeError, Toolchain, Unavailable};
pub(crate) use toolchain::{Versions, hex};
