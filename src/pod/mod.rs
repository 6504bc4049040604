//! Tools for the Pods of data nodes: `vedette boot` and `vedette leave`.
//!
//! A Pod of a data node runs somebody else's image. An init container puts this program into a folder that the two
//! share, so the tools must work from there alone: no configuration file, no daemon, nothing of the image.

mod boot;
mod conn;
mod leave;

pub use boot::{BootArgs, BootCommand, boot};
pub use leave::{LeaveArgs, leave};
