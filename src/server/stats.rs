//! What the server counts.

use std::collections::BTreeMap;

/// Figures for INFO and the metrics. Counters run since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerStats {
    /// Clients connected now.
    pub connected_clients: usize,
    /// Connections accepted.
    pub connections_received: u64,
    /// Connections refused for `maxclients` or protected mode.
    pub rejected_connections: u64,
    /// Commands executed.
    pub commands_processed: u64,
    /// The same by the command's full name (`sentinel|master`).
    pub commands: BTreeMap<&'static str, u64>,
    /// Error replies.
    pub error_replies: u64,
    /// Bytes read from clients.
    pub input_bytes: u64,
    /// Bytes written to clients.
    pub output_bytes: u64,
    /// Clients closed for reaching an output limit.
    pub output_limit_disconnections: u64,
    /// Clients closed for reaching an input limit.
    pub query_limit_disconnections: u64,
    /// Bytes that wait to be sent now.
    pub output_buffered: usize,
    /// Bytes of incomplete or not yet executed requests now.
    pub input_buffered: usize,
    /// Channels that somebody is subscribed to now.
    pub pubsub_channels: usize,
    /// Patterns that somebody is subscribed to now.
    pub pubsub_patterns: usize,
    /// Clients that are subscribed to something now.
    pub pubsub_clients: usize,
    /// Messages delivered to subscribers.
    pub messages_delivered: u64,
    /// Refused logins.
    pub denied_auth: u64,
    /// Commands refused by access rules.
    pub denied_commands: u64,
    /// Channels refused by access rules.
    pub denied_channels: u64,
}
