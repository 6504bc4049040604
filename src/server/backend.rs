//! What the server needs of the daemon behind it.

use bytes::Bytes;

use crate::core::action::Level;
use crate::core::ids::ClientId;

/// The daemon behind the server. Its methods are called from the server's tasks, on the one thread, and may call
/// [`super::Server`] back at once.
pub trait Backend {
    /// A client's SENTINEL, ROLE or PUBLISH that passed all checks. It is answered by exactly one
    /// [`super::Server::reply`], at once or later; until then that client's next commands wait.
    fn command(&self, client: ClientId, args: Vec<Bytes>);
    /// The Sentinel section of INFO, each line ended by CR LF.
    fn info_sentinel(&self) -> String;
    /// SHUTDOWN: end the process.
    fn shutdown(&self);
    /// A line for the log.
    fn log(&self, level: Level, text: &str);
}
