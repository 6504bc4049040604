//! Why the daemon can't start with its access rules.

/// Why the daemon can't start with its access rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AclError {
    /// A `user` line holds a bad rule.
    #[error("Error loading ACL rule '{rule}' for the user named '{user}': {reason}")]
    Rule {
        /// The user.
        user: String,
        /// The rule; never a password's.
        rule: String,
        /// Why.
        reason: String,
    },
    /// A `user` line names a user that no file can hold.
    #[error("Spaces not allowed in ACL usernames")]
    Name,
    /// There are `user` lines and an aclfile.
    #[error(
        "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid. This \
         setup is very likely to lead to configuration errors and security holes, please define either an ACL file or \
         declare users directly in your redis.conf, but not both."
    )]
    Both,
    /// The aclfile can't be loaded.
    #[error("Aborting Redis startup because of ACL errors: {0}")]
    File(String),
}

impl AclError {
    /// The lines that Sentinel writes into its log before it exits.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.to_string()];
        if matches!(self, Self::Rule { .. } | Self::Name) {
            lines.push("Critical error while loading ACLs. Exiting.".to_owned());
        }
        lines
    }
}
