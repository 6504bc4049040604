//! The daemons that are compared.

use crate::support::Program;

/// Which daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// redis-sentinel as Debian has it.
    Redis,
    /// valkey-sentinel of Debian's backports.
    Valkey,
    /// The program under test.
    Vedette,
}

impl Kind {
    /// In the order of the table's columns.
    pub(crate) const ALL: [Self; 3] = [Self::Redis, Self::Valkey, Self::Vedette];

    /// Its name on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis-sentinel",
            Self::Valkey => "valkey-sentinel",
            Self::Vedette => "vedette",
        }
    }

    /// The head of its column.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Redis => "redis-sentinel 7.0.15",
            Self::Valkey => "valkey-sentinel 8.0",
            Self::Vedette => "vedette",
        }
    }

    /// What is started.
    pub(crate) fn program(self) -> Program {
        match self {
            Self::Redis => Program::genuine(),
            Self::Valkey => Program::genuine_valkey(),
            Self::Vedette => Program::subject(),
        }
    }
}
