//! What the driver needs of its surroundings, as traits, so that it can be tested alone.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::core::action::{Event, Level};
use crate::core::cluster::Call;
use crate::core::ids::{CallNo, ClientId, GroupName};
use crate::core::view::View;
use crate::core::{Actions, Input, Settings, Time};
use crate::resp::Reply;

/// The deciding part: [`crate::core::Engine`], or a script in tests.
pub trait Core {
    /// Begin: the first events and wishes.
    fn start(&mut self, now: Time, actions: &mut Actions);
    /// Take in one fact, and with it every deadline that is over at `now`.
    fn handle(&mut self, input: Input, now: Time, actions: &mut Actions);
    /// When the core must be called again even if nothing happens, and what for.
    fn next_deadline(&self) -> Option<(Time, &'static str)>;
    /// What the file must hold now.
    fn snapshot(&self) -> Settings;
    /// The Sentinel section of INFO as of `now`, every line ended by CRLF.
    fn info_section(&self, now: Time) -> String;
    /// The crash points that are armed, as INFO numbers them.
    fn simulate_failure_flags(&self) -> u8;
    /// What the core believes, for people and metrics.
    fn view(&self, now: Time) -> View;
}

/// The side that clients see: [`crate::server::Server`], or a recorder in tests.
pub trait Front {
    /// Answer a client. Clients that have gone are no error.
    fn reply(&self, client: ClientId, reply: Reply);
    /// Send a message to the subscribers of `channel`; how many there were.
    fn publish(&self, channel: &str, payload: &str) -> usize;
    /// What the server counted, for the metrics.
    fn stats(&self) -> FrontStats;
    /// Re-read certificates, password files and the aclfile; the problems met.
    fn reload(&self) -> Vec<String>;
    /// Stop listening and drop all clients.
    fn close_all(&self);
}

/// Figures of the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrontStats {
    /// Clients connected now.
    pub connected: u64,
    /// Connections accepted since the start.
    pub accepted: u64,
    /// Connections refused since the start because there were too many.
    pub rejected: u64,
    /// Calls by command (`ping`, `sentinel|masters`), only names of the command table.
    pub calls: Vec<(String, u64)>,
}

/// The API server, for a fleet on Kubernetes: [`super::cluster::Cluster`], or a script in tests.
pub trait Api {
    /// Make a call. It is answered by [`Input::Answered`] exactly once, at the latest when `limit` is over, and never from
    /// within this.
    fn call(&self, call: CallNo, request: Call, limit: Duration);
    /// A scrape is about to read the metrics: bring those up to date that aren't counted as they happen.
    fn scraped(&self);
}

/// The log.
pub trait Journal {
    /// One line for an event.
    fn event(&self, event: &Event);
    /// One line.
    fn line(&self, level: Level, group: Option<&GroupName>, text: &str);
    /// One line about a signal, in the form that Sentinel's signal handlers use.
    fn signal(&self, text: &str);
    /// Log from this level on.
    fn set_level(&self, level: Level);
    /// Wait (a second at most) until everything is written: the process is about to end.
    fn flush(&self) {}
}

/// Keeper of the file.
pub trait Saver {
    /// Put `settings` on the disk, off the loop's thread; the error is the system's words.
    fn save(&self, settings: Settings) -> Saving;
}

/// A running save.
pub type Saving = Pin<Box<dyn Future<Output = Result<(), String>>>>;
