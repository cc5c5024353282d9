//! From an output to a decision: the built-in comparisons, and how checker programs are called
//! and what their ending means. Pure: the judge runs the programs.

pub mod abi;
mod compare;
mod flags;
mod number;
mod text;
mod tokens;

pub use compare::{Comparison, compare};
pub use flags::{FlagError, with_args};
