//! Command line and file: reading them, and writing the file as Sentinel does.
//!
//! [`grammar`] splits a text into lines and words and loses nothing; [`load()`] turns it into a [`Config`]; [`rewrite`]
//! merges the present state into the text of the file; [`store`] puts a text on the disk, whole or not at all.

pub mod directives;
pub mod fleet;
pub mod general;
pub mod grammar;
pub mod identity;
mod include;
pub mod load;
pub mod refusal;
pub mod rewrite;
mod rewrite_sentinel;
pub mod sentinel_lines;
pub mod store;
pub mod system;
pub mod table;
pub mod value;
pub mod values;

use std::path::PathBuf;

pub use directives::Directives;
pub use fleet::Coordination;
pub use general::General;
pub use identity::Identity;
pub use load::{Loaded, Sources, load};
pub use refusal::Refusal;

use crate::core::Settings;

/// Everything that the start-up learns from file, standard input and command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file that holds the daemon's state: absolute, whatever `dir` says. Empty where none was given, which only
    /// `coordination kubernetes` allows.
    pub path: PathBuf,
    /// The directives that Sentinel shares with the data nodes.
    pub general: General,
    /// The `sentinel` lines.
    pub settings: Settings,
    /// The `vedette` lines.
    pub own: Directives,
    /// `coordination kubernetes`; without it the peers vote.
    pub coordination: Option<Coordination>,
    /// What the daemon calls itself.
    pub identity: Identity,
}
