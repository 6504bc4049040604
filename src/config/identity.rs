//! What the daemon calls itself towards clients: `vedette identity`.

/// Whose version and name are shown in INFO, HELLO and `--version`, and whose COMMAND LIST is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Identity {
    /// Redis 7.0.
    Redis70,
    /// Redis 8.0.
    #[default]
    Redis80,
    /// Valkey 8.0.
    Valkey80,
}

impl Identity {
    const ALL: [Self; 3] = [Self::Redis70, Self::Redis80, Self::Valkey80];

    /// The word used in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Redis70 => "redis-7.0",
            Self::Redis80 => "redis-8.0",
            Self::Valkey80 => "valkey-8.0",
        }
    }

    /// The identity that a word of the configuration names (any case).
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|identity| identity.name().eq_ignore_ascii_case(word))
    }

    /// Version of the product shown: `7.0.15` and so on.
    #[must_use]
    pub const fn version(self) -> &'static str {
        match self {
            Self::Redis70 => "7.0.15",
            Self::Redis80 => "8.0.0",
            Self::Valkey80 => "8.0.0",
        }
    }

    /// `Redis` or `Valkey`, as in log lines and `--version`.
    #[must_use]
    pub const fn product(self) -> &'static str {
        match self {
            Self::Redis70 | Self::Redis80 => "Redis",
            Self::Valkey80 => "Valkey",
        }
    }

    /// `redis` or `valkey`, as in HELLO's `server` field.
    #[must_use]
    pub const fn server_name(self) -> &'static str {
        match self {
            Self::Redis70 | Self::Redis80 => "redis",
            Self::Valkey80 => "valkey",
        }
    }
}
