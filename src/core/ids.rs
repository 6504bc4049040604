//! Names of things: newtypes, so that one is never taken for another.

use std::fmt;
use std::sync::Arc;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(Arc::from(text))
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(Arc::from(text))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

text_id!(
    /// Identity of a data node's process or of a daemon: 40 hex digits by convention; a daemon's is only checked for
    /// its length, as Sentinel does.
    RunId
);
text_id!(
    /// Name of a group: what Sentinel calls the master name.
    GroupName
);
text_id!(
    /// Uid of a Pod: what an instance on Kubernetes is known by, whatever its address.
    PodUid
);
text_id!(
    /// One attempt to claim a group: never used twice, and never a member's id alone, so that nobody takes another's
    /// claim, or an older one of its own, for this one.
    ClaimId
);
text_id!(
    /// What the API server calls a resourceVersion: compared for equality only.
    Version
);
number_id!(
    /// One request to the API server or one connection to a data node of a claimant; never used again.
    CallNo
);
number_id!(
    /// One connection attempt to a data node or a peer. Never used again, so that late news of a closed connection
    /// can't be taken for news of its successor.
    ConnId
);
number_id!(
    /// A client of this daemon.
    ClientId
);
number_id!(
    /// Number of a request to save the state; they rise by one.
    SaveNo
);
number_id!(
    /// One run of a script.
    JobId
);
number_id!(
    /// One question to the resolver.
    ResolveId
);
number_id!(
    /// One question about files.
    CheckId
);
