//! Arguments of `vedette demo`.

use std::path::PathBuf;

use clap::Args;

/// Show a failover on real processes: a primary, two replicas, three vedettes and a writer, on free loopback ports.
///
/// The primary is killed and the timeline of the failover is shown, then SENTINEL FAILOVER. The processes stay up for
/// redis-cli until Ctrl-C, and nothing is left behind.
#[derive(Args, Clone, Debug, Default)]
pub struct DemoArgs {
    /// End after the two failovers instead of staying up.
    #[arg(long)]
    pub once: bool,

    /// Write plain lines, also on a terminal.
    #[arg(long)]
    pub plain: bool,

    /// Keep the temporary folder with configuration files and logs.
    #[arg(long)]
    pub keep: bool,

    /// Data node's program [default: redis-server or valkey-server on the PATH].
    #[arg(long, value_name = "PATH")]
    pub server_program: Option<PathBuf>,

    /// Show it with another daemon, such as redis-sentinel, for comparison.
    #[arg(long, value_name = "PATH")]
    pub sentinel_program: Option<PathBuf>,
}
